// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"strings"
	"syscall"

	"baton/loop/poll"
)

// SyscallConn returns the socket as a [syscall.RawConn], for options that netio does not
// know and for the credentials of a UNIX peer. Without a socket, as in a simulated world, the
// error is errors.ErrUnsupported.
//
// The RawConn may be used where the stream may be used. The functions that are passed to it
// must neither switch nor block. Read and Write of the RawConn do not wait: they call their
// function once, and return syscall.EAGAIN if it reports that the socket is not ready. They
// bypass the stream: calls in progress, bytes that were read ahead, and TLS.
func (s *Stream) SyscallConn() (syscall.RawConn, error) {
	s.held("Stream.SyscallConn")
	return newRawConn(s.held, "Stream", s.opError, s.handle)
}

// SyscallConn is like [Stream.SyscallConn]. Control calls its function for each address, in
// the order of Addrs. Read and Write fail with syscall.EINVAL.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	held := func(call string) { mustHold(l.loop, call, l) }
	held("Listener.SyscallConn")
	handles := make([]poll.Handle, len(l.sockets))
	for i, s := range l.sockets {
		handles[i] = s.op.Handle
	}
	raw, err := newRawConn(held, "Listener", l.opError, handles...)
	if err != nil {
		return nil, err
	}
	return rawListener{raw}, nil
}

// SyscallConn is like [Stream.SyscallConn].
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) {
	c.held("PacketConn.SyscallConn")
	return newRawConn(c.held, "PacketConn", func(op string, err error) error { return c.opError(op, nil, err) }, c.handle)
}

// A rawConn is a syscall.RawConn of one or several handles.
type rawConn struct {
	held    func(call string)
	name    string // of the type to which the handles belong
	opError func(op string, err error) error
	handles []poll.Controller
}

func newRawConn(held func(string), name string, opError func(string, error) error, handles ...poll.Handle) (*rawConn, error) {
	c := &rawConn{held: held, name: name, opError: opError}
	for _, h := range handles {
		controller, ok := h.(poll.Controller)
		if !ok {
			return nil, opError("raw-control", errors.ErrUnsupported)
		}
		c.handles = append(c.handles, controller)
	}
	return c, nil
}

// Control implements syscall.RawConn.
func (c *rawConn) Control(fn func(fd uintptr)) error {
	c.held(c.name + "'s RawConn.Control")
	for _, h := range c.handles {
		if err := h.Control(fn); err != nil {
			return c.opError("raw-control", err)
		}
	}
	return nil
}

// Read implements syscall.RawConn.
func (c *rawConn) Read(fn func(fd uintptr) (done bool)) error { return c.once("Read", fn) }

// Write implements syscall.RawConn.
func (c *rawConn) Write(fn func(fd uintptr) (done bool)) error { return c.once("Write", fn) }

// once calls fn once. It does not wait.
func (c *rawConn) once(call string, fn func(fd uintptr) (done bool)) error {
	c.held(c.name + "'s RawConn." + call)
	done := false
	err := c.handles[0].Control(func(fd uintptr) { done = fn(fd) })
	if err == nil && !done {
		err = syscall.EAGAIN
	}
	if err != nil {
		return c.opError("raw-"+strings.ToLower(call), err)
	}
	return nil
}

// A rawListener is the rawConn of a listener, which can neither read nor write.
type rawListener struct{ *rawConn }

// Read implements syscall.RawConn.
func (l rawListener) Read(func(fd uintptr) (done bool)) error {
	return l.opError("raw-read", syscall.EINVAL)
}

// Write implements syscall.RawConn.
func (l rawListener) Write(func(fd uintptr) (done bool)) error {
	return l.opError("raw-write", syscall.EINVAL)
}

var (
	_ syscall.Conn = (*Stream)(nil)
	_ syscall.Conn = (*Listener)(nil)
	_ syscall.Conn = (*PacketConn)(nil)
)
