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

// fullFor returns a network in which the queue of a UNIX socket is full for n connects.
func fullFor(n int) sim.Config {
	return sim.Config{Network: virtual.Config{Dial: func(net.Addr) (time.Duration, error) {
		if n--; n >= 0 {
			return 0, full
		}
		return 0, nil
	}}}
}

// Dial waits until a UNIX socket has space in its queue.
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

// The timeout of the Dial and a cancel end the wait for a full queue.
func TestUnixQueueEnds(t *testing.T) {
	fullFor(1<<30).Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		_, err := netio.Dialer{Timeout: time.Minute}.Dial(ctx, "unix", "/s")
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("Dial took %v, want 1m0s", took)
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
			t.Errorf("Dial returned a %s: %v", got, err)
		}
	})
	// For TCP the kernel returns EAGAIN for another reason, so Dial does not wait.
	fullFor(1).Test(t, func(ctx context.Context, t *testing.T) {
		_, err := netio.Dial(ctx, "tcp", "10.0.0.1:80")
		want(t, "Dial", err, syscall.EAGAIN)
	})
}
