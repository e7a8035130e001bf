// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

var full = os.NewSyscallError("connect", syscall.EAGAIN)

// fullFor is a network whose UNIX sockets refuse so many times for a full queue.
func fullFor(n int) sim.Config {
	return sim.Config{Network: virtual.Config{Dial: func(net.Addr) (time.Duration, error) {
		if n--; n >= 0 {
			return 0, full
		}
		return 0, nil
	}}}
}

// Dial waits until a UNIX socket has room in its queue.
func TestUnixQueue(t *testing.T) {
	for refusals, took := range map[int]time.Duration{
		0: 0, 1: 1 * time.Millisecond, 3: 7 * time.Millisecond, 9: 327 * time.Millisecond,
	} {
		fullFor(refusals).Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "unix", "/s"))(t)
			defer ln.Close()
			start := task.Now(ctx)
			must(netio.Dial(ctx, "unix", "/s"))(t).Close()
			if waited := task.Now(ctx).Sub(start); waited != took {
				t.Errorf("Dial took %v for %d refusals, want %v", waited, refusals, took)
			}
		})
	}
}

// A full queue is waited for no longer than the timeout, or until a cancel.
func TestUnixQueueEnds(t *testing.T) {
	fullFor(1<<30).Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		_, err := netio.Dialer{Timeout: time.Minute}.Dial(ctx, "unix", "/s")
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("Dial took %v", took)
		}
		const text = "dial unix /s: i/o timeout\ndial unix /s: connect: resource temporarily unavailable"
		if err == nil || err.Error() != text {
			t.Errorf("Dial: %v, want %s", err, text)
		}
		want(t, "Dial", err, os.ErrDeadlineExceeded)

		dial := blocked(ctx, func(ctx context.Context) (*netio.Stream, error) { return netio.Dial(ctx, "unix", "/s") })
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		dial.Cancel(nil)
		_, err = dial.Await(ctx)
		if got := fmt.Sprintf("%T", err); got != "*task.Canceled" {
			t.Errorf("Dial: a %s: %v", got, err)
		}
	})
	// The kernel says the same of TCP for want of something else.
	fullFor(1).Test(t, func(ctx context.Context, t *testing.T) {
		_, err := netio.Dial(ctx, "tcp", "10.0.0.1:80")
		want(t, "Dial", err, syscall.EAGAIN)
	})
}
