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

// ErrFilesLost is the error of ReadFiles if it could not take all files.
var ErrFilesLost = errors.New("netio: files were lost")

// WriteFiles writes p and passes files to the process that reads it (SCM_RIGHTS, unix(7)):
// that process gets descriptors of the same open files. The peer must read the first byte
// of p with ReadFiles or an equivalent. p must not be empty. The caller keeps files, and
// may close them when WriteFiles returns. Otherwise WriteFiles is like Write. If n is not
// zero, the files were sent.
//
// Only a UNIX socket without TLS can pass files, and only with Linux's own poller.
// Otherwise the error is errors.ErrUnsupported.
func (s *Stream) WriteFiles(ctx context.Context, p []byte, files ...*os.File) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if len(p) == 0 {
		misuse("WriteFiles without data; files need at least one byte to go with")
	}
	if err := s.begin(&s.out, r); err != nil {
		return 0, err
	}
	defer s.out.release()
	// Only the first bytes go with the files. The rest is a Write, which yields.
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

// ReadFiles reads into p what is available, at least one byte, and up to max files that the
// peer has passed with it. The caller owns the files and must close them. Child processes
// do not inherit them. Data that the peer wrote after the files is left for the next call.
// Otherwise ReadFiles is like Read. It works where WriteFiles does.
//
// If more than max files arrive, or the process has no descriptors left, ReadFiles closes
// the files that it got. It returns the bytes and ErrFilesLost. Files are also lost if
// another call reads the bytes that they come with. So call ReadFiles wherever files may
// arrive, and before that only Read and ReadFull, which read nothing ahead.
func (s *Stream) ReadFiles(ctx context.Context, p []byte, max int) (n int, files []*os.File, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, nil, err
	}
	if len(p) == 0 || max < 1 {
		misuse("ReadFiles into %d bytes and %d files; it needs space for at least one of each", len(p), max)
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

// exchange makes a system call that moves bytes and files. It repeats the call, whenever
// the socket is ready, until the call does not fail with EAGAIN. The user of d calls it.
// The task itself makes the system call, between two waits. So a cancel of a wait has moved
// nothing, and the result of the call is never lost.
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
