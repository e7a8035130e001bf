// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

func init() { hosts["Descriptor"] = newPollingHost }

// newPollingHost makes a host that waits with poll(2).
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
	return &host{t: t, guest: guest, notified: func(d time.Duration) bool { return readable(t, fd, d) }}
}

// readable waits until a descriptor is readable, but at most d.
func readable(t *testing.T, fd uintptr, d time.Duration) bool {
	t.Helper()
	timeout := -1
	if d >= 0 {
		timeout = int((d + time.Millisecond - 1).Milliseconds())
	}
	set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(set, timeout)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
}

// The descriptor becomes readable even for operations that completed before the call of
// Descriptor. Closing the loop leaves no descriptor open.
func TestDescriptorIsNotLate(t *testing.T) {
	open := descriptors(t)
	poller, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guest, err := loop.New(loop.Config{Poller: poller})
	if err != nil {
		t.Fatal(err)
	}
	listener := listen(&host{t: t, guest: guest})
	ended := false
	guest.Driver().Submit(&poll.Op{Kind: poll.Accept, Handle: listener, Owner: completion(func(*poll.Op) { ended = true })})
	listener.Close()
	fd, err := guest.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	if !readable(t, fd, time.Second) {
		t.Error("the descriptor is not readable")
	}
	guest.RunOnce(0)
	if !ended {
		t.Error("the operation is not reported")
	}
	if err := guest.Close(); err != nil {
		t.Error(err)
	}
	if left := descriptors(t); left != open {
		t.Errorf("%d descriptors are open, want %d as before", left, open)
	}
}

// descriptors returns how many descriptors the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
