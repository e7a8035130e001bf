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
const turnBytes = 256 << 10

// A half is one direction of a stream, with the one operation that can be in
// flight there. It is part of the stream, so waiting costs no allocation.
type half struct {
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

	turns *turns // of the calls through net.Conns; nil if there are none

	timeout  time.Duration // of a call; 0 is none
	until    time.Time     // when the call at work times out, known once it has waited
	deadline time.Time     // for every call, of a net.Conn; zero is none
	timer    loop.Timer
}

// open makes h a direction of s: reading, or writing.
func (h *half) open(s *Stream, kind poll.Kind) {
	h.stream = s
	h.op.Kind, h.op.Handle, h.op.Owner = kind, s.handle, h
	h.timer.Target = (*clock)(h)
}

// at and enter make a half a seat, with release and Reason.
func (h *half) at() **task.Ref { return &h.user }

func (h *half) enter(r *task.Ref) error { return h.stream.begin(h, r) }

// release ends the call at work: the next one has a time of its own. Nothing of it
// is in flight, so whoever began it may release it, however it ends.
func (h *half) release() {
	h.user = nil
	if e := h.stream.early; e != nil && h == &h.stream.in {
		e.gone = nil
	}
	if h.timed {
		h.timed = false
		h.until = time.Time{}
	}
}

// do performs the operation of every call that reads or writes: a try, and a
// park if it cannot finish at once. It returns how many bytes were moved, also
// beside an error. The user of h calls it; a call may do several, which share its
// time. Nothing in it allocates, and it looks at a clock only if it must.
func (h *half) do(ctx context.Context) (int, error) {
	if h.failed != nil {
		return 0, h.failed
	}
	if h.limited && h.isLate() {
		return 0, h.stream.opError(h.call(), os.ErrDeadlineExceeded)
	}
	if !h.stream.loop.Driver().Submit(&h.op) {
		h.depart()
		task.Park(ctx, h) // which returns nil, since Cancel returns false
		h.arrive()
	}
	if h.limited && h.op.N > 0 {
		h.stream.active = h.stream.loop.Time()
	}
	if h.op.Err != nil {
		return h.op.N, h.failure(ctx, h.op.Err)
	}
	return h.op.N, nil
}

// giveWay begins one more operation of a call that may do many: it lets others run
// if those before have moved a lot without a wait. The call remains the user of h
// meanwhile. The error is a cancel seen then; nothing is in flight, so the
// caller has what was moved until then and loses nothing. Calls of
// one operation need not ask: the checkpoint that each begins with counts the calls, and
// gives way after many.
func (h *half) giveWay(ctx context.Context) error {
	if h.moved < turnBytes {
		return nil
	}
	h.moved = 0
	return task.Yield(ctx)
}

// isLate reports whether the deadline has passed: then nothing is even tried, as
// package net has it. A timeout is never late here: it counts from the first wait,
// and what need not wait is not timed out.
func (h *half) isLate() bool {
	return !h.deadline.IsZero() && !h.stream.loop.Time().Before(h.deadline)
}

// depart begins the wait for the operation in flight. A cancel or a timeout ends it
// early by cancelling the operation in the poller: see Cancel and clock.
func (h *half) depart() {
	h.waiting, h.late, h.moved = true, false, 0
	if h.limited {
		h.limit()
	}
}

// arrive ends the wait: the operation has been reported.
func (h *half) arrive() {
	h.waiting = false
	if h.timed {
		h.stream.loop.Driver().StopTimer(&h.timer)
	}
}

// limit begins the time that the operation in flight has. That of the call began
// with its first wait; the stream has been idle since a byte was moved, or since a call
// began to wait while no other did.
func (h *half) limit() {
	s := h.stream
	if h.timeout > 0 && h.until.IsZero() {
		h.until = saturate.Add(s.loop.Time(), h.timeout)
	}
	if !s.other(h).waiting {
		s.active = s.loop.Time()
	}
	h.arm()
}

// arm has the timer go off when the operation in flight is to time out, or stops it
// if that is never. A byte that the other direction moves only changes what end
// returns: the timer finds out when it goes off, so a byte costs no timer.
func (h *half) arm() {
	h.timed = true
	if when := h.end(); when.IsZero() {
		h.stream.loop.Driver().StopTimer(&h.timer)
	} else {
		h.stream.loop.Driver().StartTimer(&h.timer, when)
	}
}

// end tells when the operation in flight is to time out, on the loop's clock: at
// the first of the three limits that are set. Zero is never.
func (h *half) end() time.Time {
	when := h.until
	if d := h.deadline; !d.IsZero() && (when.IsZero() || d.Before(when)) {
		when = d
	}
	if s := h.stream; s.idle > 0 {
		if d := saturate.Add(s.active, s.idle); when.IsZero() || d.Before(when) {
			when = d
		}
	}
	return when
}

// relimit notes a change of what limits the calls, for the one that waits too. One flag
// tells most of them that there is nothing to look at.
func (h *half) relimit() {
	h.limited = h.timeout > 0 || !h.deadline.IsZero() || h.stream.idle > 0
	if h.waiting {
		h.arm()
	}
}

// other returns the other direction.
func (s *Stream) other(h *half) *half {
	if h == &s.in {
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
func (h *half) failure(ctx context.Context, err error) error {
	s, call := h.stream, h.call()
	if err == poll.ErrCanceled {
		if h.late {
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
	if !s.closed && (h == &s.in || isLost(err)) {
		h.failed = err
	}
	return err
}

// isLost reports whether err says that the connection is gone, and not only its writing
// direction, for which EPIPE stands.
func isLost(err error) bool { return isGone(err) || errors.Is(err, syscall.ECONNRESET) }

// Complete wakes the task, and nothing else does while the operation is in
// flight: so the buffer is free when a call returns. It is the loop's to call.
func (h *half) Complete(*poll.Op) { h.user.Wake() }

// Cancel asks for the buffer back; the task goes on when it is there. It makes
// a half a task.Waiter.
func (h *half) Cancel(*task.Ref) bool {
	h.stream.loop.Poller().Cancel(&h.op)
	return false
}

// call is what the direction does, in the words of package net. Safe from every
// goroutine.
func (h *half) call() string {
	if h == &h.stream.in {
		return "read"
	}
	return "write"
}

// Reason and Owners are for reports.
func (h *half) Reason() string {
	if h == &h.stream.in {
		return "bytes from " + name(h.stream.remote)
	}
	return "room to write to " + name(h.stream.remote)
}

// Owners returns nil: no task of this loop.
func (h *half) Owners() []*task.Ref { return nil }

// clock is a half as what its timer wakes.
type clock half

// Wake ends the call in flight, unless the other direction has moved a byte
// since the timer was started.
func (c *clock) Wake() {
	h := (*half)(c)
	if !h.waiting {
		return
	}
	if when := h.end(); when.IsZero() || h.stream.loop.Time().Before(when) {
		h.arm()
		return
	}
	h.late = true
	h.stream.loop.Poller().Cancel(&h.op)
}

// busy is the error of a second user, who is named for it. There is a first one.
func (h *half) busy(second string) error {
	return &BusyError{Op: h.call(), First: h.user.String(), Second: second}
}
