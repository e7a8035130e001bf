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

// ReadPipe returns a stream that reads from f: a pipe, a named pipe, a terminal or another
// character device, or a connected stream socket. A regular file is no pipe, and the error
// is EINVAL: read it with [await.Blocking]. The stream reads from a duplicate of f, which
// stays the caller's. ReadPipe does not switch for long: nothing in it waits.
//
// Write fails on the stream with EBADF, unless f is a socket. Methods of sockets, such as
// SetNoDelay, do nothing or fail. LocalAddr and RemoteAddr return the name of f.
//
// On Linux the stream of a pipe or terminal has an open file of its own, so that other
// programs that share f (the shell, if f is os.Stdin) find it as it was. Where that is not
// possible, f does not block from then on, for everyone who shares it: for sockets, where
// /proc is not mounted, and on other systems. A pipe is read to its end when all its
// writers have closed it.
//
// Errors are [*net.OpError] of the operation "file". In a simulated world, and on systems
// not of the UNIX sort, it is errors.ErrUnsupported. PEP 3156's connect_read_pipe.
func ReadPipe(ctx context.Context, f *os.File) (*netio.Stream, error) {
	return openPipe(ctx, f, poll.Read, nameOf(f))
}

// WritePipe returns a stream that writes to f, like [ReadPipe]. The reader finds the end
// of the pipe when the stream and f are both closed; CloseWrite closes the stream for
// writing. Once the reader has gone, Write fails with EPIPE. To learn of that without
// writing, call Read: it waits for the end of the reader, and returns io.EOF.
//
// PEP 3156's connect_write_pipe.
func WritePipe(ctx context.Context, f *os.File) (*netio.Stream, error) {
	return openPipe(ctx, f, poll.Write, nameOf(f))
}

// openPipe makes a stream of f, which may be nil if ctx is cancelled.
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
		err = fmt.Errorf("pipes in %v: %w", r.Loop(), errors.ErrUnsupported)
	}
	if err != nil {
		return nil, &net.OpError{Op: "file", Net: "pipe", Addr: addr, Err: err}
	}
	d := netio.Detached{Loop: r.Loop(), Handle: h}
	return d.Stream(netio.StreamConfig{}), nil
}

// A pipeAddr is the name of a pipe as a net.Addr. Each stream has its own.
type pipeAddr struct{ name string }

// Network and String make it a net.Addr.
func (*pipeAddr) Network() string  { return "pipe" }
func (a *pipeAddr) String() string { return a.name }

// nameOf is the name of f. A nil f has none: under a cancelled ctx a call looks no further.
func nameOf(f *os.File) string {
	if f == nil {
		return ""
	}
	return f.Name()
}
