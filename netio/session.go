// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"

	"baton/internal/stack"
	"baton/loop"
	"baton/task"
)

// A session is a connection that is being served. It owns the stream: however the
// handler ends, the stream is closed after it, and nothing is left of either.
type session struct {
	service *service
	stream  *Stream
	task    *task.Ref
	scope   task.ScopeRef // of the handler, once that has begun
	index   int           // in service.sessions, whose order means nothing
}

// start serves s by a task of its own, named for its handler, of the service's
// scope. It does not switch: the handler begins in the next turn.
func (v *service) start(s *Stream) {
	c := &session{service: v, stream: s, index: len(v.sessions)}
	v.sessions = append(v.sessions, c)
	v.server.room.taken++
	c.task = v.scope.Go(c.run)
	c.task.SetName(v.name)
}

// run is the session's task. The handler has a scope of its own, so the tasks
// that it starts fail with it and not with the server, and do not outlive the
// connection. run fails only by Goexit: any other error would take the other sessions
// with it.
func (c *session) run(ctx context.Context) (exited error) {
	var err error
	returned := false
	defer func() {
		v := recover()
		switch {
		case v != nil:
			err = &task.PanicError{Value: v, Stack: stack.OfPanic(), Task: c.task.String()}
		case !returned:
			// Goexit, by the FailNow of a test: the whole tree is to end.
			_ = c.service.advance(aborted)
		case errors.Is(err, task.ErrGoexit): // so did a task that the handler has started
			_ = c.service.advance(aborted)
			exited, err = err, nil // whole: ServeListener returns it
		}
		c.end(ctx, err)
	}()
	err = task.Scope(ctx, func(ctx context.Context) error {
		c.scope = *task.ScopeOf(ctx)
		return c.service.handler(ctx, c.stream)
	})
	returned = true
	return nil
}

// end closes the connection, makes room for the next one, and reports what went
// wrong, last: whoever is told may look at the server, or close it. It runs
// deferred, also while the task unwinds, and so it must not switch.
func (c *session) end(ctx context.Context, err error) {
	if !c.stream.closed {
		err = join(err, c.stream.Close())
	}
	v := c.service
	last := v.sessions[len(v.sessions)-1]
	v.sessions[c.index], last.index = last, c.index
	v.sessions[len(v.sessions)-1] = nil
	v.sessions = v.sessions[:len(v.sessions)-1]
	v.server.room.taken--
	v.server.wake()
	if err == nil || c.isUsual(ctx, err) {
		return
	}
	told := false
	defer func() {
		if !told { // Goexit, of whoever is told: the same as in the handler
			_ = v.advance(aborted)
		}
	}()
	v.server.report(ctx, c.stream, err)
	told = true
}

// isUsual reports whether err is how connections end every day: the peer has left
// (io.EOF, ECONNRESET, EPIPE) or seems gone (isGone), the handler or the server has
// closed the stream, or the handler was cancelled and says so. Nobody can do
// anything about those, and a busy server would report little else. Of another
// connection, as to a server behind this one, all but an end in order are failures
// that somebody wants to know. A cancel counts only if it is the server's, so ctx is
// the session's own: a handler that returns what it has made of some other task's
// cancel has failed. After the server's cancel the bare sentinel is an echo too, as
// it is for a scope, and so is the bare cause: much code returns ctx.Err(). Joined
// errors are usual only if each of them is: no failure hides behind an end of the
// stream.
func (c *session) isUsual(ctx context.Context, err error) bool {
	switch e := err.(type) {
	case *task.PanicError:
		return false // whatever it panicked with
	case *task.Canceled:
		if task.Check(ctx) != nil {
			return true
		}
	case *net.OpError:
		switch own := c.stream.owns(e); {
		case own && isGone(e.Err):
			return true
		case !own && isCut(e.Err):
			return false
		}
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !c.isUsual(ctx, err) })
	}
	if inner := errors.Unwrap(err); inner != nil {
		return c.isUsual(ctx, inner)
	}
	if echo := ctx.Err(); echo != nil && (errors.Is(err, echo) || errors.Is(err, ErrShutdown)) {
		return true
	}
	return isCut(err) || isAny(err, io.EOF, net.ErrClosed)
}

// isGone reports whether err says that a peer is silent, by a timeout or deadline of
// the stream, or that its machine is not there any more.
func isGone(err error) bool {
	return isAny(err, os.ErrDeadlineExceeded, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH)
}

// isCut reports whether err says that a peer has left before the end.
func isCut(err error) bool { return isAny(err, syscall.ECONNRESET, syscall.EPIPE) }

// isAny reports whether err is one of several.
func isAny(err error, several ...error) bool {
	return slices.ContainsFunc(several, func(one error) bool { return errors.Is(err, one) })
}

// report gives an error to whoever is to know: OnError, or without one the loop's
// exception handler, which hears of panics in either case, with their stack. s is
// nil for an error of accepting. A panic of OnError itself is caught here, since it
// would end the server for the sake of one connection. It does not switch.
func (srv *Server) report(ctx context.Context, s *Stream, err error) {
	p, panicked := errors.AsType[*task.PanicError](err)
	if panicked {
		p.Report(ctx)
	}
	if srv.OnError != nil {
		defer func() {
			if v := recover(); v != nil {
				(&task.PanicError{Value: v, Stack: stack.OfPanic(), Task: "OnError of a server"}).Report(ctx)
			}
		}()
		srv.OnError(s, err)
		return
	}
	if panicked {
		return
	}
	message := "netio: accepting"
	if s != nil {
		message = fmt.Sprintf("netio: serving %v", s)
	}
	task.Loop(ctx).CallExceptionHandler(loop.Exception{Message: message, Err: err})
}
