// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"baton/internal/bridge"
	"baton/internal/stack"
	"baton/loop"
	"baton/task"
)

// A loopRequest is a request of package net/http whose handler runs on a loop. It is also the
// http.ResponseWriter of the handler.
type loopRequest struct {
	offload
	w http.ResponseWriter // of package net/http
	r *http.Request       // of package net/http

	req      *http.Request // what the handler gets; nil before the task begins
	begun    atomic.Bool   // the task has begun
	endCause error         // why the context of r has ended; belongs to the loop
	scope    *task.ScopeRef

	writerState
	panicked *task.PanicError // the panic of the handler, except http.ErrAbortHandler
	aborted  bool             // the handler has panicked or called runtime.Goexit
}

// serve runs on the goroutine of package net/http. It starts the task, makes the calls that the
// task sends through lr.calls, and returns when the handler has closed lr.calls.
func (lr *loopRequest) serve(portal *task.Portal, h http.Handler) {
	call := portal.Go(func(ctx context.Context) error {
		lr.run(ctx, h)
		return nil
	})
	gone := lr.r.Context().Done()
	for returned := false; !returned; {
		select {
		case e, ok := <-lr.calls:
			if returned = !ok; ok {
				stop := context.AfterFunc(lr.r.Context(), lr.postEnd)
				e.run()
				stop()
			}
		case <-gone:
			gone = nil
			lr.postEnd()
		case <-call.Done(): // the portal was closed
			returned = true
		}
	}
	lr.others.Wait()
	if lr.req == nil {
		http.Error(lr.w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	// The handler has parsed the form of lr.req. Package net/http removes only the files of its own
	// request.
	if f := lr.req.MultipartForm; f != nil && f != lr.r.MultipartForm {
		_ = f.RemoveAll()
	}
	if !lr.truncated {
		_ = lr.writeHeld()
	}
	if lr.panicked != nil {
		panic(lr.panicked)
	}
	if lr.aborted || lr.truncated {
		panic(http.ErrAbortHandler)
	}
}

// run is the function of the request's task. It waits for the tasks that the handler has started.
func (lr *loopRequest) run(ctx context.Context, h http.Handler) {
	lr.task, lr.ctx = task.Self(ctx), ctx
	base := lr.r.Context()
	err := task.Scope(bridge.WithValues(ctx, base), func(ctx context.Context) error {
		lr.scope = task.ScopeOf(ctx)
		lr.req = lr.r.WithContext(ctx)
		if lr.r.Body != nil && lr.r.Body != http.NoBody {
			lr.req.Body = &loopBody{lr: lr, inner: lr.r.Body}
		}
		lr.begun.Store(true)
		if base.Err() != nil { // postEnd may have run before begun was set
			lr.Wake()
		}
		lr.callHandler(h)
		lr.scope.Cancel(nil)
		return nil
	})
	if err != nil && !isCancel(err) && !errors.Is(err, lr.endCause) {
		lr.report(ctx, err)
	}
}

// postEnd posts the end of the request's context to the loop. It does nothing before the task
// begins.
func (lr *loopRequest) postEnd() {
	if lr.begun.Load() {
		_ = lr.task.Loop().Driver().Post(lr)
	}
}

// Wake cancels the request's scope. The loop calls it.
func (lr *loopRequest) Wake() {
	lr.endCause = context.Cause(lr.r.Context())
	lr.scope.Cancel(lr.endCause)
}

// callHandler calls the handler, and lets serve return when the handler has returned.
func (lr *loopRequest) callHandler(h http.Handler) {
	ended := false
	defer func() {
		if !ended {
			lr.aborted = true
			// A nil value means a Goexit, which continues.
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				lr.panicked, _ = p.(*task.PanicError) // with the stack of a goroutine, from await.Blocking
				if lr.panicked == nil {
					lr.panicked = &task.PanicError{Value: p, Stack: stack.OfPanic(), Task: lr.task.String()}
				}
			}
		}
		lr.ended.Store(true)
		close(lr.calls)
	}()
	h.ServeHTTP(lr, lr.req)
	ended = true
}

// report reports an error of a task that the handler has started.
func (lr *loopRequest) report(ctx context.Context, err error) {
	if p, ok := errors.AsType[*task.PanicError](err); ok {
		p.Report(ctx)
		return
	}
	message := fmt.Sprintf("httpio: serving %v", lr.r.RemoteAddr)
	lr.task.Loop().CallExceptionHandler(loop.Exception{Message: message, Err: err})
}
