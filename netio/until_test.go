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

// polite is a handler that repeats lines, and says bye when the server shuts down.
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

// An idle connection says goodbye and ends as soon as the server is shut down, whether
// by Shutdown or by a cancel of Serve's ctx.
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
				s.end(ctx) // is that of TestServerEnd
				if took := task.Now(ctx).Sub(start); took != 0 {
					t.Errorf("the end took %v", took)
				}
				for _, c := range clients {
					if line, err := c.ReadLine(ctx); line != "bye" || err != nil {
						t.Errorf("a client reads %q, %v", line, err)
					}
					_, err := c.ReadLine(ctx)
					want(t, "ReadLine", err, io.EOF)
				}
				if len(s.errs) > 0 {
					t.Errorf("reported: %v", s.errs)
				}
			})
		})
	}
}

// A Read that the shutdown ends has read nothing: what comes later is still there, and
// so is the beginning of a line.
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
			t.Errorf("the handler has read %q", got)
		}
	})
}

// A task of the handler has a context of its own, also one that is started when the
// server shuts down already. A handler that returns its cancel is not reported.
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
			t.Errorf("the end took %v, reported: %v", took, s.errs)
		}
	})
}

// Outside of a handler, and when it is released, the context ends with nothing but its
// own ctx; a deadline around it can still be moved through it.
func TestUntilShutdownElsewhere(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		timed, release := await.WithTimeout(ctx, time.Second)
		defer release()
		until, done := netio.UntilShutdown(timed)
		defer done()
		if !await.Reschedule(until, start.Add(time.Minute)) {
			t.Error("the deadline around it could not be moved")
		}
		want(t, "sleep", sleep(until, time.Hour), context.DeadlineExceeded)
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("it ended after %v", took)
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

// A Close ends the context, too, also in a handler that has shielded itself.
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
			t.Errorf("the end took %v, reported: %v", took, s.errs)
		}
	})
}

// A bound over several listeners is a Limiter of the handlers.
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
			t.Errorf("the second connection was served after %v", took)
		}
		want(t, "Shutdown", sites[0].srv.Shutdown(ctx), nil)
	})
}
