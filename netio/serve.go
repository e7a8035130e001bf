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

// A Handler serves one connection. It runs as its own task, in its own scope. The server
// closes the stream when the handler and the tasks that it started have ended.
type Handler = func(ctx context.Context, s *Stream) error

// A Server accepts connections and runs a handler as a task for each. The zero value is
// ready to use. A server belongs to the loop of its first ServeListener.
//
// A server ends in one of two ways:
//
//   - Close closes the listeners at once, cancels the handlers with ErrShutdown as the
//     cause, and resets their connections.
//   - Shutdown, or a cancel of Serve's ctx, closes the listeners and lets the handlers
//     finish. When Grace is over, the server does what Close does.
//
// Serve and Shutdown return when the last handler has ended. They return a [*LeftError] if
// connections were cut off because Grace was over. A server that has ended cannot serve
// again.
//
// An error of a handler ends only its own connection. The server reports the error to
// OnError, except:
//
//   - the usual end of a connection, which is io.EOF, or a [*net.OpError] of this
//     connection with net.ErrClosed, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH,
//     ENETUNREACH or os.ErrDeadlineExceeded, exactly as the stream returned it;
//   - an error that only says that the server ends: the handler's [*task.Canceled],
//     context.Canceled or ErrShutdown, also wrapped in another error.
//
// To have the usual end of a connection reported, wrap its error.
//
// A panic of a handler is reported with its stack. A runtime.Goexit in a handler or in
// OnError, such as t.FailNow, closes the server, and ServeListener returns
// [task.ErrGoexit].
//
// If the server runs out of descriptors, memory or epoll watches (EMFILE, ENFILE, ENOBUFS,
// ENOMEM, ENOSPC), it pauses for at most a second and tries again. It reports the shortage
// once, and again only after a minute without one.
type Server struct {
	// Listen configures the listener of Serve.
	Listen ListenConfig

	// TLS, if not nil, makes the server start TLS on each connection, before the handler
	// begins. The handshake runs in the connection's task. A failed handshake is reported
	// like an error of the handler, unless the client only disconnected or stayed silent.
	// To replace certificates while the server runs, use GetCertificate or
	// GetConfigForClient.
	TLS *tls.Config

	// MaxConns is how many connections of each listener are served at a time. Further
	// connections wait in the kernel's queue; a listener with several addresses may hold
	// one of them for each address. Zero means no limit. To limit the connections of
	// several listeners together, acquire a locks.Limiter in the handlers.
	MaxConns int

	// Grace is how long handlers may continue after Shutdown. The default is 30 s. If Grace
	// is negative, Shutdown does what Close does and returns no LeftError.
	Grace time.Duration

	// OnShutdown, if not nil, is called when Shutdown, or a cancel of Serve's ctx, begins
	// to end a serving server. Use it to say goodbye to clients whose handlers do not use
	// [UntilShutdown]. It runs as a task beside the handlers. ServeListener and Shutdown
	// wait for it. The end of Grace cancels its ctx. If it panics, or a task that it
	// started fails, the error goes to the loop's exception handler. Close does not call
	// it.
	OnShutdown func(ctx context.Context)

	// OnError receives errors that no call returns: of handlers, and of accepting, with a
	// nil stream. It must not switch. If OnError is nil, these errors go to the loop's
	// exception handler. Panics always go to the exception handler too.
	OnError func(s *Stream, err error)

	loop     *loop.Loop // nil before the first ServeListener
	phase    phase
	served   []*servedListener // one for each running ServeListener
	watchers list.List         // of func(error), which cancel the contexts of UntilShutdown

	shutdownTime   time.Time      // when Shutdown began
	graceTimer     *loop.Handle   // calls closeAfterGrace; nil before Shutdown
	onShutdownTask *task.Ref      // calls OnShutdown; nil before Shutdown
	leftErr        error          // a *LeftError, once closeAfterGrace has cut off connections
	ended          task.WaitQueue // where Shutdown waits
}

// phase says how far the server has ended. It never goes back.
type phase uint8

const (
	serving  phase = iota
	draining       // no longer accepts; waits for the handlers until the grace is over
	closed         // has cancelled the handlers
)

// serverKey is the key of the *Server in a handler's context.
type serverKey struct{}

// Serve listens on address and runs handler for every connection, until ctx is cancelled.
// It is (&Server{}).Serve.
func Serve(ctx context.Context, network, address string, handler Handler) error {
	return (&Server{}).Serve(ctx, network, address, handler)
}

// Serve listens on address and serves every connection. It calls Listen and ServeListener.
// If the server ends while Listen looks up a name, Serve returns when the look-up has
// ended.
func (srv *Server) Serve(ctx context.Context, network, address string, handler Handler) error {
	mustHaveHandler(handler) // before there is a listener to close
	srv.mustOwn(task.Self(ctx))
	ln, err := srv.Listen.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.ServeListener(ctx, ln, handler)
}

// ServeListener serves the connections of ln, and closes ln. It returns when the last
// handler of ln has ended:
//
//   - the [*task.Canceled] if ctx was cancelled;
//   - the error if accepting has failed permanently, which also shuts the server down;
//   - nil after Shutdown or Close, or after a Close of ln, which only stops accepting.
//
// If Grace was over before, it also returns the [*LeftError], joined with any other error.
//
// A cancel of ctx does not reach the handlers until Grace is over: see [UntilShutdown].
//
// A server may serve several listeners, each with one ServeListener. If another server or a
// task in Accept uses ln, ServeListener returns a [*BusyError] and leaves ln open. If the
// server has already ended, ServeListener closes ln and returns nil, or the
// [*task.Canceled].
func (srv *Server) ServeListener(ctx context.Context, ln *Listener, handler Handler) error {
	mustHaveHandler(handler)
	r, _ := task.Checkpoint(ctx) // counts the call; run handles a cancel
	if r.Loop() != ln.loop {
		misuse("%v of %v serves a listener of %v; use a task.Portal between loops", r, r.Loop(), ln.loop)
	}
	srv.mustOwn(r)
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

func mustHaveHandler(handler Handler) {
	if handler == nil {
		misuse("a server needs a handler; pass a Handler that is not nil")
	}
}

// mustOwn panics if r, which uses the server, belongs to another loop.
func (srv *Server) mustOwn(r *task.Ref) {
	if srv.loop != nil && srv.loop != r.Loop() {
		misuse("%v of %v uses a server of %v; use a task.Portal between loops, or a server for each loop", r, r.Loop(), srv.loop)
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
