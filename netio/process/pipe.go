// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"baton/loop/poll"
	"baton/netio"
	"baton/task"
)

// ReadPipe returns a stream that reads from f. File f must be a pipe, a named pipe, a terminal
// or another character device, or a connected stream socket. For a regular file the error is
// EINVAL: use package file. The stream reads from a duplicate of f; the caller keeps f and
// closes it. ReadPipe may switch, but waits for nothing.
//
// Write on the stream fails with EBADF unless f is a socket. Methods for sockets, such as
// SetNoDelay, fail or do nothing. LocalAddr and RemoteAddr return the name of f. The stream
// of a pipe returns io.EOF when all writers of the pipe have closed it.
//
// On Linux the stream of a pipe or terminal opens the file again. So nothing changes for other
// programs that share f, such as the shell if f is os.Stdin. In all other cases f becomes
// non-blocking, also for every program that shares it: for sockets, where /proc is not
// mounted, and on other systems.
//
// Errors are [*net.OpError] with the operation "file". In a simulated world, and on systems
// other than UNIX, the error is errors.ErrUnsupported. ReadPipe is the connect_read_pipe of
// PEP 3156.
func ReadPipe(ctx context.Context, f *os.File) (*netio.Stream, error) {
	return openPipe(ctx, f, poll.Read, nameOf(f))
}

// WritePipe returns a stream that writes to f. Otherwise it is like [ReadPipe]. The reader of
// the pipe finds the end when both the stream and f are closed. CloseWrite closes the stream
// for writing. When the reader has closed the pipe, Write fails with EPIPE. To notice that
// without writing, call Read: it waits until the reader has closed the pipe, and returns
// io.EOF.
//
// WritePipe is the connect_write_pipe of PEP 3156.
func WritePipe(ctx context.Context, f *os.File) (*netio.Stream, error) {
	return openPipe(ctx, f, poll.Write, nameOf(f))
}

// openPipe returns a stream for f. File f may be nil if ctx is cancelled.
func openPipe(ctx context.Context, f *os.File, kind poll.Kind, name string) (*netio.Stream, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	var h poll.Handle
	addr := &pipeAddr{name}
	if importer, ok := r.Loop().Poller().(poll.PipeImporter); ok {
		h, err = importer.ImportPipe(f, kind, addr)
	} else {
		err = fmt.Errorf("the poller of %v has no pipes: %w", r.Loop(), errors.ErrUnsupported)
	}
	if err != nil {
		return nil, &net.OpError{Op: "file", Net: "pipe", Addr: addr, Err: err}
	}
	d := netio.Detached{Loop: r.Loop(), Handle: h}
	return d.Stream(netio.StreamConfig{}), nil
}

// A pipeAddr is the name of a pipe as a net.Addr. Each stream has its own pipeAddr.
type pipeAddr struct{ name string }

// Network and String implement net.Addr.
func (*pipeAddr) Network() string  { return "pipe" }
func (a *pipeAddr) String() string { return a.name }

// nameOf returns the name of f. It accepts nil, so that a call with a nil f under a cancelled
// ctx returns the cancel and does not panic.
func nameOf(f *os.File) string {
	if f == nil {
		return ""
	}
	return f.Name()
}
