// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"time"

	"baton/loop"
	"baton/task"
)

// How long a server pauses that has run out of something, at first and at most. It
// doubles in between, as package net/http has it: at once again would keep the
// processor busy for nothing, since the connection stays in the kernel's queue and
// accept fails as before.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// A service is one ServeListener at work.
type service struct {
	server   *Server
	task     *task.Ref // whose call it is
	listener *Listener
	handler  Handler
	name     string // of the handler, for the names of its tasks
	scope    *task.ScopeRef
	phase    phase
	drained  time.Time  // when the grace began; zero before
	sessions []*session // at work, in no order

	// news is where the service's own task waits: for room for one more
	// connection, for descriptors, and in the end for the last one to go.
	news task.WaitQueue
}

// nameOf returns the name of a handler as tasks are named: its package and
// function, without the path. It is looked up once and not for each connection.
func nameOf(h Handler) string {
	full := runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name()
	return full[strings.LastIndexByte(full, '/')+1:]
}

// run serves from the first connection to the end of the last one. The handlers
// are shielded from a cancel of ctx: they are cancelled by cut, after the grace.
// The shield itself has no bound, for the grace is the bound. The error says how it
// ended, in the order in which things happened: accepting, the end of the
// listener, the grace, and whatever was left.
func (v *service) run(ctx context.Context) error {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	var outcome error // stays out of the scope: there it would cancel the handlers
	err := task.Scope(shielded, func(inner context.Context) error {
		v.scope = task.ScopeOf(inner)
		accepted := false
		defer func() {
			if !accepted { // Goexit, of whoever is told of an error: nobody else closes
				_ = v.advance(aborted)
			}
		}()
		outcome = v.accept(ctx)
		accepted = true
		if outcome != nil {
			v.phase = max(v.phase, draining)
		}
		if !v.listener.closed {
			outcome = join(outcome, v.listener.Close())
		}
		left, err := v.drain(ctx, inner)
		outcome = join(outcome, err)
		switch {
		case left == nil:
		case outcome != nil || v.server.waiting == 0:
			outcome = join(outcome, left)
		default:
			left.addTo(&v.server.left) // a Shutdown waits, at this moment, and says so
		}
		return nil
	})
	if err == ErrShutdown {
		err = nil
	}
	return join(outcome, err)
}

// accept runs under the caller's own ctx, outside the shield: a cancel ends it
// at once. It starts a session for every connection. It returns nil when
// somebody has closed the listener, and otherwise what ends the server: the cancel
// of ctx, or an error of accepting that waiting cannot cure. The connections that
// are being served are not its business.
//
// A sole service without room leaves connections in the kernel's queue, where they
// cost no descriptor; those still there when the listener closes are reset.
func (v *service) accept(ctx context.Context) error {
	var pause time.Duration
	for {
		if err := v.await(ctx, func() bool { return !v.sole() || v.server.room.free(v) }); err != nil {
			return err
		}
		s, err := v.listener.Accept(ctx)
		switch {
		case err == nil:
			pause = 0
			if err := v.admit(ctx, s); err != nil {
				return err
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case isShortage(err):
			if pause == 0 { // once for each shortage
				v.server.report(ctx, nil, err)
			}
			pause = min(max(2*pause, firstPause), longestPause)
			if err := v.pause(ctx, pause); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// pause waits for d, at most: the end of a connection gives a descriptor back,
// and the end of the server must not wait. The error is the cancel of ctx.
func (v *service) pause(ctx context.Context, d time.Duration) error {
	bounded, _, release := limited(ctx, d) // d is positive
	defer release()
	if err := v.news.Wait(bounded, v); !task.Own(bounded, err) {
		return err
	}
	return task.Check(ctx)
}

// isShortage reports whether err will pass when others have given something
// back: descriptors of this process or of the machine, memory of the kernel
// (accept(2)), or what a user may watch (ENOSPC, epoll_ctl(2)).
func isShortage(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC)
}

// drain is the end of a service. The phase may go up while it waits, by a Close,
// a Shutdown or an Abort of some other task, or a cancel of ctx; advance wakes
// it then, and it looks again. It waits for the last handler, as long as the
// phase allows, and returns how many it had to cancel at the end of the grace,
// and the cancel of ctx if it came meanwhile. ctx may be cancelled before; inner
// is not.
func (v *service) drain(ctx, inner context.Context) (left *LeftError, canceled error) {
	var bounded context.Context // with the grace, from the moment it begins
	for len(v.sessions) > 0 && v.phase < aborted {
		if v.phase < draining {
			if canceled = v.news.Wait(ctx, v); canceled != nil {
				v.phase = max(v.phase, draining)
			}
			continue
		}
		if bounded == nil {
			var release context.CancelFunc
			v.drained = task.Now(inner)
			bounded, release = task.WithDeadline(inner, loop.After(v.drained, v.server.grace()), nil)
			defer release()
		}
		if v.news.Wait(bounded, v) != nil && v.phase < aborted {
			left = v.cut()
		}
	}
	return left, canceled
}

// advance takes the service to a phase of its end, from any task or callback of the
// loop; it does not switch. A phase it has passed already changes nothing. The
// error is that of closing the listener.
func (v *service) advance(p phase) error {
	v.phase = max(v.phase, p)
	if v.phase == aborted {
		for _, s := range v.sessions {
			if !s.stream.closed {
				_ = s.stream.Abort() // there is nobody left to tell
			}
		}
		v.cut()
	}
	v.news.WakeAll()
	if v.listener.closed {
		return nil
	}
	return v.listener.Close()
}

// cut cancels the handlers, and does not wait for them. Their connections are
// closed when they have ended, so a handler can still say goodbye, under a Shield.
// It returns how many there were, nil for none, to the first who cuts: that one
// tells.
func (v *service) cut() (left *LeftError) {
	if v.phase < aborted && len(v.sessions) > 0 {
		left = &LeftError{Conns: len(v.sessions)}
		if !v.drained.IsZero() {
			left.Grace = min(v.listener.loop.Time().Sub(v.drained), v.server.grace())
		}
	}
	v.phase = aborted
	if v.scope != nil { // else there is no handler yet
		v.scope.Cancel(ErrShutdown)
	}
	v.news.WakeAll()
	return left
}

// mustNotServe panics if r, which is to wait for the end of v, serves one of its
// connections, and so would wait for itself.
func (v *service) mustNotServe(ctx context.Context, r *task.Ref) {
	scope := *task.ScopeOf(ctx)
	for _, c := range v.sessions {
		if c.task == r || c.scope == scope {
			misuse("Shutdown by %v, which serves %v and would wait for itself; use Server.Close, or a task outside of the handlers",
				r, c.stream)
		}
	}
}

// Reason and Owners make a service a task.Reason.
func (v *service) Reason() string {
	return fmt.Sprintf("the end of its connections, %d left", len(v.sessions))
}

// Owners are the tasks that serve the connections.
func (v *service) Owners() []*task.Ref {
	all := make([]*task.Ref, len(v.sessions))
	for i, s := range v.sessions {
		all[i] = s.task
	}
	return all
}
