// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"errors"
	"fmt"
	"time"

	"baton/loop/poll"
)

// NextDeadline tells by when whoever drives the loop from outside has to call
// RunOnce: now if something is ready, and otherwise when the next timer is due.
// False means that only something from outside can make anything ready. It
// belongs to the loop, and is right until something else is called: ask again
// after each RunOnce. A Post after the question makes the Descriptor readable.
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

// Descriptor returns a descriptor that is readable when something has come from
// outside and RunOnce has to be called: an operation is finished, or another
// goroutine has called CallSoonThreadsafe, Post or a portal. So a loop can be the
// guest of any loop that waits for descriptors. It belongs to the loop's poller
// and lives until Close; nothing must be read from it. A loop on epoll can host
// such a guest, and that one another, no more. errors.ErrUnsupported means that the
// poller has none: see [Loop.Notify].
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

// Notify has fn called when something has come from outside and RunOnce has to be
// called; nil ends that. It is for pollers without a [Loop.Descriptor]. fn runs on
// some goroutine, perhaps several times for one RunOnce, must not wait, and only
// tells whoever drives the loop: it must not call the loop itself.
// errors.ErrUnsupported means that the poller has a descriptor instead, or that
// nothing comes from outside, as in a simulation.
func (l *Loop) Notify(fn func()) error {
	l.mustHold("Notify")
	p, ok := l.poller.(poll.Notifier)
	if !ok {
		return fmt.Errorf("loop: notify: %w", errors.ErrUnsupported)
	}
	p.Notify(fn)
	return nil
}
