// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A Socket is for system calls on a socket that the caller owns: one with options or of
// a family that this package does not make, or one that came from elsewhere. Its calls
// are the system calls of the same names, and they wait where those would fail with
// EAGAIN. Nothing is read ahead, and no timeouts are kept: await.WithTimeout bounds a
// call.
//
// A Socket belongs to one loop. One task may receive or accept while another sends or
// connects; a second one in the same direction gets a [*BusyError]. A cancel ends the
// wait at once with a [*task.Canceled], and has taken nothing out of the socket: what
// comes is for the next call. Errors of the world are [*net.OpError] around what the
// kernel said.
//
// Close ends the watching, and the descriptor remains the caller's. It must be called
// before the descriptor is closed.
type Socket struct {
	loop    *loop.Loop
	handle  poll.Handle
	fd      uintptr
	raw     rawSocket
	kind    socketKind
	closed  bool
	in, out socketDirection
}

// A rawSocket is a socket as the kernel has it. No call waits: the error is
// syscall.EAGAIN instead. Errors are bare.
type rawSocket interface {
	receive(p []byte) (n int, err error)
	receiveFrom(p []byte) (n int, from net.Addr, err error)
	send(p []byte) (n int, err error)
	sendTo(p []byte, to net.Addr) error
	connect(to net.Addr) error
	connected() error // of a connect that was in progress
	accept() (fd uintptr, from net.Addr, err error)
}

// A socketKind is what a socket is.
type socketKind struct {
	network string // in the words of package net, if it has one
	stream  bool   // what is sent may be cut
	ends    bool   // zero bytes that are received are the end
}

// AdoptSocket makes a Socket of a descriptor that the caller owns and goes on owning.
// It must not block (syscall.SetNonblock): otherwise the error is EINVAL. A descriptor
// that is not a socket is ENOTSOCK, and one that the loop watches or uses already is an
// fs.ErrExist. Without a poller that can watch descriptors ([poll.Adopts] and
// [poll.Readiness]; today only Linux has one) it is errors.ErrUnsupported.
func AdoptSocket(ctx context.Context, fd uintptr) (*Socket, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	s := &Socket{loop: r.Loop(), fd: fd}
	if s.loop.Poller().Caps().Has(poll.Adopts | poll.Readiness) {
		if s.raw, s.kind, err = openRaw(fd); err == nil {
			s.handle, err = s.loop.Poller().Adopt(fd)
		}
	} else {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("netio: adopt socket %d: %w", fd, err)
	}
	s.in.open(s, poll.Readable)
	s.out.open(s, poll.Writable)
	return s, nil
}

// Close ends the watching. Every call that waits ends with net.ErrClosed, as do later
// ones, a second Close included. The descriptor stays open.
func (s *Socket) Close() error {
	mustHold(s.loop, "Socket.Close", s)
	if s.closed {
		return s.opError("close", nil, net.ErrClosed)
	}
	s.closed = true
	if err := s.handle.Close(); err != nil {
		return s.opError("close", nil, err)
	}
	return nil
}

// String names the descriptor.
func (s *Socket) String() string { return fmt.Sprintf("socket %d", s.fd) }

// opError dresses an error of the world.
func (s *Socket) opError(call string, to net.Addr, err error) error {
	return &net.OpError{Op: call, Net: s.kind.network, Addr: to, Err: err}
}

// A socketHalf is one direction of a Socket, with the one operation that can be in
// flight there. The operation only waits: nothing is lent to the kernel. So the user
// may leave while it is in flight, and the next one waits for the same operation.
type socketDirection struct {
	socket *Socket
	user   *task.Ref // whose call is at work; not one that was cancelled
	parked bool      // and it waits for the operation
	flying bool      // the operation is in flight, perhaps cancelled
	op     poll.Op   // Readable, or Writable
}

func (d *socketDirection) open(s *Socket, kind poll.Kind) {
	d.socket = s
	d.op = poll.Op{Kind: kind, Handle: s.handle, Owner: d}
}

// begin makes the running task the user of h for one call.
func (d *socketDirection) begin(ctx context.Context, call string) (*task.Ref, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	s := d.socket
	switch {
	case s == nil:
		panicWrongLoop(r, nil, "Socket")
	case r.Loop() != s.loop:
		panicWrongLoop(r, s.loop, "Socket")
	case s.closed:
		return nil, s.opError(call, nil, net.ErrClosed)
	case d.user != nil:
		return nil, &BusyError{Op: d.opName(), First: d.user.String(), Second: r.String()}
	}
	d.user = r
	return r, nil
}

// direction is what the half does, in the words of package net.
func (d *socketDirection) opName() string {
	if d.op.Kind == poll.Readable {
		return "read"
	}
	return "write"
}

// end ends the call of r.
func (d *socketDirection) end(r *task.Ref) {
	if d.user == r {
		d.user = nil
	}
}

// do calls try until the error is not that it would have to wait. Errors come as those of
// call, but for a cancel, which comes bare.
func (d *socketDirection) do(ctx context.Context, call string, to net.Addr, try func() error) error {
	for pause := time.Duration(0); ; {
		err := try()
		if err == syscall.EINTR {
			continue
		}
		if err == syscall.EAGAIN {
			pause, err = d.wait(ctx, pause)
		} else if err == nil {
			return nil
		}
		if _, canceled := err.(*task.Canceled); canceled {
			return err
		} else if err != nil {
			return d.socket.opError(call, to, err)
		}
	}
}

// wait returns when a try may succeed. If the socket has been ready before in spite of
// an EAGAIN, it lets pause pass, and returns the next pause: a UNIX socket of datagrams
// is writable while the receiver's queue is full, and no event says when there is room.
func (d *socketDirection) wait(ctx context.Context, pause time.Duration) (time.Duration, error) {
	l := d.socket.loop
	for {
		if !d.flying {
			if l.Driver().Submit(&d.op) {
				if d.op.Err != nil || pause == 0 {
					return firstRetry, d.op.Err
				}
				if err := task.ParkUntil(ctx, saturate.Add(l.Time(), pause)); err != nil {
					return 0, err
				}
				return min(2*pause, longestRetry), d.state()
			}
			d.flying = true
		}
		d.parked = true
		if err := task.Park(ctx, d); err != nil {
			return 0, err
		}
		// A cancel was another call's, and says nothing of the socket.
		if err := d.state(); err != poll.ErrCanceled {
			return 0, err
		}
	}
}

// state returns why the call that has waited is not to try again.
func (d *socketDirection) state() error {
	if d.socket.closed {
		return net.ErrClosed
	}
	return d.op.Err
}

// Complete has the user try again. It is the loop's to call.
func (d *socketDirection) Complete(*poll.Op) {
	d.flying = false
	if d.parked {
		d.parked = false
		d.user.Wake()
	}
}

// Cancel ends the wait at once: the next user need not wait until the task has left. It
// makes a socketHalf a task.Waiter.
func (d *socketDirection) Cancel(*task.Ref) bool {
	d.user, d.parked = nil, false
	d.socket.loop.Poller().Cancel(&d.op)
	return true
}

// Reason and Owners are for reports.
func (d *socketDirection) Reason() string { return fmt.Sprintf("%v to be %v", d.socket, d.op.Kind) }

// Owners returns nil.
func (d *socketDirection) Owners() []*task.Ref { return nil }
