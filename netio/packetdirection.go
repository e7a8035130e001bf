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

// A packetDirection is the reading or the writing side of a PacketConn, with the one
// operation that can be in flight there.
type packetDirection struct {
	conn    *PacketConn
	user    *task.Ref // the task whose call uses the direction
	op      poll.Op
	packets []Packet   // of the operation
	one     [1]Packet  // for calls with one datagram
	last    string     // the sender's name in the previous datagram
	waiting bool       // op is in flight
	late    bool       // the timeout or deadline of the call has passed
	queue   *callQueue // of the calls through net.PacketConns; nil if there are none

	timeout  time.Duration
	until    time.Time // when the current call times out; zero until it has waited
	deadline time.Time // of all calls, set through a net.PacketConn; zero means none
	timer    loop.Timer
}

// open initializes d as a direction of c: receiving or sending, by kind.
func (d *packetDirection) open(c *PacketConn, kind poll.Kind) {
	d.conn = c
	d.op = poll.Op{Kind: kind, Handle: c.handle, Owner: d, Packets: &d.packets}
	d.timer.Target = (*packetDirectionTimer)(d)
}

// begin makes the running task the user of d for one call, until release.
func (d *packetDirection) begin(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return d.enter(r)
}

// userField and enter make a packetDirection a slot, together with release and Reason.
func (d *packetDirection) userField() **task.Ref { return &d.user }

func (d *packetDirection) enter(r *task.Ref) error {
	c := d.conn
	switch {
	case c == nil:
		panicWrongLoop(r, nil, "PacketConn")
	case r.Loop() != c.loop:
		panicWrongLoop(r, c.loop, "PacketConn")
	case c.closed:
		return c.opError(d.opName(), nil, net.ErrClosed)
	case d.user != nil:
		return &BusyError{Op: d.opName(), First: d.user.String(), Second: r.String()}
	}
	d.user = r
	return nil
}

// release ends the call. It drops the packets, which belong to the caller.
func (d *packetDirection) release() {
	d.user, d.packets, d.one, d.until = nil, nil, [1]Packet{}, time.Time{}
}

// opName returns the name of the operation as in package net.
func (d *packetDirection) opName() string {
	if d.op.Kind == poll.Receive {
		return "read"
	}
	return "write"
}

// do performs the operation for packets. It returns how many were moved, even with an
// error. It does not allocate unless it fails.
func (d *packetDirection) do(ctx context.Context, packets []Packet) (n int, err error) {
	if d.packets = packets; d.isLate() {
		d.late = true
		return 0, d.failure(ctx, poll.ErrCanceled)
	}
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		d.late, d.packets = false, packets[n:]
		if !d.conn.loop.Driver().Submit(&d.op) {
			d.wait(ctx)
		}
		n += d.op.N
		d.packets = packets[n:]
		if !d.isFull() {
			break
		}
		if err := d.pause(ctx, pause); err != nil {
			d.op.Err = err
			break
		}
	}
	if d.op.Err != nil {
		return n, d.failure(ctx, d.op.Err)
	}
	return n, nil
}

// wait parks the task until the poller reports the operation. A timeout or a cancel ends
// the wait early by cancelling the operation in the poller.
func (d *packetDirection) wait(ctx context.Context) {
	d.startTimeout()
	d.waiting = true
	d.arm()
	task.Park(ctx, d) // returns nil, because Cancel returns false
	d.waiting = false
	d.conn.loop.Driver().StopTimer(&d.timer)
}

// startTimeout starts the timeout of the call at its first wait.
func (d *packetDirection) startTimeout() {
	if d.timeout > 0 && d.until.IsZero() {
		d.until = saturate.Add(d.conn.loop.Time(), d.timeout)
	}
}

// expiry returns when the current call times out. Zero means never.
func (d *packetDirection) expiry() time.Time {
	if t := d.deadline; !t.IsZero() && (d.until.IsZero() || t.Before(d.until)) {
		return t
	}
	return d.until
}

// isLate reports whether the deadline has passed. Then no operation is tried.
func (d *packetDirection) isLate() bool {
	return !d.deadline.IsZero() && !d.conn.loop.Time().Before(d.deadline)
}

// arm starts the timer for the expiry of the current call, or stops it if there is none.
func (d *packetDirection) arm() {
	if when := d.expiry(); when.IsZero() {
		d.conn.loop.Driver().StopTimer(&d.timer)
	} else {
		d.conn.loop.Driver().StartTimer(&d.timer, when)
	}
}

// setDeadline does what the method of a direction does.
func (d *packetDirection) setDeadline(t time.Time) error {
	if d.conn.closed {
		return d.conn.opError("set", nil, net.ErrClosed)
	}
	if d.deadline = t; d.waiting {
		d.arm()
	}
	return nil
}

// isFull reports whether a Send has failed only because the queue of a UNIX socket is full.
// No event reports when there is space again, so do tries again repeatedly.
func (d *packetDirection) isFull() bool {
	return d.op.Err != nil && d.op.Kind == poll.Send && d.conn.network == "unixgram" &&
		errors.Is(d.op.Err, syscall.EAGAIN)
}

// pause waits before another try. It returns net.ErrClosed or poll.ErrCanceled if the call
// must not try again.
func (d *packetDirection) pause(ctx context.Context, wait time.Duration) error {
	d.startTimeout()
	when := saturate.Add(d.conn.loop.Time(), wait)
	if end := d.expiry(); !end.IsZero() && end.Before(when) {
		when = end
	}
	switch err := task.ParkUntil(ctx, when); {
	case d.conn.closed:
		return net.ErrClosed
	case err != nil:
		return poll.ErrCanceled
	}
	end := d.expiry()
	if d.late = !end.IsZero() && !d.conn.loop.Time().Before(end); d.late {
		return poll.ErrCanceled
	}
	return nil
}

// failure converts an operation's error for the caller. Only a cancel stays unwrapped.
func (d *packetDirection) failure(ctx context.Context, err error) error {
	if err == poll.ErrCanceled {
		if !d.late {
			return canceled(ctx)
		}
		err = os.ErrDeadlineExceeded
	}
	var to net.Addr
	if d.op.Kind == poll.Send && d.conn.remote == nil && len(d.packets) > 0 {
		to = d.conn.destination(&d.packets[0])
	}
	return d.conn.opError(d.opName(), to, err)
}

// destination returns where a packet was sent to, for an error.
func (c *PacketConn) destination(p *Packet) net.Addr {
	switch {
	case p.Addr.IsValid():
		return net.UDPAddrFromAddrPort(p.Addr)
	case p.Name != "":
		return &net.UnixAddr{Name: p.Name, Net: "unixgram"}
	}
	return nil
}

// Complete wakes the task. Only the loop calls it.
func (d *packetDirection) Complete(*poll.Op) { d.user.Wake() }

// Cancel cancels the operation; its completion wakes the task. It makes a packetDirection a
// task.Waiter.
func (d *packetDirection) Cancel(*task.Ref) bool {
	d.conn.loop.Poller().Cancel(&d.op)
	return false
}

// Reason says what the task waits for.
func (d *packetDirection) Reason() string {
	if d.op.Kind == poll.Receive {
		return "a datagram to " + name(d.conn.local)
	}
	return "space to send from " + name(d.conn.local)
}

// Owners returns nil: the task waits for no other task.
func (d *packetDirection) Owners() []*task.Ref { return nil }

// packetDirectionTimer is a packetDirection as the target of its timer.
type packetDirectionTimer packetDirection

// Wake cancels the operation in flight.
func (t *packetDirectionTimer) Wake() {
	d := (*packetDirection)(t)
	if d.waiting {
		d.late = true
		d.conn.loop.Poller().Cancel(&d.op)
	}
}
