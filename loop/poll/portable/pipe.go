// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/internal/pipe"
)

var _ poll.PipeImporter = (*Poller)(nil)

// ImportPipe implements [poll.PipeImporter]. Package os waits, inside Go's network poller. On
// systems other than UNIX the error is errors.ErrUnsupported.
func (p *Poller) ImportPipe(f *os.File, kind poll.Kind, name net.Addr) (poll.Handle, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	if kind != poll.Read && kind != poll.Write {
		return nil, syscall.EINVAL
	}
	fd, _, err := pipe.Open(f, kind == poll.Write)
	if err == pipe.ErrSocket {
		return p.Import(f, poll.Read, poll.SocketOptions{})
	} else if err != nil {
		return nil, err
	}
	return newConn(p, &pipeEnd{file: os.NewFile(uintptr(fd), name.String()), kind: kind, name: name}), nil
}

// A pipeEnd is a stream of one direction.
type pipeEnd struct {
	file  *os.File
	kind  poll.Kind
	name  net.Addr
	ended atomic.Bool // set by CloseWrite
}

// Read implements net.Conn. On the writing end of a pipe it waits until the reading end is
// closed.
func (e *pipeEnd) Read(p []byte) (int, error) {
	if e.kind == poll.Read {
		n, err := e.file.Read(p)
		return n, e.unwrap(err)
	}
	conn, err := e.file.SyscallConn()
	var failure error
	if err == nil {
		err = conn.Read(func(fd uintptr) (gone bool) {
			gone, failure = pipe.Gone(int(fd))
			return gone || failure != nil
		})
	}
	switch {
	case err == nil && failure != nil:
		return 0, failure
	case err == nil, e.ended.Load():
		return 0, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, err
	}
	return 0, net.ErrClosed // the only other error of package os here means closed
}

// Write implements net.Conn.
func (e *pipeEnd) Write(p []byte) (int, error) {
	n, err := e.file.Write(p)
	if err != nil && e.ended.Load() {
		return n, os.NewSyscallError("write", syscall.EPIPE)
	}
	return n, e.unwrap(err)
}

// unwrap returns the bare error in an error of package os.
func (e *pipeEnd) unwrap(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		if errno, ok := path.Err.(syscall.Errno); ok {
			return os.NewSyscallError(path.Op, errno)
		}
		return path.Err
	}
	return err
}

// CloseWrite closes the descriptor of a writing end, because nothing else ends the stream for
// the reader.
func (e *pipeEnd) CloseWrite() error {
	if e.kind == poll.Read || e.ended.Swap(true) {
		return nil
	}
	return e.unwrap(e.file.Close())
}

// Close implements net.Conn.
func (e *pipeEnd) Close() error {
	err := e.file.Close()
	if err != nil && e.ended.Load() {
		return nil
	}
	return e.unwrap(err)
}

// LocalAddr and RemoteAddr implement net.Conn.
func (e *pipeEnd) LocalAddr() net.Addr  { return e.name }
func (e *pipeEnd) RemoteAddr() net.Addr { return e.name }

// The deadline methods implement net.Conn. A device that Go's network poller cannot watch, such
// as /dev/null, has no deadlines, and never blocks.
func (e *pipeEnd) SetDeadline(t time.Time) error { return ignoreNoDeadline(e.file.SetDeadline(t)) }
func (e *pipeEnd) SetReadDeadline(t time.Time) error {
	return ignoreNoDeadline(e.file.SetReadDeadline(t))
}
func (e *pipeEnd) SetWriteDeadline(t time.Time) error {
	return ignoreNoDeadline(e.file.SetWriteDeadline(t))
}

// ignoreNoDeadline returns nil for os.ErrNoDeadline, and err otherwise.
func ignoreNoDeadline(err error) error {
	if errors.Is(err, os.ErrNoDeadline) {
		return nil
	}
	return err
}
