// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/internal/bridge"
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
		mustHold(srv.loop, "Server.Close", (*crowd)(srv))
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
	for canceled == nil && len(srv.services) > 0 {
		if canceled = srv.ended.Wait(ctx, (*crowd)(srv)); canceled != nil {
			srv.cut()
		}
	}
	return join(join(canceled, err), srv.left)
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
		mustHold(srv.loop, "the release of UntilShutdown", (*crowd)(srv))
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
	err := srv.announce()
	if len(srv.services) > 0 {
		srv.drained = srv.loop.Time()
		srv.cutter = srv.loop.CallLater(srv.grace(), srv.cut)
	}
	return err
}

// cut is close at the end of the grace: it counts the connections that are cut off.
func (srv *Server) cut() {
	n := 0
	for _, v := range srv.services {
		n += len(v.sessions)
	}
	if srv.phase != closed && n > 0 {
		srv.left = &LeftError{Conns: n, Grace: min(srv.loop.Time().Sub(srv.drained), srv.grace())}
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
	for _, v := range srv.services {
		for _, c := range v.sessions {
			c.task.Cancel(ErrShutdown)
			if !c.stream.closed {
				_ = c.stream.Abort() // nothing can be done about an error
			}
		}
	}
	return srv.announce()
}

// announce closes the listeners, and cancels the contexts of UntilShutdown.
func (srv *Server) announce() (err error) {
	for _, v := range srv.services {
		if !v.listener.closed {
			err = join(err, v.listener.Close())
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
type crowd Server

// String names the server by its first listener.
func (c *crowd) String() string {
	if len(c.services) == 0 {
		return "a server without listeners"
	}
	return c.services[0].listener.String()
}

func (c *crowd) Reason() string {
	return fmt.Sprintf("the end of its connections, %d left", len(c.Owners()))
}

func (c *crowd) Owners() (all []*task.Ref) {
	for _, v := range c.services {
		all = append(all, v.Owners()...)
	}
	return all
}
