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

// OnLoop returns a handler for the server of package net/http that runs h on the loop of a
// portal: each request is a task of the portal's scope. It is the counterpart of
// [Blocking], for services that move to tasks handler by handler, and for HTTP/2.
//
// The goroutine of package net/http waits for h. It does what may wait for the client: each
// method of the http.ResponseWriter and of the Body of the request but Header, WriteHeader
// with a final status, and a Write that is buffered, parks its task meanwhile. Up to 8 KiB of
// an answer are buffered, beside the buffers of package net/http; Flush and the end of h
// send them. So a client that is slow stops its own request alone.
//
// The context of the request is the task's. It has the values of the context from package
// net/http, its deadline, and its end: when the client has gone, or an http.TimeoutHandler
// around the handler has given up. That end does not interrupt a Read or Write, which
// package net/http ends. The tasks that h has started are cancelled when h returns, and the
// portal's scope waits for them; their errors go to the loop's exception handler.
//
// The end of the portal's scope, or another cancel of the task as a whole, interrupts a Read,
// Write or Flush. What is buffered is still sent; but if a Write was lost, the connection, or
// the stream of HTTP/2, is aborted when h returns. Interrupting needs the deadlines of
// http.ResponseController: a ResponseWriter of middleware outside of OnLoop should have an
// Unwrap method. If the portal is closed before h begins, the answer is 503.
//
// A panic of h becomes one of the goroutine of package net/http, with a *task.PanicError that
// has the stack of the task; http.ErrAbortHandler stays what it is. A runtime.Goexit ends the
// scope of the portal, as it does in every task, and aborts the request.
//
// Tasks and goroutines of h may write the answer, also while others read the Body. Tasks
// take turns; goroutines, as with package net/http, must write one at a time, and not beside
// tasks. What an http.Hijacker returns may be used by the tasks of the loop and by
// goroutines: a task parks meanwhile. After h has returned, calls fail. The size limit of
// http.MaxBytesReader does not end the connection, unless http.MaxBytesHandler is offload of
// OnLoop.
//
// The handler that OnLoop returns panics on a task, where it would stop the loop: it is for
// goroutines.
func OnLoop(portal *task.Portal, h http.Handler) http.Handler {
	if portal == nil || h == nil {
		misuse("OnLoop without a portal or a handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l := loop.Current(); l != nil {
			misuse("a handler of OnLoop is called with the baton of %v; tasks call the handler inside of it", l)
		}
		lr := &loopRequest{w: w, r: r, writerState: writerState{length: -1}}
		lr.calls = make(chan *offloadedCall)
		lr.serve(portal, h)
	})
}

// A loopRequest is a request of package net/http whose handler runs on a loop. It is the
// http.ResponseWriter of the handler.
type loopRequest struct {
	offload
	w http.ResponseWriter // of package net/http
	r *http.Request       // of package net/http

	req      *http.Request // the handler's; nil before the task begins
	begun    atomic.Bool   // the task has begun
	endCause error         // why r has ended, for the loop
	scope    *task.ScopeRef

	writerState
	panicked *task.PanicError // unless it was http.ErrAbortHandler
	aborted  bool             // it has panicked, or called runtime.Goexit
}

// serve is the part of the goroutine of package net/http.
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
		case <-call.Done(): // the portal is closed
			returned = true
		}
	}
	lr.others.Wait()
	if lr.req == nil {
		http.Error(lr.w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	if f := lr.req.MultipartForm; f != nil && f != lr.r.MultipartForm { // package net/http does not know of it
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

// visit is the task of the request. It waits for what the handler has left behind.
func (lr *loopRequest) run(ctx context.Context, h http.Handler) {
	lr.home, lr.ctx = task.Self(ctx), ctx
	base := lr.r.Context()
	err := task.Scope(bridge.WithValues(ctx, base), func(ctx context.Context) error {
		lr.scope = task.ScopeOf(ctx)
		lr.req = lr.r.WithContext(ctx)
		if lr.r.Body != nil && lr.r.Body != http.NoBody {
			lr.req.Body = &loopBody{lr: lr, inner: lr.r.Body}
		}
		lr.begun.Store(true)
		if base.Err() != nil { // or tell finds that the task has begun
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

// tell tells the loop that the request of package net/http has ended.
func (lr *loopRequest) postEnd() {
	if lr.begun.Load() {
		_ = lr.home.Loop().Driver().Post(lr)
	}
}

// Wake ends the request then. It is the loop's to call.
func (lr *loopRequest) Wake() {
	lr.endCause = context.Cause(lr.r.Context())
	lr.scope.Cancel(lr.endCause)
}

// call calls the handler. In the end it lets the goroutine of package net/http go on.
func (lr *loopRequest) callHandler(h http.Handler) {
	ended := false
	defer func() {
		if !ended {
			lr.aborted = true
			// Without a value it is a Goexit, which goes on.
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				lr.panicked, _ = p.(*task.PanicError) // of a goroutine
				if lr.panicked == nil {
					lr.panicked = &task.PanicError{Value: p, Stack: stack.OfPanic(), Task: lr.home.String()}
				}
			}
		}
		lr.ended.Store(true)
		close(lr.calls)
	}()
	h.ServeHTTP(lr, lr.req)
	ended = true
}

// report tells of an error of a task that the handler has left behind.
func (lr *loopRequest) report(ctx context.Context, err error) {
	if p, ok := errors.AsType[*task.PanicError](err); ok {
		p.Report(ctx)
		return
	}
	message := fmt.Sprintf("httpio: serving %v", lr.r.RemoteAddr)
	lr.home.Loop().CallExceptionHandler(loop.Exception{Message: message, Err: err})
}
