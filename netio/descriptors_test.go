// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"os"
	"testing"
	"time"

	"baton/netio"
	"baton/task"
)

// descriptors returns the number of open descriptors of the process, or 0 if the system does not
// report it.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// settle waits until the process has no more than n descriptors. A poller that uses goroutines
// closes some of them a little later: those of an earlier test may be among the n.
func settle(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); descriptors() > n; {
		if time.Now().After(deadline) {
			t.Errorf("%d descriptors, want at most %d", descriptors(), n)
			return
		}
		want(t, "sleep", sleep(ctx, time.Millisecond), nil)
	}
}

// A call that fails or is cancelled leaves no descriptor open.
func TestFailedCallsLeaveNoDescriptor(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" || w.network != "tcp" {
			return
		}
		taken := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer taken.Close()
		before := descriptors()

		fails := func(what string, call func() error) {
			t.Helper()
			if call() == nil {
				t.Errorf("%s succeeded, want an error", what)
			}
			settle(ctx, t, before)
		}
		fails("Dial, refused", func() error {
			_, err := netio.Dial(ctx, "tcp", closedPort)
			return err
		})
		fails("Dial, no such host", func() error {
			_, err := netio.Dial(ctx, "tcp", "no-such-host.invalid:80")
			return err
		})
		fails("Listen, in use", func() error {
			_, err := netio.Listen(ctx, "tcp", taken.Addr().String())
			return err
		})
		fails("Listen on everything, in use", func() error {
			_, err := netio.Listen(ctx, "tcp", ":"+port(taken))
			return err
		})
		fails("Dial, cancelled", func() error {
			dial := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
				for { // until the backlog is full or the cancel comes
					s, err := netio.Dial(ctx, "tcp", taken.Addr().String())
					if err != nil {
						return nil, err
					}
					s.Abort()
				}
			})
			want(t, "sleep", sleep(ctx, 5*time.Millisecond), nil)
			dial.Cancel(nil)
			_, err := dial.Await(ctx)
			return err
		})
	})
}
