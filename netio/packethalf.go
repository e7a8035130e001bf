// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A packetHalf is one direction of a PacketConn, with the one operation that can be in
// flight there.
type packetHalf struct {
	conn    *PacketConn
	user    *task.Ref // whose call is at work
	op      poll.Op
	packets []Packet  // of the operation
	one     [1]Packet // for calls with one datagram
	last    string    // the name that came last
	waiting bool      // op is in flight
	late    bool      // the time of the call has passed
	turns   *turns    // of the calls through net.PacketConns; nil if there are none

	timeout  time.Duration
	until    time.Time // when the call times out, known once it has waited
	deadline time.Time // for every call, of a net.PacketConn; zero is none
	timer    loop.Timer
}

// open makes h a direction of c.
func (h *packetHalf) open(c *PacketConn, kind poll.Kind) {
	h.conn = c
	h.op = poll.Op{Kind: kind, Handle: c.handle, Owner: h, Packets: &h.packets}
	h.timer.Target = (*packetClock)(h)
}

// begin makes the running task the user of h for one call, until release.
func (h *packetHalf) begin(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return h.enter(r)
}

// at and enter make a packetHalf a seat, with release and Reason.
func (h *packetHalf) at() **task.Ref { return &h.user }

func (h *packetHalf) enter(r *task.Ref) error {
	c := h.conn
	switch {
	case c == nil:
		elsewhere(r, nil, "PacketConn")
	case r.Loop() != c.loop:
		elsewhere(r, c.loop, "PacketConn")
	case c.closed:
		return c.opError(h.call(), nil, net.ErrClosed)
	case h.user != nil:
		return &BusyError{Op: h.call(), First: h.user.String(), Second: r.String()}
	}
	h.user = r
	return nil
}

// release ends the call. The packets are the caller's, and not to be kept alive.
func (h *packetHalf) release() {
	h.user, h.packets, h.one, h.until = nil, nil, [1]Packet{}, time.Time{}
}

// call is the operation in the words of package net.
func (h *packetHalf) call() string {
	if h.op.Kind == poll.Receive {
		return "read"
	}
	return "write"
}

// do performs the operation for packets, and returns how many were moved, also beside
// an error. Nothing in it allocates, unless it fails.
func (h *packetHalf) do(ctx context.Context, packets []Packet) (n int, err error) {
	if h.packets = packets; h.isLate() {
		h.late = true
		return 0, h.failure(ctx, poll.ErrCanceled)
	}
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		h.late, h.packets = false, packets[n:]
		if !h.conn.loop.Driver().Submit(&h.op) {
			h.wait(ctx)
		}
		n += h.op.N
		h.packets = packets[n:]
		if !h.isFull() {
			break
		}
		if err := h.pause(ctx, pause); err != nil {
			h.op.Err = err
			break
		}
	}
	if h.op.Err != nil {
		return n, h.failure(ctx, h.op.Err)
	}
	return n, nil
}

// wait parks the task until the operation in flight is reported. A timeout or a cancel
// ends that early by cancelling the operation in the poller.
func (h *packetHalf) wait(ctx context.Context) {
	h.limit()
	h.waiting = true
	h.arm()
	task.Park(ctx, h) // which returns nil, since Cancel returns false
	h.waiting = false
	h.conn.loop.Driver().StopTimer(&h.timer)
}

// limit begins the time of the call, with its first wait.
func (h *packetHalf) limit() {
	if h.timeout > 0 && h.until.IsZero() {
		h.until = saturate.Add(h.conn.loop.Time(), h.timeout)
	}
}

// end is when the call in flight is to time out. Zero is never.
func (h *packetHalf) end() time.Time {
	if d := h.deadline; !d.IsZero() && (h.until.IsZero() || d.Before(h.until)) {
		return d
	}
	return h.until
}

// isLate reports whether the deadline has passed: then nothing is even tried.
func (h *packetHalf) isLate() bool {
	return !h.deadline.IsZero() && !h.conn.loop.Time().Before(h.deadline)
}

// arm has the timer go off at the end of the call in flight.
func (h *packetHalf) arm() {
	if when := h.end(); when.IsZero() {
		h.conn.loop.Driver().StopTimer(&h.timer)
	} else {
		h.conn.loop.Driver().StartTimer(&h.timer, when)
	}
}

// setDeadline is that of a half.
func (h *packetHalf) setDeadline(t time.Time) error {
	if h.conn.closed {
		return h.conn.opError("set", nil, net.ErrClosed)
	}
	if h.deadline = t; h.waiting {
		h.arm()
	}
	return nil
}

// isFull reports whether a Send has failed only since the queue of a UNIX socket is
// full. No event says when there is room again, so do tries it again and again.
func (h *packetHalf) isFull() bool {
	return h.op.Err != nil && h.op.Kind == poll.Send && h.conn.network == "unixgram" &&
		errors.Is(h.op.Err, syscall.EAGAIN)
}

// pause lets d pass. It returns why the call is not to try again, as an error of the
// seam.
func (h *packetHalf) pause(ctx context.Context, d time.Duration) error {
	h.limit()
	when := saturate.Add(h.conn.loop.Time(), d)
	if end := h.end(); !end.IsZero() && end.Before(when) {
		when = end
	}
	switch err := task.ParkUntil(ctx, when); {
	case h.conn.closed:
		return net.ErrClosed
	case err != nil:
		return poll.ErrCanceled
	}
	end := h.end()
	if h.late = !end.IsZero() && !h.conn.loop.Time().Before(end); h.late {
		return poll.ErrCanceled
	}
	return nil
}

// failure says what the operation's error is for the caller. Only a cancel comes bare.
func (h *packetHalf) failure(ctx context.Context, err error) error {
	if err == poll.ErrCanceled {
		if !h.late {
			return canceled(ctx)
		}
		err = os.ErrDeadlineExceeded
	}
	var to net.Addr
	if h.op.Kind == poll.Send && h.conn.remote == nil && len(h.packets) > 0 {
		to = h.conn.destination(&h.packets[0])
	}
	return h.conn.opError(h.call(), to, err)
}

// destination is where a packet was to go, for an error.
func (c *PacketConn) destination(p *Packet) net.Addr {
	switch {
	case p.Addr.IsValid():
		return net.UDPAddrFromAddrPort(p.Addr)
	case p.Name != "":
		return &net.UnixAddr{Name: p.Name, Net: "unixgram"}
	}
	return nil
}

// Complete wakes the task. It is the loop's to call.
func (h *packetHalf) Complete(*poll.Op) { h.user.Wake() }

// Cancel asks for the end of the operation. It makes a packetHalf a task.Waiter.
func (h *packetHalf) Cancel(*task.Ref) bool {
	h.conn.loop.Poller().Cancel(&h.op)
	return false
}

// Reason and Owners are for reports.
func (h *packetHalf) Reason() string {
	if h.op.Kind == poll.Receive {
		return "a datagram to " + name(h.conn.local)
	}
	return "room to send from " + name(h.conn.local)
}

// Owners returns nil.
func (h *packetHalf) Owners() []*task.Ref { return nil }

// packetClock is a packetHalf as what its timer wakes.
type packetClock packetHalf

// Wake ends the call in flight.
func (c *packetClock) Wake() {
	h := (*packetHalf)(c)
	if h.waiting {
		h.late = true
		h.conn.loop.Poller().Cancel(&h.op)
	}
}
