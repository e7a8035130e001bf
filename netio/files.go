// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"baton/loop/poll"
	"baton/task"
)

// ErrFilesLost is the error of a ReadFiles whose files could not all be taken.
var ErrFilesLost = errors.New("netio: files were lost")

// WriteFiles writes p, of which there is at least a byte, and passes files to the
// process that reads it, as unix(7) has it (SCM_RIGHTS): that process gets descriptors
// of the same open files. The peer has to read the first byte of p with ReadFiles or
// its like. Otherwise WriteFiles is like Write; if n is not zero, the files are on
// their way. They stay the caller's, who may close them when WriteFiles returns.
//
// Only a UNIX socket without TLS passes files, and only Linux's own poller does. The
// error is errors.ErrUnsupported otherwise.
func (s *Stream) WriteFiles(ctx context.Context, p []byte, files ...*os.File) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if len(p) == 0 {
		misuse("WriteFiles without a byte, which the files could go with")
	}
	if err := s.begin(&s.out, r); err != nil {
		return 0, err
	}
	defer s.out.release()
	// Only the first bytes go with the files; the rest is a Write, which gives way.
	err = s.out.exchange(ctx, poll.Writable, func(fd int) (err error) {
		n, err = sendFiles(fd, p[:min(len(p), pieceBytes)], files)
		return err
	})
	if err != nil || n == len(p) {
		return n, err
	}
	rest, err := s.write(ctx, p[n:])
	return n + rest, err
}

// ReadFiles reads what is there into p, at least one byte, together with the files that
// the peer has passed with it, max at most. They are the caller's, who closes them; no
// child inherits them. What the peer has written after the files is for a later call.
// Otherwise ReadFiles is like Read, and works where WriteFiles does.
//
// If more than max files came, or the process has no room for them, ReadFiles closes
// those that it has got, and returns ErrFilesLost beside the bytes. Files that come
// with bytes which another call reads are lost, too. So read with ReadFiles whatever
// files may come with, and before it only with Read and ReadFull, which read nothing
// ahead.
func (s *Stream) ReadFiles(ctx context.Context, p []byte, max int) (n int, files []*os.File, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, nil, err
	}
	if len(p) == 0 || max < 1 {
		misuse("ReadFiles with room for %d bytes and %d files; it needs a byte for files to come with", len(p), max)
	}
	if err := s.begin(&s.in, r); err != nil {
		return 0, nil, err
	}
	defer s.in.release()
	if s.skip {
		if err := s.skipLine(ctx); err != nil {
			return 0, nil, err
		}
	}
	if err := s.cancelEarly(ctx); err != nil {
		return 0, nil, err
	}
	if s.ahead.len() > 0 {
		return s.ahead.read(p), nil, nil
	}
	lost := false
	err = s.in.exchange(ctx, poll.Readable, func(fd int) (err error) {
		n, files, lost, err = receiveFiles(fd, p, max, s.String())
		if err == nil && n == 0 {
			err = io.EOF
		}
		return err
	})
	if lost {
		for _, f := range files {
			_ = f.Close()
		}
		return n, nil, join(s.opError("read", ErrFilesLost), err)
	}
	return n, files, err
}

// exchange makes a system call that moves bytes and files, again whenever the socket is
// ready for it, until it does not fail with EAGAIN. The user of h calls it. The call is
// made by the task itself, between two waits: so a cancel of a wait has had no effect,
// and what the call has taken is returned.
func (d *direction) exchange(ctx context.Context, ready poll.Kind, call func(fd int) error) error {
	s := d.stream
	c, ok := s.handle.(poll.Controller)
	if !ok || !filesPass || s.tls != nil || s.local.Network() != "unix" || !s.loop.Poller().Caps().Has(poll.Readiness) {
		return s.opError(d.opName(), errors.ErrUnsupported)
	}
	if d.failed != nil {
		return d.failed
	}
	defer func(own poll.Kind) { d.op.Kind = own }(d.op.Kind)
	d.op.Kind = ready
	for {
		var err error
		if outer := c.Control(func(fd uintptr) { err = call(int(fd)) }); outer != nil {
			err = outer
		}
		switch {
		case err == nil:
			if d.limited {
				s.active = s.loop.Time()
			}
			return nil
		case !errors.Is(err, syscall.EAGAIN):
			return d.failure(ctx, err)
		}
		if _, err := d.do(ctx); err != nil {
			return err
		}
	}
}
