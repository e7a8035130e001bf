// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll/epoll"
)

func init() { hosts["Descriptor"] = newPollingHost }

// newPollingHost makes a host on poll(2).
func newPollingHost(t *testing.T) *host {
	t.Helper()
	poller, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guest := open(t, loop.Config{Poller: poller})
	fd, err := guest.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	readable := func(d time.Duration) bool {
		timeout := -1
		if d >= 0 {
			timeout = int((d + time.Millisecond - 1).Milliseconds())
		}
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(set, timeout)
			if err != unix.EINTR {
				if err != nil {
					t.Fatal(err)
				}
				return n > 0
			}
		}
	}
	return &host{t: t, guest: guest, told: readable}
}
