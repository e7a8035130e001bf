// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"io"
	"net"
	"syscall"

	"baton/task"
)

// Receive waits until there is something, and puts it into p: bytes of a stream, at least
// one, or a message, of which it drops what has no room. At the end of a stream it
// returns io.EOF. An empty p receives nothing and does not wait.
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

// ReceiveFrom is Receive for a socket of datagrams, and also returns the sender. That is
// nil if the socket is one of streams, or the sender has no name.
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

// SendAll sends all of p, on a socket that is connected: as the bytes of a stream, which
// gives way to other tasks after 256 KiB, or as one message. n bytes were taken by the
// kernel, also beside an error.
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
			if s.closed { // and the descriptor may be another file's
				return n, s.opError("write", nil, net.ErrClosed)
			}
		}
	}
}

// SendTo sends p as one datagram to an address: a *net.UDPAddr or a *net.UnixAddr.
func (s *Socket) SendTo(ctx context.Context, p []byte, to net.Addr) error {
	r, err := s.out.begin(ctx, "write")
	if err != nil {
		return err
	}
	defer s.out.end(r)
	return s.out.do(ctx, "write", to, func() error { return s.raw.sendTo(p, to) })
}

// Connect connects the socket to an address: a *net.TCPAddr, a *net.UDPAddr or a
// *net.UnixAddr. It looks up no names; an IPv6 socket takes the address of IPv4 as well.
//
// connect(2) is called once. A cancel only ends the wait: the kernel goes on, and another
// Connect to the same address waits for the same connection. A UNIX socket whose
// listener's queue is full is EAGAIN; try again later.
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
		// After EINTR, too, it goes on in the background (connect(2)).
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

// Accept waits for a connection to a socket that listens (listen(2)), and returns its
// descriptor, which is the caller's to close, and the peer's address. The descriptor does
// not block and is close-on-exec, so that [AdoptSocket] takes it. After EMFILE and the
// like the connection is still there.
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
