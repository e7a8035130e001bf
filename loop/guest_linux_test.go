// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// A host is another event loop, which knows of descriptors and timeouts, with a
// loop of ours as its guest.
type host struct {
	t     *testing.T
	guest *loop.Loop
	fd    uintptr
	runs  int // of RunOnce
}

func newHost(t *testing.T) *host {
	t.Helper()
	guard(t)
	poller, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, guest: open(t, loop.Config{Poller: poller})}
	if h.fd, err = h.guest.Descriptor(); err != nil {
		t.Fatal(err)
	}
	return h
}

// readable waits for the guest's descriptor, d at most; a negative d is no limit.
func (h *host) readable(d time.Duration) bool {
	h.t.Helper()
	timeout := -1
	if d >= 0 {
		timeout = int(d.Milliseconds())
	}
	set := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(set, timeout)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			h.t.Fatal(err)
		}
		return n > 0
	}
}

// until runs the guest when it has something to do, until done.
func (h *host) until(done *bool) {
	h.t.Helper()
	for !*done {
		wait := time.Duration(-1)
		if when, ok := h.guest.NextDeadline(); ok {
			wait = max(when.Sub(h.guest.Time())+time.Millisecond-1, 0).Truncate(time.Millisecond)
		}
		h.readable(wait)
		h.guest.RunOnce(0)
		h.runs++
	}
}

// completion is the owner of an operation that runs a function.
type completion func(op *poll.Op)

func (c completion) Complete(op *poll.Op) { c(op) }

// A host has to wait for a descriptor and for a deadline, and sees everything.
func TestGuest(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(h *host, done func())
	}{
		{"a callback", func(h *host, done func()) { h.guest.CallSoon(done) }},
		{"a callback of a callback", func(h *host, done func()) {
			h.guest.CallSoon(func() { h.guest.CallSoon(done) })
		}},
		{"a timer", func(h *host, done func()) { h.guest.CallLater(3*time.Millisecond, done) }},
		{"another goroutine", func(h *host, done func()) {
			go h.guest.CallSoonThreadsafe(done)
		}},
		{"an operation", func(h *host, done func()) {
			listener := listen(h)
			h.guest.Submit(&poll.Op{Kind: poll.Accept, Handle: listener, Owner: completion(func(op *poll.Op) {
				op.Accepted.Close()
				listener.Close()
				done()
			})})
			go func() {
				if c, err := net.Dial("tcp", listener.LocalAddr().String()); err == nil {
					c.Close()
				}
			}()
		}},
		{"an operation that a callback ends", func(h *host, done func()) {
			listener := listen(h)
			h.guest.Submit(&poll.Op{Kind: poll.Accept, Handle: listener, Owner: completion(func(op *poll.Op) {
				if !errors.Is(op.Err, net.ErrClosed) {
					h.t.Errorf("accept: %v, want net.ErrClosed", op.Err)
				}
				done()
			})})
			h.guest.CallSoon(func() { listener.Close() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			done := false
			c.begin(h, func() { done = true })
			h.until(&done)
			for h.readable(0) { // what was too late for the last turn
				h.guest.RunOnce(0)
				h.runs++
			}
			if h.runs > 10 {
				t.Errorf("%d turns: the descriptor is readable for nothing", h.runs)
			}
		})
	}
}

func listen(h *host) poll.Handle {
	h.t.Helper()
	listener, err := h.guest.Poller().Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return listener
}

// A guest without anything to do leaves its host alone.
func TestQuietGuest(t *testing.T) {
	h := newHost(t)
	if _, ok := h.guest.NextDeadline(); ok || h.readable(0) {
		t.Error("a new guest wants to run")
	}
	h.guest.CallSoon(func() {})
	h.guest.RunOnce(0)
	if when, ok := h.guest.NextDeadline(); ok || h.readable(0) {
		t.Errorf("a guest that has run wants to run again: %v", when)
	}
}
