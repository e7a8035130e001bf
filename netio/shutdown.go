// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/internal/bridge"
	"baton/internal/stack"
	"baton/loop"
	"baton/task"
)

const defaultGrace = 30 * time.Second

// ErrShutdown is the cause with which a server cancels its handlers, and the contexts
// of UntilShutdown.
var ErrShutdown = errors.New("netio: the server was shut down")

// A LeftError says that the grace of a server was over before all its handlers had
// ended, and that it has cut off their connections.
type LeftError struct {
	Conns int           // how many connections were cut off
	Grace time.Duration // how long they had been given
}

// Error says how many, after what time.
func (e *LeftError) Error() string {
	plural := "s"
	if e.Conns == 1 {
		plural = ""
	}
	return fmt.Sprintf("netio: serve: %d connection%s cut off after a grace of %v", e.Conns, plural, e.Grace)
}

// Close ends the server at once, as the documentation of Server says. It does not
// wait for the handlers to end: ServeListener does.
func (srv *Server) Close() error {
	if srv.loop != nil {
		mustHold(srv.loop, "Server.Close", (*shutdownWait)(srv))
	}
	return srv.close()
}

// Shutdown ends the server gracefully, as the documentation of Server says, and waits
// for the end. It returns nil or the [*LeftError], as ServeListener does.
//
// If ctx is cancelled while Shutdown waits, the grace is over: Shutdown does what Close
// does, and returns the [*task.Canceled], joined with the LeftError. If ctx was
// cancelled before, Shutdown begins the end and does not wait. So it may be deferred.
//
// A handler must not call Shutdown, which would wait for the handler, and panics. To
// end its own server, a handler cancels the ctx of Serve.
func (srv *Server) Shutdown(ctx context.Context) error {
	r, canceled := task.Checkpoint(ctx)
	srv.enter(r)
	if ctx.Value(serverKey{}) == srv {
		misuse("Shutdown by %v, a handler of this server, would wait for itself; cancel the ctx of Serve", r)
	}
	err := srv.shutdown()
	for canceled == nil && len(srv.served) > 0 {
		if canceled = srv.ended.Wait(ctx, (*shutdownWait)(srv)); canceled != nil {
			srv.closeAfterGrace()
		}
	}
	return join(join(canceled, err), srv.leftErr)
}

// UntilShutdown returns a context for the handler of a server, or a task of the
// handler. It is cancelled as soon as the end of the server begins, with ErrShutdown as
// the cause. Wait for the next request under it, and answer under ctx: a Read that is
// cancelled has read nothing, so an idle connection can say goodbye and end at once.
// Outside of a handler the context ends with ctx only. Release must be called; it ends
// the context.
func UntilShutdown(ctx context.Context) (until context.Context, release context.CancelFunc) {
	until, cancel, end := bridge.WithCancel(ctx)
	srv, served := ctx.Value(serverKey{}).(*Server)
	switch {
	case !served:
		return until, end
	case srv.phase != serving:
		cancel(ErrShutdown)
		return until, end
	}
	watcher := srv.watchers.PushBack(cancel)
	return until, func() {
		mustHold(srv.loop, "the release of UntilShutdown", (*shutdownWait)(srv))
		srv.watchers.Remove(watcher)
		end()
	}
}

// shutdown begins the end, and does not wait. The error is that of closing the
// listeners.
func (srv *Server) shutdown() error {
	if srv.Grace < 0 {
		return srv.close()
	}
	if srv.phase != serving {
		return nil
	}
	srv.phase = draining
	err := srv.stopServing()
	if len(srv.served) > 0 {
		srv.shutdownTime = srv.loop.Time()
		srv.graceTimer = srv.loop.CallLater(srv.grace(), srv.closeAfterGrace)
		if srv.OnShutdown != nil {
			srv.onShutdownTask = srv.served[0].scope.Go(srv.sayGoodbye)
			srv.onShutdownTask.SetName("OnShutdown of a server")
		}
	}
	return err
}

// sayGoodbye is the task of OnShutdown. It fails only by a Goexit: another error would take
// the connections with it.
func (srv *Server) sayGoodbye(ctx context.Context) error {
	defer func() {
		if v := recover(); v != nil {
			(&task.PanicError{Value: v, Stack: stack.OfPanic(), Task: srv.onShutdownTask.String()}).Report(ctx)
		}
	}()
	err := task.Scope(ctx, func(ctx context.Context) error {
		srv.OnShutdown(ctx)
		return nil
	})
	if errors.Is(err, task.ErrGoexit) {
		return err
	}
	if p, ok := errors.AsType[*task.PanicError](err); ok {
		p.Report(ctx)
	} else if err != nil && !isShutdown(err, task.Check(ctx) != nil) {
		srv.loop.CallExceptionHandler(loop.Exception{Message: "netio: OnShutdown of a server", Err: err})
	}
	return nil
}

// cut is close at the end of the grace: it counts the connections that are cut off.
func (srv *Server) closeAfterGrace() {
	n := 0
	for _, l := range srv.served {
		n += len(l.conns)
	}
	if srv.phase != closed && n > 0 {
		srv.leftErr = &LeftError{Conns: n, Grace: min(srv.loop.Time().Sub(srv.shutdownTime), srv.grace())}
	}
	_ = srv.close() // the listeners are closed already
}

// close cancels the handlers before it resets their connections: a handler that waits
// for its connection is then cancelled with ErrShutdown.
func (srv *Server) close() error {
	if srv.phase == closed {
		return nil
	}
	srv.phase = closed
	if srv.onShutdownTask != nil {
		srv.onShutdownTask.Cancel(ErrShutdown)
	}
	for _, l := range srv.served {
		for _, c := range l.conns {
			c.task.Cancel(ErrShutdown)
			if !c.stream.closed {
				_ = c.stream.Abort() // nothing can be done about an error
			}
		}
	}
	return srv.stopServing()
}

// announce closes the listeners, and cancels the contexts of UntilShutdown.
func (srv *Server) stopServing() (err error) {
	for _, l := range srv.served {
		if !l.listener.closed {
			err = join(err, l.listener.Close())
		}
	}
	for at := srv.watchers.Front(); at != nil; at = at.Next() {
		at.Value.(func(error))(ErrShutdown)
	}
	return err
}

func (srv *Server) grace() time.Duration {
	if srv.Grace == 0 {
		return defaultGrace
	}
	return srv.Grace
}

// A crowd is a server as what Shutdown waits for: the ends of all its connections.
type shutdownWait Server

// String names the server by its first listener.
func (c *shutdownWait) String() string {
	if len(c.served) == 0 {
		return "a server without listeners"
	}
	return c.served[0].listener.String()
}

func (c *shutdownWait) Reason() string {
	return fmt.Sprintf("the end of its connections, %d left", len(c.Owners()))
}

func (c *shutdownWait) Owners() (all []*task.Ref) {
	for _, l := range c.served {
		all = append(all, l.Owners()...)
	}
	return all
}
