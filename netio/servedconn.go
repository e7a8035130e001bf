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

// A servedConn is a connection that is being served. It owns the stream, and closes it
// however the handler ends.
type servedConn struct {
	served *servedListener
	stream *Stream
	task   *task.Ref
	index  int // in served.conns, which is not ordered
}

// start starts a task that serves s, in the server's scope. It does not switch: the handler
// begins in the next turn.
func (l *servedListener) start(s *Stream) {
	c := &servedConn{served: l, stream: s, index: len(l.conns)}
	l.conns = append(l.conns, c)
	c.task = l.scope.Go(c.run)
	c.task.SetName(l.name)
}

// run is the connection's task. The handler gets its own scope, so its tasks do not outlive
// the connection, and their errors do not reach the server. run fails only with a Goexit,
// because any other error would end the other connections.
func (c *servedConn) run(ctx context.Context) (exited error) {
	var err error
	goexit := true // a Goexit, such as t.FailNow, ends the whole server
	defer func() {
		if goexit {
			_ = c.served.server.close()
		}
	}()
	returned := false
	defer func() {
		switch v := recover(); {
		case v != nil:
			err, returned = &task.PanicError{Value: v, Stack: stack.OfPanic(), Task: c.task.String()}, true
		case errors.Is(err, task.ErrGoexit): // in a task of the handler; ServeListener returns it
			exited, err, returned = err, nil, false
		}
		c.end(ctx, err)
		goexit = !returned
	}()
	err = task.Scope(ctx, func(ctx context.Context) error {
		if config := c.served.server.TLS; config != nil {
			if err := c.stream.AcceptTLS(ctx, config); err != nil {
				return err
			}
		}
		return c.served.handler(ctx, c.stream)
	})
	returned = true
	return nil
}

// end closes the connection, makes its place available and reports the handler's error. The
// report comes last, because OnError may look at the server or close it. end runs deferred,
// also while the task unwinds, so it must not switch.
func (c *servedConn) end(ctx context.Context, err error) {
	err = c.failure(ctx, err)
	if !c.stream.closed {
		err = join(err, c.failure(ctx, c.stream.Close()))
	}
	l := c.served
	last := l.conns[len(l.conns)-1]
	l.conns[c.index], last.index = last, c.index
	l.conns[len(l.conns)-1] = nil
	l.conns = l.conns[:len(l.conns)-1]
	l.changed.WakeOne()
	if err != nil {
		l.server.report(ctx, c.stream, err)
	}
}

// failure returns err if it must be reported, and otherwise nil. ctx is the connection's
// own, which is cancelled only with the server.
func (c *servedConn) failure(ctx context.Context, err error) error {
	if err == nil || c.isUsualEnd(err) || isShutdown(err, task.Check(ctx) != nil) {
		return nil
	}
	return err
}

// isUsualEnd reports whether err, unwrapped, is how connections usually end. A busy server
// would report little else, and the user can do nothing about it. Errors of other
// connections, such as one to a server behind this one, are failures.
func (c *servedConn) isUsualEnd(err error) bool {
	if e, ok := err.(*net.OpError); ok {
		if e.Op == "handshake" && e.Err == io.ErrUnexpectedEOF {
			return c.stream.owns(e)
		}
		return c.stream.owns(e) && (isGone(e.Err) || isCut(e.Err) || errors.Is(e.Err, net.ErrClosed))
	}
	return err == io.EOF || err == net.ErrClosed
}

// isShutdown reports whether err only says that the server has ended. canceled says whether
// the handler was cancelled: if not, a *task.Canceled comes from another task and is a
// failure.
func isShutdown(err error, canceled bool) bool {
	switch e := err.(type) {
	case *task.PanicError:
		return false // whatever it panicked with
	case *task.Canceled:
		if canceled {
			return true
		}
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !isShutdown(err, canceled) })
	}
	if err == ErrShutdown || canceled && err == context.Canceled {
		return true
	}
	inner := errors.Unwrap(err)
	return inner != nil && isShutdown(inner, canceled)
}

// isGone reports whether err means that the peer is silent, or that its machine cannot be
// reached any more. A timeout or deadline of the stream also means a silent peer.
func isGone(err error) bool {
	return isAny(err, os.ErrDeadlineExceeded, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH)
}

// isCut reports whether err means that the peer has disconnected before the end.
func isCut(err error) bool { return isAny(err, syscall.ECONNRESET, syscall.EPIPE) }

// isAny reports whether err matches one of several errors.
func isAny(err error, several ...error) bool {
	return slices.ContainsFunc(several, func(one error) bool { return errors.Is(err, one) })
}

// report passes an error to OnError, or to the loop's exception handler if OnError is nil.
// Panics always go to the exception handler, with their stack. s is nil for an error of
// accepting. report recovers a panic of OnError, which would end the server because of one
// connection. report does not switch.
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
