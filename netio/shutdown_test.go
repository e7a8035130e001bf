// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// wantLeft checks that err has a LeftError of n connections and grace, or none if n is 0.
func wantLeft(t testing.TB, what string, err error, n int, grace time.Duration) {
	t.Helper()
	if n == 0 {
		grace = 0
	}
	var got netio.LeftError
	if left, found := errors.AsType[*netio.LeftError](err); found {
		got = *left
	}
	if got != (netio.LeftError{Conns: n, Grace: grace}) {
		t.Errorf("%s = %v, want a LeftError with %d connections and the grace %v", what, err, n, grace)
	}
}

// Every call that waits for the end of a server returns how many connections it cut off.
func TestLeft(t *testing.T) {
	const grace = time.Minute
	for _, c := range []struct {
		name                     string
		cancelServe, cancelFirst time.Duration // when; 0 means never
		shutdown                 time.Duration // when both calls begin
		after                    time.Duration // how long the grace was
	}{
		{"cancel, and Shutdown meanwhile", time.Second, 0, 2 * time.Second, grace},
		{"cancel, and Shutdown after it", time.Second, 0, time.Hour, grace},
		{"Shutdown", 0, 0, time.Second, grace},
		{"Shutdown, and cancel meanwhile", 2 * time.Second, 0, time.Second, grace},
		{"Shutdown, canceled", 0, 11 * time.Second, time.Second, 10 * time.Second},
		{"cancel, and Shutdown, canceled", time.Second, 11 * time.Second, 2 * time.Second, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{Grace: grace}, linger(24*time.Hour))
				defer s.greeted(ctx, t).Close()
				defer s.greeted(ctx, t).Close()
				start := task.Now(ctx)
				shutdown := func(ctx context.Context) (error, error) {
					want(t, "sleep", task.ParkUntil(ctx, start.Add(c.shutdown)), nil)
					return s.srv.Shutdown(ctx), nil
				}
				first, second := task.Start(ctx, shutdown), task.Start(ctx, shutdown)
				cancelAt := func(d time.Duration, cancel func(error) bool) {
					if d > 0 {
						task.Loop(ctx).CallLater(d, func() { cancel(nil) })
					}
				}
				cancelAt(c.cancelServe, s.serving.Cancel)
				cancelAt(c.cancelFirst, first.Cancel)

				err := s.end(ctx)
				wantLeft(t, "ServeListener", err, 2, c.after)
				if errors.Is(err, context.Canceled) != (c.cancelServe > 0) {
					t.Errorf("ServeListener = %v, want a cancel: %v", err, c.cancelServe > 0)
				}
				err = must(first.Await(ctx))(t)
				wantLeft(t, "Shutdown", err, 2, c.after)
				if errors.Is(err, context.Canceled) != (c.cancelFirst > 0) {
					t.Errorf("Shutdown = %v, want a cancel: %v", err, c.cancelFirst > 0)
				}
				wantLeft(t, "the second Shutdown", must(second.Await(ctx))(t), 2, c.after)
			})
		})
	}
}

// A deferred Shutdown under a ctx that is already cancelled lets handlers finish. It does not
// wait. ServeListener reports the connections that it had to cut off.
func TestShutdownDeferred(t *testing.T) {
	for _, needs := range []time.Duration{10 * time.Second, time.Hour} {
		t.Run(fmt.Sprint(needs), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				srv := &netio.Server{Grace: time.Minute}
				site := &site{srv: srv, ln: must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)}
				finished := 0
				program := task.Start(ctx, func(ctx context.Context) (int, error) {
					return 0, task.Scope(ctx, func(ctx context.Context) error {
						task.Go(ctx, func(ctx context.Context) error {
							return srv.ServeListener(ctx, site.ln, func(ctx context.Context, s *netio.Stream) error {
								err := linger(needs)(ctx, s)
								if err == nil {
									finished++
								}
								return err
							})
						})
						defer func() {
							if _, bare := srv.Shutdown(ctx).(*task.Canceled); !bare {
								t.Error("Shutdown did not return a bare *task.Canceled")
							}
						}()
						return sleep(ctx, time.Hour)
					})
				})
				defer site.greeted(ctx, t).Close()
				start := task.Now(ctx)
				program.Cancel(nil)
				_, err := program.Await(ctx)
				want(t, "the program", err, context.Canceled)
				left := 1 - finished
				wantLeft(t, "the program", err, left, srv.Grace)
				if took := task.Now(ctx).Sub(start); took != min(needs, srv.Grace) || (left == 0) != (needs < srv.Grace) {
					t.Errorf("%v later %d connections were cut off", took, left)
				}
			})
		})
	}
}

// Close reports no LeftError for the connections that it cuts off, however long their handlers
// clean up, even if a Shutdown follows.
func TestShutdownAfterClose(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, c *netio.Stream) error {
			err := linger(time.Hour)(ctx, c)
			cleanup, release := task.Shield(ctx, -1)
			defer release()
			want(t, "sleep", sleep(cleanup, time.Minute), nil)
			return err
		})
		defer s.greeted(ctx, t).Close()
		want(t, "Close", s.srv.Close(), nil)
		timed, release := await.WithTimeout(ctx, time.Second)
		defer release()
		if _, bare := s.srv.Shutdown(timed).(*task.Canceled); !bare {
			t.Error("Shutdown did not return a bare *task.Canceled")
		}
		start := task.Now(ctx)
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 59*time.Second {
			t.Errorf("the second Shutdown took %v, want 59s", took)
		}
		want(t, "ServeListener", s.end(ctx), nil)
	})
}

// A server that has ended leaves no timer of its grace, so a deadlock is found at once.
func TestShutdownLeavesNoTimer(t *testing.T) {
	world := virtual.New(virtual.Config{})
	began := world.Now()
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		s := serve(ctx, t, &netio.Server{}, linger(time.Second))
		defer s.greeted(ctx, t).Close()
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		var never task.WaitQueue
		return never.Wait(ctx, task.Text("nothing"))
	})
	if _, found := errors.AsType[*task.DeadlockError](err); !found || world.Now().Sub(began) != time.Second {
		t.Errorf("Run returned %[2]v after %[1]v, want a *task.DeadlockError after 1s", world.Now().Sub(began), err)
	}
}

// All listeners of a server return the same LeftError. Its text has a singular.
func TestLeftSum(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		srv := &netio.Server{Grace: time.Second}
		sites := several(ctx, t, 3, srv, linger(time.Hour))
		for _, s := range sites[:2] {
			defer s.greeted(ctx, t).Close()
		}
		wantLeft(t, "Shutdown", srv.Shutdown(ctx), 2, time.Second)
		wantLeft(t, "Shutdown of a server that has ended", srv.Shutdown(ctx), 2, time.Second)
		for i, left := range []int{2, 2, 0} { // the third has ended before the others
			wantLeft(t, fmt.Sprint("ServeListener ", i), sites[i].end(ctx), left, time.Second)
		}
		one := &netio.LeftError{Conns: 1, Grace: time.Second}
		if text := one.Error(); text != "netio: serve: 1 connection cut off after a grace of 1s" {
			t.Errorf("the text is %q", text)
		}
	})
}

// OnShutdown runs as a task from the begin of a Shutdown, at most as long as the grace. The
// server waits for it. Close does not call it, and neither does the Shutdown of a server that
// serves nothing.
func TestOnShutdown(t *testing.T) {
	shutdown := func(ctx context.Context, srv *netio.Server) error { return srv.Shutdown(ctx) }
	for _, c := range []struct {
		name  string
		takes time.Duration // how long the function runs
		end   func(ctx context.Context, srv *netio.Server) error
		calls int
		took  time.Duration
	}{
		{"Shutdown", time.Second, shutdown, 1, time.Second},
		{"a second one", time.Second, func(ctx context.Context, srv *netio.Server) error {
			return errors.Join(srv.Shutdown(ctx), srv.Shutdown(ctx))
		}, 1, time.Second},
		{"longer than the grace", time.Hour, shutdown, 1, time.Minute},
		{"Close", time.Second, func(_ context.Context, srv *netio.Server) error { return srv.Close() }, 0, 0},
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			calls := 0
			srv := &netio.Server{Grace: time.Minute, OnShutdown: func(ctx context.Context) {
				calls++
				err := sleep(ctx, c.takes)
				cut := c.takes > time.Minute
				if cut != errors.Is(context.Cause(ctx), netio.ErrShutdown) || cut != (err != nil) {
					t.Errorf("%s: the function ended with %v, cause %v", c.name, err, context.Cause(ctx))
				}
			}}
			sites := several(ctx, t, 2, srv, linger(0))
			want(t, "sleep", sleep(ctx, 1), nil) // until both serve
			start := task.Now(ctx)
			want(t, c.name, c.end(ctx, srv), nil)
			for _, s := range sites {
				want(t, "ServeListener", s.end(ctx), nil)
			}
			if took := task.Now(ctx).Sub(start); took != c.took || calls != c.calls {
				t.Errorf("%s took %v and called OnShutdown %d times", c.name, took, calls)
			}
			want(t, "Shutdown of a server that has ended", srv.Shutdown(ctx), nil)
			if calls != c.calls {
				t.Errorf("%s: OnShutdown was called for a server that has ended", c.name)
			}
		})
	}
}

// A panic of OnShutdown is reported once and cuts off no connection.
func TestOnShutdownPanics(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var reports []error
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e.Err) })
		srv := &netio.Server{OnShutdown: func(context.Context) { panic("oops") }}
		s := serve(ctx, t, srv, linger(time.Second))
		defer s.greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Shutdown", srv.Shutdown(ctx), nil)
		want(t, "ServeListener", s.end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != time.Second || fmt.Sprint(reports) != "[oops]" {
			t.Errorf("the server ended after %v and reported %v", took, reports)
		}
	})
}
