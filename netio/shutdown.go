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

// ErrShutdown is the cause when a server cancels its handlers or the contexts of
// UntilShutdown.
var ErrShutdown = errors.New("netio: the server was shut down")

// A LeftError is returned if a server's Grace ended before all its handlers did. The server
// has cancelled these handlers and reset their connections.
type LeftError struct {
	Conns int           // how many connections were cut off
	Grace time.Duration // how long the handlers could continue
}

// Error returns the number of connections and the grace.
func (e *LeftError) Error() string {
	plural := "s"
	if e.Conns == 1 {
		plural = ""
	}
	return fmt.Sprintf("netio: serve: %d connection%s cut off after a grace of %v", e.Conns, plural, e.Grace)
}

// Close ends the server at once: it closes the listeners, cancels the handlers and resets
// their connections. It does not wait for the handlers; ServeListener does.
func (srv *Server) Close() error {
	if srv.loop != nil {
		mustHold(srv.loop, "Server.Close", (*shutdownWait)(srv))
	}
	return srv.close()
}

// Shutdown ends the server gracefully: it closes the listeners, and waits until the
// handlers have ended. If they have not ended when Grace is over, the server does what
// Close does, and Shutdown returns a [*LeftError]. Otherwise it returns nil, unless a
// listener could not be closed.
//
// If ctx is cancelled while Shutdown waits, the server does not wait for the rest of Grace.
// Shutdown returns the [*task.Canceled], joined with the LeftError. If ctx is already
// cancelled, Shutdown begins the end and returns without waiting, so it may be deferred.
//
// A handler must not call Shutdown: it would wait for itself. Shutdown panics then. To end
// its own server, a handler cancels the ctx of Serve.
func (srv *Server) Shutdown(ctx context.Context) error {
	r, canceled := task.Checkpoint(ctx)
	srv.mustOwn(r)
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

// UntilShutdown returns a context for a handler, or for a task of a handler. The server
// cancels it at once when it begins to end, with ErrShutdown as the cause.
//
// Wait for the next request under this context, and answer under ctx. A cancelled Read has
// read nothing, so an idle connection can say goodbye and end at once. Outside a handler
// the context ends only with ctx. The caller must call release, which ends the context.
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

// shutdown begins the end and does not wait. The error comes from closing the listeners.
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

// sayGoodbye is the task of OnShutdown. It fails only with a Goexit: any other error would
// end the connections too.
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

// closeAfterGrace is close when the grace is over. It counts the connections that it cuts
// off.
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

// close cancels the handlers before it resets their connections, so that a handler that
// waits for its connection is cancelled with ErrShutdown.
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

// stopServing closes the listeners, and cancels the contexts of UntilShutdown.
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

// shutdownWait is a server as the task.Reason of Shutdown: the end of all its connections.
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
