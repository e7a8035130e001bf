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

// A Socket makes system calls on a socket that the caller owns. Use it for options or
// families that this package does not support, and for sockets that other code has made.
// Its methods correspond to system calls, and wait where these would fail with EAGAIN. A
// Socket reads nothing ahead and has no timeouts; use await.WithTimeout.
//
// A Socket belongs to one loop. One task may receive or accept while another sends or
// connects. A second task in the same direction gets a [*BusyError]. A cancel ends a wait
// at once with a [*task.Canceled], and takes nothing from the socket: the next call gets
// what arrives. Errors of the network are [*net.OpError] around the kernel's error.
//
// Close ends the use of the descriptor, which stays open and remains the caller's. Close
// the Socket before the descriptor.
type Socket struct {
	loop    *loop.Loop
	handle  poll.Handle
	fd      uintptr
	raw     rawSocket
	kind    socketKind
	closed  bool
	in, out socketDirection
}

// A rawSocket makes system calls on a socket. No call waits: it returns syscall.EAGAIN
// instead. Errors are not wrapped in a *net.OpError.
type rawSocket interface {
	receive(p []byte) (n int, err error)
	receiveFrom(p []byte) (n int, from net.Addr, err error)
	send(p []byte) (n int, err error)
	sendTo(p []byte, to net.Addr) error
	connect(to net.Addr) error
	connected() error // the result of a connect in progress
	accept() (fd uintptr, from net.Addr, err error)
}

// A socketKind describes a socket.
type socketKind struct {
	network string // the name in package net, or "socket"
	stream  bool   // sent data may be split
	ends    bool   // receiving zero bytes means the end
}

// AdoptSocket returns a Socket for a descriptor that the caller owns and continues to own.
// The descriptor must be non-blocking (syscall.SetNonblock): otherwise the error is EINVAL.
// If it is not a socket, the error is ENOTSOCK; if the loop already watches or uses it, an
// fs.ErrExist. AdoptSocket needs a poller that can watch descriptors ([poll.Adopts] and
// [poll.Readiness]), which today only Linux has: otherwise the error is
// errors.ErrUnsupported.
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

// Close ends the use of the descriptor, which stays open. Waiting calls and later calls
// fail with net.ErrClosed, a second Close too.
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

// String returns the number of the descriptor, as in "socket 7".
func (s *Socket) String() string { return fmt.Sprintf("socket %d", s.fd) }

// opError wraps an error of the network.
func (s *Socket) opError(call string, to net.Addr, err error) error {
	return &net.OpError{Op: call, Net: s.kind.network, Addr: to, Err: err}
}

// A socketDirection is one direction of a Socket, with the one operation that can be in
// flight there. The operation only waits and uses no buffer. So a cancelled call can return
// while the operation is in flight, and the next call waits for the same operation.
type socketDirection struct {
	socket   *Socket
	user     *task.Ref // whose call uses the direction; nil after a cancel
	parked   bool      // user waits for the operation
	inFlight bool      // the operation is in flight, perhaps cancelled
	op       poll.Op   // Readable, or Writable
}

func (d *socketDirection) open(s *Socket, kind poll.Kind) {
	d.socket = s
	d.op = poll.Op{Kind: kind, Handle: s.handle, Owner: d}
}

// begin makes the running task the user of d for one call.
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

// opName returns the name of the direction as in package net.
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

// do calls try until it does not return EAGAIN. It wraps an error as one of call, except a
// cancel.
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

// wait returns when a try may succeed. The socket may have been reported as ready before,
// and the try may still have failed with EAGAIN. Then wait sleeps for pause and returns the
// next pause. A UNIX datagram socket behaves like this: it is writable while the receiver's
// queue is full, and no event reports when there is space.
func (d *socketDirection) wait(ctx context.Context, pause time.Duration) (time.Duration, error) {
	l := d.socket.loop
	for {
		if !d.inFlight {
			if l.Driver().Submit(&d.op) {
				if d.op.Err != nil || pause == 0 {
					return firstRetry, d.op.Err
				}
				if err := task.ParkUntil(ctx, saturate.Add(l.Time(), pause)); err != nil {
					return 0, err
				}
				return min(2*pause, longestRetry), d.state()
			}
			d.inFlight = true
		}
		d.parked = true
		if err := task.Park(ctx, d); err != nil {
			return 0, err
		}
		// The operation was cancelled by another call; the socket may be ready or not.
		if err := d.state(); err != poll.ErrCanceled {
			return 0, err
		}
	}
}

// state returns the error if the waiting call must not try again.
func (d *socketDirection) state() error {
	if d.socket.closed {
		return net.ErrClosed
	}
	return d.op.Err
}

// Complete makes the user try again. Only the loop calls it.
func (d *socketDirection) Complete(*poll.Op) {
	d.inFlight = false
	if d.parked {
		d.parked = false
		d.user.Wake()
	}
}

// Cancel ends the wait at once, so that the next user need not wait until the task has
// returned. It makes a socketDirection a task.Waiter.
func (d *socketDirection) Cancel(*task.Ref) bool {
	d.user, d.parked = nil, false
	d.socket.loop.Poller().Cancel(&d.op)
	return true
}

// Reason says what the task waits for.
func (d *socketDirection) Reason() string { return fmt.Sprintf("%v to be %v", d.socket, d.op.Kind) }

// Owners returns nil: the task waits for no other task.
func (d *socketDirection) Owners() []*task.Ref { return nil }
