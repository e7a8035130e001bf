// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// A host is another event loop, with a loop of this package as its guest.
type host struct {
	t     *testing.T
	guest *loop.Loop
	// notified waits until something has arrived for the guest, but at most d. If d is
	// negative, there is no limit.
	notified func(d time.Duration) bool
	runs     int // calls of RunOnce
}

// hosts are the ways in which a host learns that something has arrived.
var hosts = map[string]func(t *testing.T) *host{"Notify": newNotifiedHost}

// newNotifiedHost makes a host that uses Notify.
func newNotifiedHost(t *testing.T) *host {
	t.Helper()
	guest := open(t, loop.Config{Poller: portable.New(portable.Config{})})
	calls := make(chan struct{}, 1)
	err := guest.Notify(func() {
		select {
		case calls <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { guest.Notify(nil) })
	notified := func(d time.Duration) bool {
		var late <-chan time.Time
		if d >= 0 {
			late = time.After(d)
		}
		select {
		case <-calls:
			return true
		case <-late:
			return false
		}
	}
	return &host{t: t, guest: guest, notified: notified}
}

// run runs one turn of the guest.
func (h *host) run() {
	h.guest.RunOnce(0)
	h.runs++
}

// until runs the guest whenever it has something to do, until done is true.
func (h *host) until(done *bool) {
	h.t.Helper()
	for !*done {
		wait := time.Duration(-1)
		if when, ok := h.guest.NextDeadline(); ok {
			wait = max(when.Sub(h.guest.Time()), 0)
		}
		h.notified(wait)
		h.run()
	}
}

// A completion is an owner of operations that calls a function.
type completion func(op *poll.Op)

func (c completion) Complete(op *poll.Op) { c(op) }

// A host that waits for notifications and for the next deadline misses nothing.
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
			h.guest.Driver().Submit(&poll.Op{Kind: poll.Accept, Handle: listener, Owner: completion(func(op *poll.Op) {
				op.Accepted.Close()
				listener.Close()
				done()
			})})
			var client sync.WaitGroup
			client.Go(func() {
				if c, err := net.Dial("tcp", listener.LocalAddr().String()); err == nil {
					c.Close()
				}
			})
			h.t.Cleanup(client.Wait) // other tests count the open descriptors
		}},
		{"an operation that a callback ends", func(h *host, done func()) {
			listener := listen(h)
			h.guest.Driver().Submit(&poll.Op{Kind: poll.Accept, Handle: listener, Owner: completion(func(op *poll.Op) {
				if !errors.Is(op.Err, net.ErrClosed) {
					h.t.Errorf("accept: %v, want net.ErrClosed", op.Err)
				}
				done()
			})})
			h.guest.CallSoon(func() { listener.Close() })
		}},
	} {
		for name, newHost := range hosts {
			t.Run(c.name+" by "+name, func(t *testing.T) {
				guard(t)
				h := newHost(t)
				done := false
				c.begin(h, func() { done = true })
				h.until(&done)
				for h.notified(0) { // for notifications that came after the last turn
					h.run()
				}
				if h.runs > 10 {
					t.Errorf("the host ran %d turns, want at most 10", h.runs)
				}
			})
		}
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

// A guest that has nothing to do does not notify its host.
func TestQuietGuest(t *testing.T) {
	for name, newHost := range hosts {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			if h.notified(0) { // a new guest may notify its host once
				h.run()
			}
			if _, ok := h.guest.NextDeadline(); ok || h.notified(0) {
				t.Error("a new guest wants to run")
			}
			h.guest.CallSoon(func() {})
			h.run()
			if when, ok := h.guest.NextDeadline(); ok || h.notified(0) {
				t.Errorf("a guest that has run wants to run again: %v", when)
			}
			h.guest.CallSoonThreadsafe(func() {})
			if when, ok := h.guest.NextDeadline(); !ok || when.After(h.guest.Time()) {
				t.Errorf("the guest has a posted call and the deadline %v, %v, want now", when, ok)
			}
		})
	}
}

// Notify calls fn at once if something has arrived before.
func TestNotifyIsNotLate(t *testing.T) {
	guest := open(t, loop.Config{Poller: portable.New(portable.Config{})})
	if _, err := guest.CallSoonThreadsafe(func() {}); err != nil {
		t.Fatal(err)
	}
	notified := false
	if err := guest.Notify(func() { notified = true }); err != nil || !notified {
		t.Errorf("Notify: %v, notified: %v", err, notified)
	}
}

// If nothing can arrive from outside, Descriptor and Notify return errors.ErrUnsupported.
func TestGuestInSimulation(t *testing.T) {
	l := simulated(t)
	if _, err := l.Descriptor(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Descriptor: %v, want errors.ErrUnsupported", err)
	}
	if err := l.Notify(func() {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Notify: %v, want errors.ErrUnsupported", err)
	}
}
