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

	"baton/await"
	"baton/task"
)

// A server that has run out of something pauses for firstPause at first, and for
// longestPause at most. The pause doubles, as in package net/http. Without it, accept would
// fail again at once, because the connection stays in the kernel's queue.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// shortageQuiet is how long there must be no shortage before the server reports one again.
const shortageQuiet = time.Minute

// A servedListener is one running ServeListener.
type servedListener struct {
	server   *Server
	task     *task.Ref // that called ServeListener
	listener *Listener
	handler  Handler
	name     string // of the handler, used for the names of its tasks
	scope    *task.ScopeRef
	conns    []*servedConn // being served, in no order

	// changed is where the task waits. The end of a connection wakes it, and a Close of the
	// listener.
	changed task.WaitQueue
}

// nameOf returns the name for the tasks of a handler: its package and function, without the
// path. It is called once for each ServeListener.
func nameOf(h Handler) string {
	full := runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name()
	return full[strings.LastIndexByte(full, '/')+1:]
}

// run serves until the last connection has ended. The handlers are shielded from a cancel
// of ctx: Server.close cancels them after the grace. The shield itself has no time limit.
func (l *servedListener) run(ctx context.Context) error {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	// outcome is not returned from the scope, because the scope would cancel the handlers.
	var outcome error
	err := task.Scope(context.WithValue(shielded, serverKey{}, l.server), func(inner context.Context) error {
		l.scope = task.ScopeOf(inner)
		returned := false
		defer func() {
			if !returned { // Goexit, in OnError
				_ = l.server.close()
			}
		}()
		outcome = l.serve(ctx)
		if outcome != nil {
			outcome = join(outcome, l.server.shutdown())
		}
		returned = true
		return nil
	})
	return join(join(outcome, err), l.server.leftErr)
}

// serve starts a servedConn for every connection. It returns when the listener is closed
// and the last connection has ended. It runs under the caller's ctx, outside the shield,
// so a cancel ends it at once. The error is that cancel, or a permanent error of accepting.
//
// At MaxConns the server leaves connections in the kernel's queue, where they cost no
// descriptor. The kernel resets those that are there when the listener is closed.
func (l *servedListener) serve(ctx context.Context) error {
	var pause time.Duration
	var short time.Time // when the last shortage was
	for !l.listener.closed || len(l.conns) > 0 {
		if l.listener.closed || l.isFull() {
			if err := l.changed.Wait(ctx, l); err != nil {
				return err
			}
			continue
		}
		s, err := l.listener.Accept(ctx)
		switch {
		case err == nil:
			pause = 0
			l.start(s)
		case isShortage(err):
			now := l.listener.loop.Time()
			if short.IsZero() || now.Sub(short) >= shortageQuiet {
				l.server.report(ctx, nil, err)
			}
			short = now
			pause = min(max(2*pause, firstPause), longestPause)
			if err := l.pause(ctx, pause); err != nil {
				return err
			}
		case !errors.Is(err, net.ErrClosed):
			return err
		}
	}
	return task.Check(ctx) // ctx may have been cancelled in the turn in which the listener was closed
}

func (l *servedListener) isFull() bool {
	most := l.server.MaxConns
	return most > 0 && len(l.conns) >= most
}

// pause waits for d, or until a connection ends and frees a descriptor, or until the
// listener is closed. The error is a cancel of ctx.
func (l *servedListener) pause(ctx context.Context, d time.Duration) error {
	timed, release := await.WithTimeout(ctx, d)
	defer release()
	if !l.listener.closed { // OnError may have closed it
		_ = l.changed.Wait(timed, l) // fails if d has passed or ctx is cancelled
	}
	return task.Check(ctx)
}

// isShortage reports whether err may pass when others release a resource: descriptors of
// this process or of the machine, memory of the kernel (accept(2)), or the user's epoll
// watches (ENOSPC, epoll_ctl(2)).
func isShortage(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC)
}

// Reason and Owners make a servedListener a task.Reason.
func (l *servedListener) Reason() string {
	return fmt.Sprintf("the end of its connections, %d left", len(l.conns))
}

// Owners returns the tasks that serve the connections.
func (l *servedListener) Owners() []*task.Ref {
	all := make([]*task.Ref, len(l.conns))
	for i, s := range l.conns {
		all[i] = s.task
	}
	return all
}
