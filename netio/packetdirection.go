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
type packetDirection struct {
	conn    *PacketConn
	user    *task.Ref // whose call is at work
	op      poll.Op
	packets []Packet   // of the operation
	one     [1]Packet  // for calls with one datagram
	last    string     // the name that came last
	waiting bool       // op is in flight
	late    bool       // the time of the call has passed
	queue   *callQueue // of the calls through net.PacketConns; nil if there are none

	timeout  time.Duration
	until    time.Time // when the call times out, known once it has waited
	deadline time.Time // for every call, of a net.PacketConn; zero is none
	timer    loop.Timer
}

// open makes h a direction of c.
func (d *packetDirection) open(c *PacketConn, kind poll.Kind) {
	d.conn = c
	d.op = poll.Op{Kind: kind, Handle: c.handle, Owner: d, Packets: &d.packets}
	d.timer.Target = (*packetDirectionTimer)(d)
}

// begin makes the running task the user of h for one call, until release.
func (d *packetDirection) begin(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return d.enter(r)
}

// at and enter make a packetHalf a seat, with release and Reason.
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

// release ends the call. The packets are the caller's, and not to be kept alive.
func (d *packetDirection) release() {
	d.user, d.packets, d.one, d.until = nil, nil, [1]Packet{}, time.Time{}
}

// call is the operation in the words of package net.
func (d *packetDirection) opName() string {
	if d.op.Kind == poll.Receive {
		return "read"
	}
	return "write"
}

// do performs the operation for packets, and returns how many were moved, also beside
// an error. Nothing in it allocates, unless it fails.
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

// wait parks the task until the operation in flight is reported. A timeout or a cancel
// ends that early by cancelling the operation in the poller.
func (d *packetDirection) wait(ctx context.Context) {
	d.startTimeout()
	d.waiting = true
	d.arm()
	task.Park(ctx, d) // which returns nil, since Cancel returns false
	d.waiting = false
	d.conn.loop.Driver().StopTimer(&d.timer)
}

// limit begins the time of the call, with its first wait.
func (d *packetDirection) startTimeout() {
	if d.timeout > 0 && d.until.IsZero() {
		d.until = saturate.Add(d.conn.loop.Time(), d.timeout)
	}
}

// end is when the call in flight is to time out. Zero is never.
func (d *packetDirection) expiry() time.Time {
	if t := d.deadline; !t.IsZero() && (d.until.IsZero() || t.Before(d.until)) {
		return t
	}
	return d.until
}

// isLate reports whether the deadline has passed: then nothing is even tried.
func (d *packetDirection) isLate() bool {
	return !d.deadline.IsZero() && !d.conn.loop.Time().Before(d.deadline)
}

// arm has the timer go off at the end of the call in flight.
func (d *packetDirection) arm() {
	if when := d.expiry(); when.IsZero() {
		d.conn.loop.Driver().StopTimer(&d.timer)
	} else {
		d.conn.loop.Driver().StartTimer(&d.timer, when)
	}
}

// setDeadline is that of a half.
func (d *packetDirection) setDeadline(t time.Time) error {
	if d.conn.closed {
		return d.conn.opError("set", nil, net.ErrClosed)
	}
	if d.deadline = t; d.waiting {
		d.arm()
	}
	return nil
}

// isFull reports whether a Send has failed only since the queue of a UNIX socket is
// full. No event says when there is room again, so do tries it again and again.
func (d *packetDirection) isFull() bool {
	return d.op.Err != nil && d.op.Kind == poll.Send && d.conn.network == "unixgram" &&
		errors.Is(d.op.Err, syscall.EAGAIN)
}

// pause lets d pass. It returns why the call is not to try again, as an error of the
// seam.
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

// failure says what the operation's error is for the caller. Only a cancel comes bare.
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
func (d *packetDirection) Complete(*poll.Op) { d.user.Wake() }

// Cancel asks for the end of the operation. It makes a packetHalf a task.Waiter.
func (d *packetDirection) Cancel(*task.Ref) bool {
	d.conn.loop.Poller().Cancel(&d.op)
	return false
}

// Reason and Owners are for reports.
func (d *packetDirection) Reason() string {
	if d.op.Kind == poll.Receive {
		return "a datagram to " + name(d.conn.local)
	}
	return "room to send from " + name(d.conn.local)
}

// Owners returns nil.
func (d *packetDirection) Owners() []*task.Ref { return nil }

// packetClock is a packetHalf as what its timer wakes.
type packetDirectionTimer packetDirection

// Wake ends the call in flight.
func (c *packetDirectionTimer) Wake() {
	d := (*packetDirection)(c)
	if d.waiting {
		d.late = true
		d.conn.loop.Poller().Cancel(&d.op)
	}
}
