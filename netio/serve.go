// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/loop"
	"baton/task"
)

const defaultGrace = 30 * time.Second

// A Handler serves one connection. It runs as a task of its own, in a scope of
// its own: the stream is closed when the handler and the tasks it started have
// ended.
type Handler = func(ctx context.Context, s *Stream) error

// A Server accepts connections and serves each by a task. The zero value is
// ready to use. It belongs to the loop of those who serve by it, as long as there are
// any, and is not used again after it was closed.
//
// What a handler returns concerns its own connection only: that is closed, and the
// error is reported, unless it is how connections usually end:
//   - io.EOF or net.ErrClosed;
//   - ECONNRESET or EPIPE, unless in a [*net.OpError] of another connection;
//   - in a [*net.OpError] of this connection, os.ErrDeadlineExceeded, of its own
//     timeouts and deadlines, or ETIMEDOUT, EHOSTUNREACH or ENETUNREACH, with which
//     the peer's machine has gone;
//   - after the handler was cancelled, a [*task.Canceled] or the bare
//     context.Canceled or ErrShutdown.
//
// A handler to which a timeout is more than that says so in an error of its own, and
// one to which another connection's end is less than a failure keeps it to itself. A
// panic is reported with its stack. Neither an error nor a panic ends the server. A
// runtime.Goexit does, as in t.FailNow, in the handler, in OnError, or in a task of
// the handler's that it does not await and forgive: it aborts the listener's
// connections, and ServeListener fails with [task.ErrGoexit].
//
// A server that runs out of descriptors, memory or watches of epoll (EMFILE, ENFILE,
// ENOBUFS, ENOMEM, ENOSPC) reports it, pauses for up to a second, and tries again.
type Server struct {
	// Listen is for Serve.
	Listen ListenConfig

	// MaxConns bounds the connections that are served at a time, over all
	// listeners of the server, which take turns. Further ones wait in the kernel's
	// queue, but for at most one of each address: of several listeners each accepts
	// one to have its place in the line, and of a listener with several addresses
	// those that come together with the one that is served wait in its hands. Zero
	// is no bound. It is not changed once the server serves.
	MaxConns int

	// Grace is how long handlers get to finish by themselves when the server is
	// shut down, before their ctx is cancelled. Default 30 s; negative is none.
	Grace time.Duration

	// OnError is told about errors that have no caller to go to: of handlers,
	// and with a nil stream of accepting. It must not switch. Nil means the
	// loop's exception handler. Panics are always given to that, too.
	OnError func(s *Stream, err error)

	loop     *loop.Loop // of the services, or of the last ones once it has ended; else nil
	phase    phase
	services []*service     // one for each ServeListener at work
	room     room           // for all of them
	left     LeftError      // of whom every Shutdown that waits tells, and no ServeListener
	waiting  int            // how many of those there are
	ended    task.WaitQueue // where they wait for the end
}

// phase is how far the end of a server has come; it only goes up.
type phase uint8

const (
	serving  phase = iota
	closed         // accepts nothing, waits for its handlers without limit
	draining       // waits for them until the grace is over
	aborted        // waits for what it has cancelled
)

// A LeftError says that a server's grace was over before all its handlers had
// ended: they were cancelled.
type LeftError struct {
	Conns int           // how many connections were left
	Grace time.Duration // how long they had been given, at most
}

// Error tells how many, after what time.
func (e *LeftError) Error() string {
	plural := "s"
	if e.Conns == 1 {
		plural = ""
	}
	return fmt.Sprintf("netio: serve: %d connection%s cut off after a grace of %v", e.Conns, plural, e.Grace)
}

// addTo adds it to the sum of several. It may be nil.
func (e *LeftError) addTo(sum *LeftError) {
	if e != nil {
		sum.Conns += e.Conns
		sum.Grace = max(sum.Grace, e.Grace)
	}
}

// ErrShutdown is the cause with which a server cancels its handlers.
var ErrShutdown = errors.New("netio: the server was shut down")

// Serve listens on address and serves every connection by handler, until ctx is
// cancelled. It is (&Server{}).Serve.
func Serve(ctx context.Context, network, address string, handler Handler) error {
	return (&Server{}).Serve(ctx, network, address, handler)
}

// Serve listens on address and serves every connection. It is Listen and
// ServeListener. An end of the server that comes while Listen looks up a name counts
// when that has its answer.
func (srv *Server) Serve(ctx context.Context, network, address string, handler Handler) error {
	mustHandle(handler) // before there is a listener, which nobody would close
	srv.enter(task.Self(ctx))
	ln, err := srv.Listen.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.ServeListener(ctx, ln, handler)
}

// ServeListener serves the connections of ln, which it closes in the end. It
// returns when all handlers have ended:
//   - after a cancel of ctx, which is the same as Shutdown, with the
//     [*task.Canceled], joined with a [*LeftError] if it had to cancel handlers;
//   - after Close, Shutdown and Abort, and after a Close of ln by somebody else, with
//     nil, or with the LeftError that no Shutdown waits to tell;
//   - if accepting fails for good, again after the grace, with that error.
//
// Several listeners may be served at a time. One from which somebody accepts already,
// a server or a task in Accept, stays open and theirs: the error is a [*BusyError].
//
// A server that has ended, perhaps before the task that was to serve has begun,
// serves nothing: ServeListener closes ln and returns the same as if the end had come
// a moment later.
//
// A cancel of ctx reaches the handlers only when the grace is over, so a handler
// that wants to end earlier has to be told so otherwise.
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
			err = ln.Close() // it was given to us
		}
		return join(task.Check(ctx), err)
	}
	v := &service{server: srv, task: r, listener: ln, handler: handler, name: nameOf(handler)}
	ln.service = v
	srv.loop = r.Loop()
	srv.services = append(srv.services, v)
	srv.room.size = srv.MaxConns
	srv.wake() // whoever was alone is not any more
	defer srv.forget(v)
	return v.run(ctx)
}

func mustHandle(handler Handler) {
	if handler == nil {
		misuse("a server needs a handler")
	}
}

func (srv *Server) forget(v *service) {
	v.listener.service = nil
	srv.services = slices.DeleteFunc(srv.services, func(other *service) bool { return other == v })
	if len(srv.services) > 0 {
		return
	}
	srv.ended.WakeAll()
	if srv.phase == serving {
		srv.loop = nil // somebody else may serve by it
	}
}

// Close stops accepting. Connections that are being served are not touched, and
// ServeListener returns when the last of them has ended. A server that is closed
// stays closed.
func (srv *Server) Close() error { return srv.end("Server.Close", closed) }

// Abort ends the server at once: every connection is reset, and every handler is
// cancelled with ErrShutdown as the cause. ServeListener returns when they have
// ended.
func (srv *Server) Abort() error { return srv.end("Server.Abort", aborted) }

func (srv *Server) end(call string, p phase) error {
	if srv.loop != nil {
		mustHold(srv.loop, call, (*crowd)(srv))
	}
	return srv.advance(p)
}

// enter panics if r, a task that uses the server, has another loop, before anything
// is changed.
func (srv *Server) enter(r *task.Ref) {
	switch {
	case srv.loop == nil || srv.loop == r.Loop():
	case srv.loop.IsClosed():
		misuse("%v of %v uses a server of %v, which is closed; make a new server", r, r.Loop(), srv.loop)
	default:
		misuse("%v of %v uses a server of %v; use a Portal between loops", r, r.Loop(), srv.loop)
	}
}

// Shutdown stops accepting and waits until all handlers have ended, at most
// Grace; then it cancels them, with ErrShutdown as the cause, waits for their
// ends, and returns a [*LeftError] about those of whom no ServeListener tells its
// own caller. A cancel of ctx while it waits ends the grace: Shutdown cancels the
// handlers and returns, with the [*task.Canceled], joined with a [*LeftError] if there
// were any. If ctx is cancelled already Shutdown does not wait, and returns the
// [*task.Canceled]: the server ends all the same, within the grace, and ServeListener
// tells who was left. So Shutdown may be deferred.
//
// It is not for the server's handlers: one would wait for itself. In the handler's
// own task, and in those of its scope, that is misuse and panics; those of scopes
// inside it nobody can tell from others. A handler that ends its server uses Close.
func (srv *Server) Shutdown(ctx context.Context) error {
	r, canceled := task.Checkpoint(ctx)
	srv.enter(r)
	for _, v := range srv.services {
		v.mustNotServe(ctx, r)
	}
	err := srv.advance(draining)
	if canceled != nil {
		return join(canceled, err)
	}
	return join(srv.waitEnd(ctx), err)
}

// waitEnd is Shutdown's wait. Whoever waits at the moment of a cut is told of it,
// also if its own cancel comes before the end; who has nothing to wait for comes
// long after those who were told.
func (srv *Server) waitEnd(ctx context.Context) error {
	if len(srv.services) == 0 {
		return nil
	}
	srv.waiting++
	defer func() { srv.waiting-- }()
	var canceled error
	for len(srv.services) > 0 && canceled == nil {
		canceled = srv.ended.Wait(ctx, (*crowd)(srv))
	}
	if canceled != nil {
		for _, v := range srv.services {
			v.cut().addTo(&srv.left)
		}
	}
	if srv.left.Conns == 0 {
		return canceled
	}
	left := srv.left // what a caller has got stays as it is
	return join(canceled, &left)
}

// advance takes the server, and everything it serves, to a phase of its end.
func (srv *Server) advance(p phase) error {
	srv.phase = max(srv.phase, p)
	var err error
	for _, v := range srv.services {
		err = join(err, v.advance(p))
	}
	return err
}

func (srv *Server) grace() time.Duration {
	if srv.Grace == 0 {
		return defaultGrace
	}
	return max(srv.Grace, 0)
}
