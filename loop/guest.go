// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"errors"
	"fmt"
	"time"

	"baton/loop/poll"
)

// NextDeadline returns when the host of a guest loop has to call RunOnce: now if something
// is ready, and otherwise when the next timer is due. It returns false if nothing is ready
// and no timer is started: then only an event from outside can make something ready. The
// result is valid until the next call of another method, so call NextDeadline after each
// RunOnce. A Post that comes later makes the Descriptor readable.
func (l *Loop) NextDeadline() (time.Time, bool) {
	l.mustHold("NextDeadline")
	if l.head < len(l.batch) || len(l.ready) > 0 || !l.mail.empty() {
		return l.Time(), true
	}
	when, ok := l.timers.next()
	if !ok {
		return time.Time{}, false
	}
	return l.start.Add(when), true
}

// Descriptor returns a descriptor that becomes readable when RunOnce has to be called: an
// operation has completed, or another goroutine has called CallSoonThreadsafe, Post or a
// portal. With this descriptor the loop can be the guest of any event loop that waits for
// descriptors.
//
// The descriptor belongs to the loop's poller and is valid until Close. Do not read from
// it. A loop on epoll can host a guest on epoll, which can host another one; the kernel
// allows no deeper nesting.
//
// Descriptor returns errors.ErrUnsupported if the poller has no descriptor: see
// [Loop.Notify].
func (l *Loop) Descriptor() (uintptr, error) {
	l.mustHold("Descriptor")
	p, ok := l.poller.(poll.Pollable)
	if !ok {
		return 0, fmt.Errorf("loop: descriptor: %w", errors.ErrUnsupported)
	}
	fd, err := p.Descriptor()
	if err != nil {
		return 0, fmt.Errorf("loop: descriptor: %w", err)
	}
	return fd, nil
}

// Notify makes the poller call fn when RunOnce has to be called because something has
// arrived from outside. Notify is for pollers without a [Loop.Descriptor]. A nil fn ends
// the calls.
//
// The poller calls fn on any goroutine, perhaps several times for one RunOnce. fn must not
// block and must not call the loop; it only informs the host.
//
// Notify returns errors.ErrUnsupported if the poller has a descriptor instead, or if
// nothing arrives from outside, as in a simulation.
func (l *Loop) Notify(fn func()) error {
	l.mustHold("Notify")
	p, ok := l.poller.(poll.Notifier)
	if !ok {
		return fmt.Errorf("loop: notify: %w", errors.ErrUnsupported)
	}
	p.Notify(fn)
	return nil
}
