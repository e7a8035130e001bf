// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"

	"baton/loop/poll"
	"baton/task"
)

// copyBytes is how much copyHost copies before it checks the ctx. It is larger than pieceBytes,
// because a file system may share the data and copy nothing.
const copyBytes = 16 << 20

// maxNowBytes is how much a read on the loop may copy from memory. It takes as long as a few
// switches.
const maxNowBytes = 64 << 10

// A hostFile is an open file of the host. Several goroutines may use it at the same time, as
// they may use its os.File.
type hostFile struct {
	f    *os.File
	conn syscall.RawConn // of f; nil if readNow cannot be used
	slow atomic.Bool     // readNow does not work for this file
}

// transfer calls inPieces in the executor.
func transfer(ctx context.Context, p []byte, move func(part []byte, at int64) (int, error)) (int, error) {
	return call(ctx, func(ctx context.Context) (int, error) { return inPieces(ctx, p, move) })
}

// now tries readNow if p is short, but not in a simulated world: there the schedule must not
// depend on what is in memory.
func (h *hostFile) now(ctx context.Context, p []byte, offset int64) (int, error) {
	if len(p) == 0 || len(p) > maxNowBytes {
		return 0, nil
	}
	r, err := task.Checkpoint(ctx)
	if err != nil || r.Loop().Poller().Caps().Has(poll.Virtual) {
		return 0, err
	}
	return h.readNow(p, offset)
}

// Read returns the bytes that it has if a cancel comes between two pieces. The next call returns
// the cancel.
func (h *hostFile) Read(ctx context.Context, p []byte) (int, error) {
	if n, err := h.now(ctx, p, -1); n > 0 || err != nil {
		return n, err
	}
	n, err := transfer(ctx, p, func(part []byte, _ int64) (int, error) { return h.f.Read(part) })
	if _, canceled := err.(*task.Canceled); n > 0 && (canceled || err == io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt reads in the executor what readNow has not read.
func (h *hostFile) ReadAt(ctx context.Context, p []byte, offset int64) (int, error) {
	done := 0
	if offset >= 0 {
		n, err := h.now(ctx, p, offset)
		if err != nil || n > 0 && n == len(p) {
			return n, err
		}
		done = n
	}
	n, err := transfer(ctx, p[done:], func(part []byte, at int64) (int, error) {
		return h.f.ReadAt(part, offset+int64(done)+at)
	})
	return done + n, err
}

func (h *hostFile) Write(ctx context.Context, p []byte) (int, error) {
	return transfer(ctx, p, func(part []byte, _ int64) (int, error) { return h.f.Write(part) })
}

func (h *hostFile) WriteAt(ctx context.Context, p []byte, offset int64) (int, error) {
	return transfer(ctx, p, func(part []byte, at int64) (int, error) { return h.f.WriteAt(part, offset+at) })
}

// Seek calls lseek(2) on the loop, because it does not block. The exception is io.SeekEnd: a
// network file system may have to ask its server for the size.
func (h *hostFile) Seek(ctx context.Context, offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return call(ctx, func(context.Context) (int64, error) { return h.f.Seek(offset, whence) })
	}
	if _, err := task.Checkpoint(ctx); err != nil {
		return 0, err
	}
	return h.f.Seek(offset, whence)
}

func (h *hostFile) ReadDir(ctx context.Context, n int) ([]fs.DirEntry, error) {
	return call(ctx, func(context.Context) ([]fs.DirEntry, error) { return h.f.ReadDir(n) })
}

func (h *hostFile) Stat(ctx context.Context) (fs.FileInfo, error) {
	return call(ctx, func(context.Context) (fs.FileInfo, error) { return h.f.Stat() })
}

func (h *hostFile) Sync(ctx context.Context) error { return do(ctx, h.f.Sync) }

func (h *hostFile) Truncate(ctx context.Context, size int64) error {
	return do(ctx, func() error { return h.f.Truncate(size) })
}

func (h *hostFile) Chmod(ctx context.Context, mode fs.FileMode) error {
	return do(ctx, func() error { return h.f.Chmod(mode) })
}

// Close closes the file in the executor. If the task is cancelled and the executor is full,
// Close does not wait for the executor and closes the file on the loop.
func (h *hostFile) Close(ctx context.Context) error {
	ctx, release := task.Shield(ctx, 0)
	defer release()
	err := do(ctx, h.f.Close)
	if _, canceled := errors.AsType[*task.Canceled](err); canceled {
		return h.f.Close()
	}
	return err
}

// copyHost copies the rest of one file to the offset of another file, in the executor.
func copyHost(ctx context.Context, to, from *os.File) (int64, error) {
	return call(ctx, func(ctx context.Context) (n int64, err error) {
		for {
			m, err := io.CopyN(to, from, copyBytes)
			n += m
			switch {
			case err == io.EOF:
				return n, nil
			case err != nil:
				return n, err
			case ctx.Err() != nil:
				return n, errCanceled
			}
		}
	})
}
