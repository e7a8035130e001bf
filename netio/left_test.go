// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// wantLeft wants an error that tells of n connections cut off after a grace, or of
// none.
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
		t.Errorf("%s: %v, want one that tells of %d after %v", what, err, n, grace)
	}
}

// Who was cut off is told once: by the call whose cancel it was, or else by
// Shutdown, to everybody who waits there, or else by ServeListener.
func TestLeft(t *testing.T) {
	const grace = time.Minute
	for _, c := range []struct {
		name                     string
		cancelServe, cancelFirst time.Duration // when; 0 is never
		cancelSecond             time.Duration
		shutdown                 time.Duration // when both begin
		serve, first, second     int           // how many each tells of
		after                    time.Duration // of what grace
	}{
		{"cancel, and Shutdown after it", time.Second, 0, 0, time.Hour, 2, 0, 0, grace},
		{"cancel, and Shutdown meanwhile", time.Second, 0, 0, 2 * time.Second, 2, 0, 0, grace},
		{"Shutdown", 0, 0, 0, time.Second, 0, 2, 2, grace},
		{"Shutdown, and cancel meanwhile", 2 * time.Second, 0, 0, time.Second, 0, 2, 2, grace},
		{"Shutdown, canceled", 0, 11 * time.Second, 0, time.Second, 0, 2, 2, 10 * time.Second},
		{"Shutdown, canceled before", 0, time.Second, 0, 2 * time.Second, 0, 0, 2, grace},
		{"both canceled before", 0, time.Second, time.Second, 2 * time.Second, 2, 0, 0, grace},
		{"one before, one meanwhile", 0, time.Second, 12 * time.Second, 2 * time.Second, 0, 0, 2, 10 * time.Second},
		{"both canceled", 0, 11 * time.Second, 11 * time.Second, time.Second, 0, 2, 2, 10 * time.Second},
		{"cancel, and Shutdown, canceled", time.Second, 11 * time.Second, 0, 2 * time.Second, 0, 2, 2, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{Grace: grace}, linger(24*time.Hour))
				defer s.greeted(ctx, t).Close()
				defer s.greeted(ctx, t).Close()
				start := task.Now(ctx)
				shutdown := func(ctx context.Context) (error, error) {
					shielded, release := task.Shield(ctx, -1)
					defer release()
					want(t, "sleep", task.ParkUntil(shielded, start.Add(c.shutdown)), nil)
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
				cancelAt(c.cancelSecond, second.Cancel)

				wantLeft(t, "ServeListener", s.end(ctx), c.serve, c.after)
				err := must(first.Await(ctx))(t)
				wantLeft(t, "Shutdown", err, c.first, c.after)
				if errors.Is(err, context.Canceled) != (c.cancelFirst > 0) {
					t.Errorf("Shutdown: %v", err)
				}
				wantLeft(t, "Shutdown beside it", must(second.Await(ctx))(t), c.second, c.after)
			})
		})
	}
}

// A Shutdown under the ctx that has ended the program lets handlers finish: it waits
// for nobody, and whoever serves tells who was left.
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
								t.Error("Shutdown returned no bare *task.Canceled")
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
					t.Errorf("after %v %d were left", took, left)
				}
			})
		})
	}
}

// A handler that cleans up after the cut outlives whoever was told; who comes in
// that time is told nothing, for somebody was already.
func TestLeftCleanup(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{Grace: time.Second}, func(ctx context.Context, c *netio.Stream) error {
			err := linger(time.Hour)(ctx, c)
			cleanup, release := task.Shield(ctx, -1)
			defer release()
			want(t, "sleep", sleep(cleanup, time.Minute), nil)
			return err
		})
		defer s.greeted(ctx, t).Close()
		canceled, release := await.WithDeadline(ctx, task.Now(ctx))
		defer release()
		want(t, "sleep", sleep(canceled, time.Hour), context.DeadlineExceeded)
		want(t, "Shutdown, canceled before", s.srv.Shutdown(canceled), context.DeadlineExceeded)
		want(t, "sleep", sleep(ctx, 10*time.Second), nil)
		want(t, "Shutdown after the cut", s.srv.Shutdown(ctx), nil)
		wantLeft(t, "ServeListener", s.end(ctx), 1, time.Second)
	})
}

// Several listeners have one sum, and one connection is one in words, too.
func TestLeftSum(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		srv := &netio.Server{Grace: time.Second}
		sites := several(ctx, t, 3, srv, linger(time.Hour))
		for _, s := range sites[:2] {
			defer s.greeted(ctx, t).Close()
		}
		wantLeft(t, "Shutdown", srv.Shutdown(ctx), 2, time.Second)
		want(t, "Shutdown of what has ended", srv.Shutdown(ctx), nil)
		one := &netio.LeftError{Conns: 1, Grace: time.Second}
		if text := one.Error(); text != "netio: serve: 1 connection cut off after a grace of 1s" {
			t.Errorf("%q", text)
		}
	})
}
