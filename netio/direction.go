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

// turnBytes is how much one call reads before the other tasks get a turn: as much
// as a Write moves, so that a peer that is faster than this end holds nobody up.
const yieldBytes = 256 << 10

// A half is one direction of a stream, with the one operation that can be in
// flight there. It is part of the stream, so waiting costs no allocation.
type direction struct {
	// What every call touches stands together: where many streams take turns, the
	// lines of the processor's cache are most of what a call costs.
	stream  *Stream
	user    *task.Ref // whose call is at work, from begin to release
	failed  error     // what ended the direction for good; calls go on returning it
	moved   int       // bytes since a call has waited or given way; see giveWay
	limited bool      // a timeout or deadline is set
	timed   bool      // the timer or until may be set
	waiting bool      // op is in flight
	late    bool      // and was cancelled since its time had passed
	op      poll.Op

	queue *callQueue // of the calls through net.Conns; nil if there are none

	timeout  time.Duration // of a call; 0 is none
	until    time.Time     // when the call at work times out, known once it has waited
	deadline time.Time     // for every call, of a net.Conn; zero is none
	timer    loop.Timer
}

// open makes h a direction of s: reading, or writing.
func (d *direction) open(s *Stream, kind poll.Kind) {
	d.stream = s
	d.op.Kind, d.op.Handle, d.op.Owner = kind, s.handle, d
	d.timer.Target = (*directionTimer)(d)
}

// at and enter make a half a seat, with release and Reason.
func (d *direction) userField() **task.Ref { return &d.user }

func (d *direction) enter(r *task.Ref) error { return d.stream.begin(d, r) }

// release ends the call at work: the next one has a time of its own. Nothing of it
// is in flight, so whoever began it may release it, however it ends.
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

// do performs the operation of every call that reads or writes: a try, and a
// park if it cannot finish at once. It returns how many bytes were moved, also
// beside an error. The user of h calls it; a call may do several, which share its
// time. Nothing in it allocates, and it looks at a clock only if it must.
func (d *direction) do(ctx context.Context) (int, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	if d.limited && d.isLate() {
		return 0, d.stream.opError(d.opName(), os.ErrDeadlineExceeded)
	}
	if !d.stream.loop.Driver().Submit(&d.op) {
		d.startWait()
		task.Park(ctx, d) // which returns nil, since Cancel returns false
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

// giveWay begins one more operation of a call that may do many: it lets others run
// if those before have moved a lot without a wait. The call remains the user of h
// meanwhile. The error is a cancel seen then; nothing is in flight, so the
// caller has what was moved until then and loses nothing. Calls of
// one operation need not ask: the checkpoint that each begins with counts the calls, and
// gives way after many.
func (d *direction) yieldIfDue(ctx context.Context) error {
	if d.moved < yieldBytes {
		return nil
	}
	d.moved = 0
	return task.Yield(ctx)
}

// isLate reports whether the deadline has passed: then nothing is even tried, as
// package net has it. A timeout is never late here: it counts from the first wait,
// and what need not wait is not timed out.
func (d *direction) isLate() bool {
	return !d.deadline.IsZero() && !d.stream.loop.Time().Before(d.deadline)
}

// depart begins the wait for the operation in flight. A cancel or a timeout ends it
// early by cancelling the operation in the poller: see Cancel and clock.
func (d *direction) startWait() {
	d.waiting, d.late, d.moved = true, false, 0
	if d.limited {
		d.startTimeout()
	}
}

// arrive ends the wait: the operation has been reported.
func (d *direction) endWait() {
	d.waiting = false
	if d.timed {
		d.stream.loop.Driver().StopTimer(&d.timer)
	}
}

// limit begins the time that the operation in flight has. That of the call began
// with its first wait; the stream has been idle since a byte was moved, or since a call
// began to wait while no other did.
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

// arm has the timer go off when the operation in flight is to time out, or stops it
// if that is never. A byte that the other direction moves only changes what end
// returns: the timer finds out when it goes off, so a byte costs no timer.
func (d *direction) arm() {
	d.timed = true
	if when := d.expiry(); when.IsZero() {
		d.stream.loop.Driver().StopTimer(&d.timer)
	} else {
		d.stream.loop.Driver().StartTimer(&d.timer, when)
	}
}

// end tells when the operation in flight is to time out, on the loop's clock: at
// the first of the three limits that are set. Zero is never.
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

// relimit notes a change of what limits the calls, for the one that waits too. One flag
// tells most of them that there is nothing to look at.
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

// failure says what the operation's error is for the caller. Bare are the two that
// callers compare, io.EOF and the cancel; the rest is dressed. An operation that was
// taken back says so only if its own result did not come first.
//
// A kernel reports once that a connection is lost, to a Read or to a Write, and from then
// on the end of the stream; a UNIX socket may do it the other way round. So the half
// keeps the error, and a Read after a Write that has failed so returns the same error,
// as one of a Read.
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

// isLost reports whether err says that the connection is gone, and not only its writing
// direction, for which EPIPE stands.
func isLost(err error) bool { return isGone(err) || errors.Is(err, syscall.ECONNRESET) }

// Complete wakes the task, and nothing else does while the operation is in
// flight: so the buffer is free when a call returns. It is the loop's to call.
func (d *direction) Complete(*poll.Op) { d.user.Wake() }

// Cancel asks for the buffer back; the task goes on when it is there. It makes
// a half a task.Waiter.
func (d *direction) Cancel(*task.Ref) bool {
	d.stream.loop.Poller().Cancel(&d.op)
	return false
}

// call is what the direction does, in the words of package net. Safe from every
// goroutine.
func (d *direction) opName() string {
	if d == &d.stream.in {
		return "read"
	}
	return "write"
}

// Reason and Owners are for reports.
func (d *direction) Reason() string {
	if d == &d.stream.in {
		return "bytes from " + name(d.stream.remote)
	}
	return "room to write to " + name(d.stream.remote)
}

// Owners returns nil: no task of this loop.
func (d *direction) Owners() []*task.Ref { return nil }

// clock is a half as what its timer wakes.
type directionTimer direction

// Wake ends the call in flight, unless the other direction has moved a byte
// since the timer was started.
func (c *directionTimer) Wake() {
	d := (*direction)(c)
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

// busy is the error of a second user, who is named for it. There is a first one.
func (d *direction) busy(second string) error {
	return &BusyError{Op: d.opName(), First: d.user.String(), Second: second}
}
