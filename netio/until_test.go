// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// polite is a handler that echoes lines and says bye when the server shuts down.
func polite(ctx context.Context, s *netio.Stream) error {
	until, release := netio.UntilShutdown(ctx)
	defer release()
	for {
		line, err := s.ReadLine(until)
		if errors.Is(err, netio.ErrShutdown) {
			_, err := s.Write(ctx, []byte("bye\n"))
			return err
		}
		if err != nil {
			return err
		}
		if _, err := s.Write(ctx, []byte(line+"\n")); err != nil {
			return err
		}
	}
}

// An idle connection says bye and ends as soon as the server shuts down, whether by Shutdown or by
// a cancel of Serve's ctx.
func TestUntilShutdown(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, s *site) error{
		"Shutdown": func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) },
		"cancel":   func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{}, polite)
				var clients []*netio.Stream
				for range 3 {
					c := s.dial(ctx, t)
					defer c.Close()
					write(ctx, t, c, "hello\n")
					must(c.ReadLine(ctx))(t)
					clients = append(clients, c)
				}
				start := task.Now(ctx)
				want(t, name, end(ctx, s), nil)
				s.end(ctx) // its error is tested in serve_test.go
				if took := task.Now(ctx).Sub(start); took != 0 {
					t.Errorf("the server ended after %v, want at once", took)
				}
				for _, c := range clients {
					if line, err := c.ReadLine(ctx); line != "bye" || err != nil {
						t.Errorf("a client received %q, %v", line, err)
					}
					_, err := c.ReadLine(ctx)
					want(t, "ReadLine", err, io.EOF)
				}
				if len(s.errs) > 0 {
					t.Errorf("reported %v, want nothing", s.errs)
				}
			})
		})
	}
}

// A Read that the shutdown ends loses no bytes. Later bytes and the beginning of a line can still
// be read.
func TestUntilShutdownLosesNothing(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var got string
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			until, release := netio.UntilShutdown(ctx)
			defer release()
			_, err := s.ReadLine(until)
			want(t, "ReadLine", err, netio.ErrShutdown)
			want(t, "ReadLine", err, context.Canceled)
			got, err = s.ReadLine(ctx)
			return err
		})
		c := s.dial(ctx, t)
		defer c.Close()
		write(ctx, t, c, "a line ")
		want(t, "sleep", sleep(ctx, time.Second), nil)
		shutdown := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, s.srv.Shutdown(ctx) })
		want(t, "sleep", sleep(ctx, time.Second), nil)
		write(ctx, t, c, "in two parts\n")
		_, err := shutdown.Await(ctx)
		want(t, "Shutdown", err, nil)
		if got != "a line in two parts" {
			t.Errorf("the handler received %q, want the whole line", got)
		}
	})
}

// A task of the handler has a context of its own, even if it starts during the shutdown. A handler
// that returns the cancel of the context is not reported.
func TestUntilShutdownTasks(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		waits := func(ctx context.Context) error {
			until, release := netio.UntilShutdown(ctx)
			defer release()
			return sleep(until, time.Hour)
		}
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			first := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, waits(ctx) })
			want(t, "Write", linger(0)(ctx, s), nil)
			_, err := first.Await(ctx)
			want(t, "the first task", err, netio.ErrShutdown)
			_, err = task.Start(ctx, func(ctx context.Context) (int, error) { return 0, waits(ctx) }).Await(ctx)
			want(t, "the second task", err, netio.ErrShutdown)
			until, release := netio.UntilShutdown(ctx)
			defer release()
			task.Go(until, func(ctx context.Context) error { return sleep(ctx, time.Hour) })
			want(t, "Check", task.Check(ctx), nil)
			return waits(ctx)
		})
		defer s.greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 0 || len(s.errs) > 0 {
			t.Errorf("the server ended after %v and reported %v", took, s.errs)
		}
	})
}

// Outside a handler, and after its release, the context ends only with its parent. The deadline of
// the parent can be moved through it.
func TestUntilShutdownElsewhere(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		timed, release := await.WithTimeout(ctx, time.Second)
		defer release()
		until, done := netio.UntilShutdown(timed)
		defer done()
		if !await.Reschedule(until, start.Add(time.Minute)) {
			t.Error("Reschedule could not move the deadline of the parent")
		}
		want(t, "sleep", sleep(until, time.Hour), context.DeadlineExceeded)
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("the context ended after %v, want 1m0s", took)
		}

		s := serve(ctx, t, &netio.Server{Grace: time.Minute}, func(ctx context.Context, s *netio.Stream) error {
			_, release := netio.UntilShutdown(ctx)
			release()
			release()
			return linger(time.Second)(ctx, s)
		})
		defer s.greeted(ctx, t).Close()
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
	})
}

// Close ends the context too, even in a handler that is shielded.
func TestUntilShutdownClose(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			shielded, done := task.Shield(ctx, time.Hour)
			defer done()
			until, release := netio.UntilShutdown(shielded)
			defer release()
			want(t, "Write", linger(0)(ctx, s), nil)
			return sleep(until, time.Minute)
		})
		defer s.greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Close", s.srv.Close(), nil)
		want(t, "ServeListener", s.end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 0 || len(s.errs) > 0 {
			t.Errorf("the server ended after %v and reported %v", took, s.errs)
		}
	})
}

// A Limiter in the handlers limits the connections of several listeners together.
func TestCommonBound(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		limit := locks.NewLimiter(1)
		sites := several(ctx, t, 2, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			if err := limit.Acquire(ctx); err != nil {
				return err
			}
			defer limit.Release(ctx)
			return linger(time.Second)(ctx, s)
		})
		start := task.Now(ctx)
		for _, s := range sites {
			defer s.greeted(ctx, t).Close()
		}
		if took := task.Now(ctx).Sub(start); took != time.Second {
			t.Errorf("the second connection was served after %v, want 1s", took)
		}
		want(t, "Shutdown", sites[0].srv.Shutdown(ctx), nil)
	})
}
