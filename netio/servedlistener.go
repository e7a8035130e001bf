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

// How long a server pauses that has run out of something, at first and at most. The
// pause doubles in between, as in package net/http: an accept at once would fail again,
// since the connection stays in the kernel's queue.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// shortageQuiet is how long there must be no shortage before one is reported again.
const shortageQuiet = time.Minute

// A service is one ServeListener at work.
type servedListener struct {
	server   *Server
	task     *task.Ref // whose call it is
	listener *Listener
	handler  Handler
	name     string // of the handler, for the names of its tasks
	scope    *task.ScopeRef
	conns    []*servedConn // at work, in no order

	// news is where the service's own task waits. The end of a session wakes it, and
	// so does a Close of the listener.
	changed task.WaitQueue
}

// nameOf returns the name of a handler as tasks are named: its package and
// function, without the path. It is looked up once and not for each connection.
func nameOf(h Handler) string {
	full := runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name()
	return full[strings.LastIndexByte(full, '/')+1:]
}

// run serves from the first connection to the end of the last one. The handlers are
// shielded from a cancel of ctx: Server.close cancels them, after the grace. The
// shield itself has no bound.
func (l *servedListener) run(ctx context.Context) error {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	var outcome error // stays out of the scope, which would cancel the handlers for it
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

// serve starts a session for every connection, and returns when the listener is
// closed and the last session has ended. It runs under the caller's own ctx, outside
// of the shield: a cancel ends it at once. An error is that cancel, or one of accepting
// that waiting cannot cure.
//
// A service that is full leaves connections in the kernel's queue, where they cost no
// descriptor; those that are there when the listener closes are reset.
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
	return task.Check(ctx) // the listener may have been closed in the turn of a cancel
}

func (l *servedListener) isFull() bool {
	most := l.server.MaxConns
	return most > 0 && len(l.conns) >= most
}

// pause waits for d, or until a connection ends, which gives a descriptor back, or
// until the listener is closed. The error is a cancel of ctx.
func (l *servedListener) pause(ctx context.Context, d time.Duration) error {
	timed, release := await.WithTimeout(ctx, d)
	defer release()
	_ = l.changed.Wait(timed, l) // fails when d has passed, or if ctx is cancelled
	return task.Check(ctx)
}

// isShortage reports whether err will pass when others have given something
// back: descriptors of this process or of the machine, memory of the kernel
// (accept(2)), or what a user may watch (ENOSPC, epoll_ctl(2)).
func isShortage(err error) bool {
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC)
}

// Reason and Owners make a service a task.Reason.
func (l *servedListener) Reason() string {
	return fmt.Sprintf("the end of its connections, %d left", len(l.conns))
}

// Owners are the tasks that serve the connections.
func (l *servedListener) Owners() []*task.Ref {
	all := make([]*task.Ref, len(l.conns))
	for i, s := range l.conns {
		all[i] = s.task
	}
	return all
}
