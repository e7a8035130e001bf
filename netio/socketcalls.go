// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"io"
	"net"
	"syscall"

	"baton/task"
)

// Receive waits until something has arrived, and stores it in p: bytes of a stream, at
// least one, or a message. It drops the part of a message that does not fit. At the end of
// a stream it returns io.EOF. If p is empty, Receive returns at once.
func (s *Socket) Receive(ctx context.Context, p []byte) (n int, err error) {
	r, err := s.in.begin(ctx, "read")
	if err != nil {
		return 0, err
	}
	defer s.in.end(r)
	if len(p) == 0 {
		return 0, nil
	}
	err = s.in.do(ctx, "read", nil, func() (err error) { n, err = s.raw.receive(p); return err })
	if n == 0 && err == nil && s.kind.ends {
		err = io.EOF
	}
	return n, err
}

// ReceiveFrom is Receive for a datagram socket, and also returns the sender. from is nil if
// the socket is a stream or the sender has no name.
func (s *Socket) ReceiveFrom(ctx context.Context, p []byte) (n int, from net.Addr, err error) {
	r, err := s.in.begin(ctx, "read")
	if err != nil {
		return 0, nil, err
	}
	defer s.in.end(r)
	err = s.in.do(ctx, "read", nil, func() (err error) { n, from, err = s.raw.receiveFrom(p); return err })
	if n == 0 && err == nil && len(p) > 0 && s.kind.ends {
		err = io.EOF
	}
	return n, from, err
}

// SendAll sends all of p on a connected socket: as bytes of a stream, or as one message. On
// a stream it yields to other tasks after 256 KiB. n is the number of bytes that the kernel
// has taken, also if err is not nil.
func (s *Socket) SendAll(ctx context.Context, p []byte) (n int, err error) {
	r, err := s.out.begin(ctx, "write")
	if err != nil {
		return 0, err
	}
	defer s.out.end(r)
	for {
		piece := p[n:]
		if s.kind.stream {
			piece = piece[:min(len(piece), yieldBytes)]
		}
		var m int
		err := s.out.do(ctx, "write", nil, func() (err error) { m, err = s.raw.send(piece); return err })
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
		if m == yieldBytes {
			if err := task.Yield(ctx); err != nil {
				return n, err
			}
			if s.closed { // then the number of the descriptor may belong to another file
				return n, s.opError("write", nil, net.ErrClosed)
			}
		}
	}
}

// SendTo sends p as one datagram to a *net.UDPAddr or a *net.UnixAddr.
func (s *Socket) SendTo(ctx context.Context, p []byte, to net.Addr) error {
	r, err := s.out.begin(ctx, "write")
	if err != nil {
		return err
	}
	defer s.out.end(r)
	return s.out.do(ctx, "write", to, func() error { return s.raw.sendTo(p, to) })
}

// Connect connects the socket to a *net.TCPAddr, a *net.UDPAddr or a *net.UnixAddr. It
// looks up no names. An IPv6 socket accepts an IPv4 address too.
//
// Connect calls connect(2) once. A cancel only ends the wait: the kernel continues, and
// another Connect to the same address waits for the same connection. If the queue of a UNIX
// listener is full, the error is EAGAIN; try again later.
func (s *Socket) Connect(ctx context.Context, to net.Addr) error {
	r, err := s.out.begin(ctx, "dial")
	if err != nil {
		return err
	}
	defer s.out.end(r)
	switch err := s.raw.connect(to); err {
	case nil:
		return nil
	case syscall.EINPROGRESS, syscall.EALREADY, syscall.EINTR:
		// The kernel connects in the background, after EINTR too (connect(2)).
	default:
		return s.opError("dial", to, err)
	}
	waited := false
	return s.out.do(ctx, "dial", to, func() error {
		if !waited {
			waited = true
			return syscall.EAGAIN
		}
		return s.raw.connected()
	})
}

// Accept waits for a connection to a listening socket (listen(2)). It returns the
// connection's descriptor, which the caller must close, and the peer's address. The
// descriptor is non-blocking and close-on-exec, so [AdoptSocket] accepts it. After an error
// such as EMFILE the connection is still in the queue.
func (s *Socket) Accept(ctx context.Context) (fd uintptr, from net.Addr, err error) {
	r, err := s.in.begin(ctx, "accept")
	if err != nil {
		return 0, nil, err
	}
	defer s.in.end(r)
	err = s.in.do(ctx, "accept", nil, func() error {
		for {
			if fd, from, err = s.raw.accept(); err != syscall.ECONNABORTED {
				return err
			}
		}
	})
	return fd, from, err
}
