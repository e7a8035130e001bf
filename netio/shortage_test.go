// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// shortagePoller is a poller whose first Accepts fail because a resource is missing.
type shortagePoller struct {
	poll.Poller
	err  error
	left int
}

func (s *shortagePoller) Submit(op *poll.Op) bool {
	if op.Kind == poll.Accept && s.left > 0 {
		s.left--
		op.Accepted, op.Err = nil, os.NewSyscallError("accept4", s.err)
		return true
	}
	return s.Poller.Submit(op)
}

// A server reports a shortage of any kind once and waits for its end.
func TestShortageIsReportedOnce(t *testing.T) {
	for _, shortage := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC,
	} {
		t.Run(shortage.Error(), func(t *testing.T) {
			world := &shortagePoller{Poller: virtual.New(virtual.Config{}), err: shortage, left: 3}
			err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
				var reported []error
				s := serve(ctx, t, &netio.Server{OnError: func(_ *netio.Stream, err error) { reported = append(reported, err) }}, echo)
				start := task.Now(ctx)
				c := s.dial(ctx, t)
				write(ctx, t, c, "hello\n")
				must(c.ReadLine(ctx))(t)
				c.Close()
				if took := task.Now(ctx).Sub(start); took != 35*time.Millisecond {
					t.Errorf("served after %v, want the pauses of 5, 10 and 20 ms", took)
				}
				if len(reported) != 1 || !errors.Is(reported[0], shortage) {
					t.Errorf("reported %v, want one %v", reported, shortage)
				}
				return s.srv.Shutdown(ctx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that OnError closes does not wait for the end of the shortage.
func TestServerIsClosedByTheReportOfAShortage(t *testing.T) {
	world := &shortagePoller{Poller: virtual.New(virtual.Config{}), err: syscall.EMFILE, left: 1}
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		srv := &netio.Server{}
		srv.OnError = func(*netio.Stream, error) { want(t, "Close", srv.Close(), nil) }
		start := task.Now(ctx)
		err := srv.Serve(ctx, "tcp", "127.0.0.1:0", echo)
		if took := task.Now(ctx).Sub(start); took != 0 {
			t.Errorf("Serve returned after %v", took)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A shortage that returns is reported again only after a minute without one.
func TestShortageIsReportedAgainAfterAMinute(t *testing.T) {
	world := &shortagePoller{Poller: virtual.New(virtual.Config{}), err: syscall.EMFILE}
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		var reported []error
		s := serve(ctx, t, &netio.Server{OnError: func(_ *netio.Stream, err error) { reported = append(reported, err) }}, echo)
		for i, wait := range []struct {
			before time.Duration
			total  int
		}{{0, 1}, {time.Second, 1}, {59 * time.Second, 1}, {time.Minute, 2}, {time.Second, 2}} {
			want(t, "sleep", sleep(ctx, wait.before), nil)
			s.dial(ctx, t).Close() // completes the waiting Accept
			want(t, "sleep", sleep(ctx, time.Millisecond), nil)
			world.left = 1
			c := s.dial(ctx, t)
			write(ctx, t, c, "hello\n")
			must(c.ReadLine(ctx))(t)
			c.Close()
			if len(reported) != wait.total {
				t.Errorf("%d reports after the shortage %d, want %d", len(reported), i, wait.total)
			}
		}
		return s.srv.Shutdown(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}
