// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"container/list"
	"context"
	"crypto/tls"
	"slices"
	"time"

	"baton/loop"
	"baton/task"
)

// A Handler serves one connection. It runs as a task of its own, in a scope of
// its own: the stream is closed when the handler and the tasks it started have
// ended.
type Handler = func(ctx context.Context, s *Stream) error

// A Server accepts connections and serves each by a task. The zero value is ready to
// use. A server belongs to the loop of its first ServeListener.
//
// A server ends in one of two ways. Close ends it at once: it closes the listeners,
// resets the connections, and cancels the handlers with ErrShutdown as the cause.
// Shutdown, or a cancel of Serve's ctx, closes the listeners and lets the handlers
// finish; when Grace is over it does what Close does. Serve and Shutdown return when
// the last handler has ended, and return a [*LeftError] if connections were cut off
// because the grace was over. A server that has ended serves nothing any more.
//
// An error of a handler ends its own connection only. The error is reported, unless it
// is the usual end of a connection, just as the stream returned it: io.EOF, or the
// [*net.OpError] of this connection that says that it was closed (net.ErrClosed,
// ECONNRESET, EPIPE) or that the peer is silent (a timeout or deadline of the stream,
// ETIMEDOUT, EHOSTUNREACH, ENETUNREACH). Wrap such an error to have it reported. An
// error that only says that the server has ended is not reported either: the
// handler's [*task.Canceled], context.Canceled or ErrShutdown, also wrapped singly. A
// panic is reported with its stack. A runtime.Goexit, as by t.FailNow, in a handler
// or in OnError closes the server, and ServeListener returns [task.ErrGoexit].
//
// A server that runs out of descriptors, memory or watches of epoll (EMFILE, ENFILE,
// ENOBUFS, ENOMEM, ENOSPC) pauses for up to a second and tries again. It reports that
// once, and again only after a minute without a shortage.
type Server struct {
	// Listen is for Serve.
	Listen ListenConfig

	// TLS, if it is not nil, has the server start TLS on each connection, by the
	// connection's own task, before the handler begins. A handshake that fails is
	// reported like an error of the handler, unless the client only went silent or
	// away. To replace certificates while the server runs, use GetCertificate or
	// GetConfigForClient.
	TLS *tls.Config

	// MaxConns bounds the connections of each listener that are served at a time.
	// Further ones wait in the kernel's queue; a listener with several addresses may
	// have accepted one more of each. Zero is no bound. To bound the connections of
	// several listeners together, have the handlers acquire a locks.Limiter.
	MaxConns int

	// Grace is how long handlers may go on after Shutdown. Default 30 s. If Grace is
	// negative, Shutdown is Close: the handlers are cut off at once, which is no error.
	Grace time.Duration

	// OnShutdown, if it is not nil, is called when Shutdown, or a cancel of Serve's ctx, begins
	// the end while the server serves. It says goodbye to clients whose handlers do not use
	// [UntilShutdown]. It runs as a task beside the handlers; ServeListener and Shutdown wait
	// for it, and the end of the grace cancels its ctx. A panic, or an error of a task that it
	// has started, goes to the loop's exception handler. Close does not call it.
	OnShutdown func(ctx context.Context)

	// OnError is called with errors that have no caller to go to: of handlers, and
	// of accepting, with a nil stream. It must not switch. Nil means the loop's
	// exception handler, which is given panics in any case.
	OnError func(s *Stream, err error)

	loop     *loop.Loop // nil before the first ServeListener
	phase    phase
	served   []*servedListener // one for each ServeListener at work
	watchers list.List         // of func(error), which cancel the contexts of UntilShutdown

	shutdownTime   time.Time      // when Shutdown began
	graceTimer     *loop.Handle   // calls cut when the grace is over; nil before Shutdown
	onShutdownTask *task.Ref      // calls OnShutdown; nil before Shutdown
	leftErr        error          // a *LeftError, once cut has cut off connections
	ended          task.WaitQueue // where Shutdown waits
}

// phase is how far the end of a server has come; it only goes up.
type phase uint8

const (
	serving  phase = iota
	draining       // accepts nothing, and waits for its handlers until the grace is over
	closed         // has cancelled its handlers
)

// serverKey is the key of the *Server in the context of a handler.
type serverKey struct{}

// Serve listens on address and serves every connection by handler, until ctx is
// cancelled. It is (&Server{}).Serve.
func Serve(ctx context.Context, network, address string, handler Handler) error {
	return (&Server{}).Serve(ctx, network, address, handler)
}

// Serve listens on address and serves every connection. It is Listen and
// ServeListener. If the server is ended while Listen looks up a name, Serve returns
// when Listen has its answer.
func (srv *Server) Serve(ctx context.Context, network, address string, handler Handler) error {
	mustHandle(handler) // before there is a listener to close
	srv.enter(task.Self(ctx))
	ln, err := srv.Listen.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.ServeListener(ctx, ln, handler)
}

// ServeListener serves the connections of ln, and closes ln in the end. It returns
// when the last handler of ln has ended:
//   - after a cancel of ctx, the [*task.Canceled];
//   - if accepting fails for good, that error: the server is shut down then, too;
//   - after Shutdown, Close, or a Close of ln, which ends accepting only: nil.
//
// If the grace was over before, it returns the [*LeftError], joined with the error
// that there is besides.
//
// Several listeners may be served at a time, each by one ServeListener. If another
// server or a task in Accept accepts from ln already, the error is a [*BusyError], and
// ln stays open. If the server has ended before, ServeListener closes ln and returns
// nil, or the [*task.Canceled].
//
// A cancel of ctx does not reach the handlers before the grace is over: see
// [UntilShutdown].
func (srv *Server) ServeListener(ctx context.Context, ln *Listener, handler Handler) error {
	mustHandle(handler)
	r, _ := task.Checkpoint(ctx) // counts the call; a cancel ends it below, like one that comes later
	if r.Loop() != ln.loop {
		misuse("%v of %v serves a listener of %v; use a Portal between loops", r, r.Loop(), ln.loop)
	}
	srv.enter(r)
	err := ln.busy(r)
	if err != nil {
		return err
	}
	if srv.phase != serving {
		if !ln.closed {
			err = ln.Close()
		}
		return join(task.Check(ctx), err)
	}
	l := &servedListener{server: srv, task: r, listener: ln, handler: handler, name: nameOf(handler)}
	ln.served = l
	srv.loop = r.Loop()
	srv.served = append(srv.served, l)
	defer srv.forget(l)
	return l.run(ctx)
}

func mustHandle(handler Handler) {
	if handler == nil {
		misuse("a server needs a handler")
	}
}

// enter panics if r, a task that uses the server, has another loop.
func (srv *Server) enter(r *task.Ref) {
	if srv.loop != nil && srv.loop != r.Loop() {
		misuse("%v of %v uses a server of %v; use a Portal between loops, or a server for each loop", r, r.Loop(), srv.loop)
	}
}

func (srv *Server) forget(l *servedListener) {
	l.listener.served = nil
	srv.served = slices.DeleteFunc(srv.served, func(other *servedListener) bool { return other == l })
	if len(srv.served) > 0 {
		return
	}
	if srv.graceTimer != nil {
		srv.graceTimer.Cancel()
	}
	srv.ended.WakeAll()
}
