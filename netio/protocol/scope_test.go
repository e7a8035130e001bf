// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// A cancel of the scope aborts its transports and servers, and the scope waits for ConnectionLost.
func TestCancelOfTheScopeAbortsTransports(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		near, far, idle := &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t}
		for _, c := range []*protocoltest.Checker{near, far} {
			c.OnReceive = func(ctx context.Context, _ []byte) error { return await.Forever(ctx) }
		}
		far.OnMade = func() { far.Transport.PauseReading() }
		var srv *protocol.Server
		err := task.Scope(ctx, func(ctx context.Context) error {
			var err error
			config := shrunk(ctx, protocol.Config{})
			srv, err = config.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base { return of(far) })
			must(t, err)
			tr, err := config.Connect(ctx, "tcp", srv.Addr().String(), func() protocol.Base { return of(near) })
			must(t, err)
			crowd(ctx, t, tr)
			_, err = far.Transport.Write([]byte("x"))
			must(t, err)
			pair(ctx, t, protocol.Config{}, of(idle))
			turns(ctx, t, 5)
			task.ScopeOf(ctx).Cancel(errBoom)
			if near.Lost() || far.Lost() {
				t.Error("ConnectionLost within Cancel")
			}
			return nil
		})
		if err != errBoom {
			t.Errorf("Scope = %v", err)
		}
		for i, c := range []*protocoltest.Checker{near, far, idle} {
			canceled, ok := c.Err.(*task.Canceled)
			if !c.Lost() || !ok || !errors.Is(canceled, errBoom) {
				t.Errorf("%d: lost %v, with %v", i, c.Lost(), c.Err)
			}
		}
		if srv.IsServing() {
			t.Error("the server still serves")
		}
		srv.Close()
		must(t, srv.Wait(ctx))
	})
}

// If a cancel of an outer scope has aborted transports, the scope returns that cancel.
func TestCancelOfAnOuterScopeIsReturned(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		timed, release := await.WithTimeout(ctx, time.Hour)
		defer release()
		err := task.Scope(timed, func(ctx context.Context) error {
			pair(ctx, t, protocol.Config{}, c.Plain())
			await.Reschedule(timed, task.Now(ctx))
			return nil
		})
		if _, ok := err.(*task.Canceled); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Scope = %v, want the cancel", err)
		}
		if !c.Lost() || c.Err != err {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
	})
}

// A scope whose function has returned waits for the end of its transports, which continue.
func TestScopeWaitsForItsTransports(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		var s *netio.Stream
		ended := false
		join := goTask(ctx, func(ctx context.Context) error {
			defer func() { ended = true }()
			return task.Scope(ctx, func(inner context.Context) error {
				ln, err := netio.Listen(inner, "tcp", "127.0.0.1:0")
				must(t, err)
				defer ln.Close()
				_, err = protocol.Connect(inner, "tcp", ln.Addr().String(), func() protocol.Base { return of(c) })
				must(t, err)
				s, err = ln.Accept(inner)
				return err
			})
		})
		until(ctx, t, func() bool { return s != nil })
		turns(ctx, t, 10)
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilData(ctx, 1))
		if ended || c.Lost() {
			t.Error("the scope has ended before its transport")
		}
		must(t, s.Close())
		must(t, join(ctx))
		if !c.Lost() || c.Err != nil {
			t.Errorf("lost: %v, %v", c.Lost(), c.Err)
		}
	})
}

// After Connect has returned, a deadline of its ctx has no effect on the transport.
func TestTransportOutlivesTheTimeoutOfItsConnect(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		var s *netio.Stream
		must(t, await.Timeout(ctx, time.Hour, func(ctx context.Context) error {
			s, _ = pair(ctx, t, protocol.Config{}, of(c))
			return nil
		}))
		timed, release := await.WithTimeout(ctx, time.Hour)
		defer release()
		other := &protocoltest.Checker{T: t}
		far, _ := pair(timed, t, protocol.Config{}, of(other))
		await.Reschedule(timed, task.Now(ctx))
		wantErr(t, "the ctx of Connect", task.Check(timed), context.DeadlineExceeded)
		turns(ctx, t, 5)
		for _, s := range []*netio.Stream{s, far} {
			write(ctx, t, s, []byte("fine"))
		}
		must(t, c.UntilData(ctx, 4))
		must(t, other.UntilData(ctx, 4))
		must(t, s.Close())
		must(t, far.Close())
		must(t, c.UntilLost(ctx))
		must(t, other.UntilLost(ctx))
		if c.Err != nil || other.Err != nil {
			t.Error(c.Err, other.Err)
		}
	})
}

// A transport that is made in a cancelled scope ends in order.
func TestTransportOfACancelledScope(t *testing.T) {
	for _, before := range []bool{false, true} { // whether a guard is running before
		eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
			c, other := &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t}
			other.OnReceive = func(ctx context.Context, _ []byte) error {
				shielded, release := task.Shield(ctx, -1)
				defer release()
				turns(shielded, t, 100) // the guard waits for this
				return nil
			}
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			must(t, err)
			defer ln.Close()
			connect := func(ctx context.Context, p protocol.Base) (*protocol.Transport, error) {
				return protocol.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return p })
			}
			err = task.Scope(ctx, func(ctx context.Context) error {
				shielded, release := task.Shield(ctx, -1)
				defer release()
				if before {
					_, err := connect(ctx, other.Task())
					must(t, err)
					s, err := ln.Accept(ctx)
					must(t, err)
					write(ctx, t, s, []byte("x"))
					must(t, other.UntilData(ctx, 1))
				}
				task.ScopeOf(ctx).Cancel(errBoom)
				if tr, err := connect(ctx, of(c)); tr != nil || !errors.Is(err, errBoom) {
					t.Errorf("Connect = %v, %v", tr, err)
				}
				if len(c.Calls) > 0 {
					t.Errorf("calls %v of a Connect that was refused", c.Calls)
				}
				_, _ = connect(shielded, of(c))
				return nil
			})
			if err != errBoom {
				t.Errorf("Scope = %v", err)
			}
			want := []string{"ConnectionMade", "ConnectionLost"}
			if !slices.Equal(c.Calls, want) || !errors.Is(c.Err, errBoom) {
				t.Errorf("calls %v, %v", c.Calls, c.Err)
			}
		})
	}
}

// A scope may get new transports after the last one has ended.
func TestScopeHasTransportsAgain(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		for range 3 {
			works(ctx, t, func(c *protocoltest.Checker) protocol.Base { return c.Plain() })
			turns(ctx, t, 5)
		}
		if n := len(task.ScopeOf(ctx).Tasks()); n > 0 {
			t.Errorf("%d tasks are left", n)
		}
	})
}

// A paused transport to which the program has no reference is a deadlock, and the error reports
// it.
func TestUnreferencedPausedTransportIsADeadlock(t *testing.T) {
	c := &protocoltest.Checker{T: t}
	err := task.Run(context.Background(), func(ctx context.Context) error { // without an external source
		near, far := streams(ctx, t)
		d, err := near.Detach(ctx)
		must(t, err)
		c.OnMade = func() { c.Transport.PauseReading() }
		_, err = protocol.Attach(ctx, d, c.Plain())
		must(t, err)
		return far.Close()
	})
	if dead, ok := errors.AsType[*task.DeadlockError](err); !ok || !errors.As(c.Err, &dead) {
		t.Errorf("Run = %v; ConnectionLost with %v", err, c.Err)
	}
}
