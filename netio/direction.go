// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// yieldBytes is how many bytes one call may move without a wait before it yields. Without
// this limit a fast peer would keep other tasks from running.
const yieldBytes = 256 << 10

// A direction is the reading or the writing side of a stream, with the one operation that
// can be in flight there. It is part of the stream, so waiting costs no allocation.
type direction struct {
	// The fields that every call uses come first, so that they share few cache lines of the
	// processor: with many streams, cache misses are most of what a call costs.
	stream  *Stream
	user    *task.Ref // the task whose call uses the direction, from begin to release
	failed  error     // what ended the direction for good; later calls return it too
	moved   int       // bytes since the call last waited or yielded; see yieldIfDue
	limited bool      // a timeout or deadline is set
	timed   bool      // the timer or until may be set
	waiting bool      // op is in flight
	late    bool      // op was cancelled because of a timeout or deadline
	op      poll.Op

	queue *callQueue // of the calls through net.Conns; nil if there are none

	timeout  time.Duration // of one call; 0 means none
	until    time.Time     // when the current call times out; zero until it has waited
	deadline time.Time     // of all calls, set through a net.Conn; zero means none
	timer    loop.Timer
}

// open initializes d as a direction of s: reading or writing, by kind.
func (d *direction) open(s *Stream, kind poll.Kind) {
	d.stream = s
	d.op.Kind, d.op.Handle, d.op.Owner = kind, s.handle, d
	d.timer.Target = (*directionTimer)(d)
}

// userField and enter make a direction a slot, together with release and Reason.
func (d *direction) userField() **task.Ref { return &d.user }

func (d *direction) enter(r *task.Ref) error { return d.stream.begin(d, r) }

// release ends the current call, so that the next one gets its own timeout. No operation of
// the call is in flight. The task that called begin calls release, however the call ends.
func (d *direction) release() {
	d.user = nil
	if e := d.stream.early; e != nil && d == &d.stream.in {
		e.gone = nil
	}
	if d.timed {
		d.timed = false
		d.until = time.Time{}
	}
}

// do performs one operation. It tries at once, and parks the task if the operation cannot
// finish. It returns how many bytes were moved, even with an error. The user of d calls it;
// one call may do several operations, which share the call's timeout. do does not allocate,
// and reads the clock only if a limit is set.
func (d *direction) do(ctx context.Context) (int, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	if d.limited && d.isLate() {
		return 0, d.stream.opError(d.opName(), os.ErrDeadlineExceeded)
	}
	if !d.stream.loop.Driver().Submit(&d.op) {
		d.startWait()
		task.Park(ctx, d) // returns nil, because Cancel returns false
		d.endWait()
	}
	if d.limited && d.op.N > 0 {
		d.stream.active = d.stream.loop.Time()
	}
	if d.op.Err != nil {
		return d.op.N, d.failure(ctx, d.op.Err)
	}
	return d.op.N, nil
}

// yieldIfDue yields if the call has moved yieldBytes without a wait. A call that may do
// many operations calls it before each one. The call stays the user of d meanwhile. The
// error is a cancel; no operation is in flight then, so no byte is lost. Calls of one
// operation do not need it: the checkpoint at their start yields after many calls.
func (d *direction) yieldIfDue(ctx context.Context) error {
	if d.moved < yieldBytes {
		return nil
	}
	d.moved = 0
	return task.Yield(ctx)
}

// isLate reports whether the deadline has passed. Then no operation is tried, as in package
// net. Timeouts do not matter here: they count from the first wait.
func (d *direction) isLate() bool {
	return !d.deadline.IsZero() && !d.stream.loop.Time().Before(d.deadline)
}

// startWait begins the wait for the operation in flight. A cancel or a timeout ends the
// wait early by cancelling the operation in the poller: see Cancel and directionTimer.
func (d *direction) startWait() {
	d.waiting, d.late, d.moved = true, false, 0
	if d.limited {
		d.startTimeout()
	}
}

// endWait ends the wait. The poller has reported the operation.
func (d *direction) endWait() {
	d.waiting = false
	if d.timed {
		d.stream.loop.Driver().StopTimer(&d.timer)
	}
}

// startTimeout sets the limits of the operation in flight. The timeout counts from the
// first wait of the call. The idle time counts from the last byte, or from the start of
// this wait if the other direction does not wait.
func (d *direction) startTimeout() {
	s := d.stream
	if d.timeout > 0 && d.until.IsZero() {
		d.until = saturate.Add(s.loop.Time(), d.timeout)
	}
	if !s.other(d).waiting {
		s.active = s.loop.Time()
	}
	d.arm()
}

// arm starts the timer for the expiry of the operation in flight, or stops the timer if the
// operation does not expire. A byte that the other direction moves changes the expiry but
// not the timer, so that a byte costs no timer: Wake checks the expiry again.
func (d *direction) arm() {
	d.timed = true
	if when := d.expiry(); when.IsZero() {
		d.stream.loop.Driver().StopTimer(&d.timer)
	} else {
		d.stream.loop.Driver().StartTimer(&d.timer, when)
	}
}

// expiry returns when the operation in flight times out, on the loop's clock: the earliest
// of the three limits. Zero means never.
func (d *direction) expiry() time.Time {
	when := d.until
	if t := d.deadline; !t.IsZero() && (when.IsZero() || t.Before(when)) {
		when = t
	}
	if s := d.stream; s.idle > 0 {
		if t := saturate.Add(s.active, s.idle); when.IsZero() || t.Before(when) {
			when = t
		}
	}
	return when
}

// updateLimits applies a change of a limit, also to a waiting call. It keeps limited, so
// that most calls check only this one field.
func (d *direction) updateLimits() {
	d.limited = d.timeout > 0 || !d.deadline.IsZero() || d.stream.idle > 0
	if d.waiting {
		d.arm()
	}
}

// other returns the other direction.
func (s *Stream) other(d *direction) *direction {
	if d == &s.in {
		return &s.out
	}
	return &s.in
}

// failure converts an operation's error for the caller. io.EOF and a cancel stay unwrapped,
// because callers compare them. A cancelled operation reports the cancel only if it did not
// complete first.
//
// A kernel reports a lost connection once, to a Read or to a Write. Afterwards it reports
// only the end of the stream. A UNIX socket may do it the other way round. So the direction
// keeps the error: a Read after a Write that failed in this way returns the same error, as
// a read error.
func (d *direction) failure(ctx context.Context, err error) error {
	s, call := d.stream, d.opName()
	if err == poll.ErrCanceled {
		if d.late {
			return s.opError(call, os.ErrDeadlineExceeded)
		}
		return canceled(ctx)
	}
	if err == io.EOF && s.out.failed != nil {
		err = errors.Unwrap(s.out.failed)
		if sys, ok := errors.AsType[*os.SyscallError](err); ok {
			err = os.NewSyscallError(call, sys.Err)
		}
	}
	if err != io.EOF {
		err = s.opError(call, err)
	}
	if !s.closed && (d == &s.in || isLost(err)) {
		d.failed = err
	}
	return err
}

// isLost reports whether err means that the whole connection is lost. EPIPE means only that
// the writing direction is.
func isLost(err error) bool { return isGone(err) || errors.Is(err, syscall.ECONNRESET) }

// Complete wakes the task. Only the loop calls it. While the operation is in flight nothing
// else wakes the task, so the kernel no longer uses the buffer when the call returns.
func (d *direction) Complete(*poll.Op) { d.user.Wake() }

// Cancel cancels the operation; its completion wakes the task. It makes a direction a
// task.Waiter.
func (d *direction) Cancel(*task.Ref) bool {
	d.stream.loop.Poller().Cancel(&d.op)
	return false
}

// opName returns the name of the operation as in package net. It is safe for concurrent
// use.
func (d *direction) opName() string {
	if d == &d.stream.in {
		return "read"
	}
	return "write"
}

// Reason says what the task waits for.
func (d *direction) Reason() string {
	if d == &d.stream.in {
		return "bytes from " + name(d.stream.remote)
	}
	return "space to write to " + name(d.stream.remote)
}

// Owners returns nil: the task waits for no other task.
func (d *direction) Owners() []*task.Ref { return nil }

// directionTimer is a direction as the target of its timer.
type directionTimer direction

// Wake cancels the operation in flight, unless its expiry has moved since the timer was
// started.
func (t *directionTimer) Wake() {
	d := (*direction)(t)
	if !d.waiting {
		return
	}
	if when := d.expiry(); when.IsZero() || d.stream.loop.Time().Before(when) {
		d.arm()
		return
	}
	d.late = true
	d.stream.loop.Poller().Cancel(&d.op)
}

// busy returns the error for a second user, which it names. d has a user.
func (d *direction) busy(second string) error {
	return &BusyError{Op: d.opName(), First: d.user.String(), Second: second}
}
