// SPDX-License-Identifier: Apache-2.0

//go:build unix

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"baton/await"
	"baton/netio/file"
	"baton/task"
)

// A cancelled Write returns after the piece that the kernel is writing. The test uses a pipe,
// which behaves like a slow disk.
func TestCancelledWriteEndsAfterPiece(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		var fds [2]int
		want(t, "Pipe", syscall.Pipe(fds[:]), nil)
		r, f := os.NewFile(uintptr(fds[0]), "r"), file.New(os.NewFile(uintptr(fds[1]), "w"))
		defer r.Close()
		defer f.Close(ctx)
		var n int
		writer := task.StartErr(ctx, func(ctx context.Context) (err error) {
			n, err = f.Write(ctx, make([]byte, 4<<20))
			return err
		})
		must(await.Blocking(ctx, func(context.Context) (int, error) { return r.Read(make([]byte, 1)) }))(t)
		writer.Cancel(nil)
		must(await.Blocking(ctx, func(context.Context) (int, error) { return io.ReadFull(r, make([]byte, 1<<20-1)) }))(t)
		_, err := writer.Await(ctx)
		var canceled *task.Canceled
		if !errors.As(err, &canceled) || n != 1<<20 {
			t.Errorf("Write = %d, %v, want one piece and a *task.Canceled", n, err)
		}
	})
}

// A cancelled ReadFile returns after the read that the kernel has begun, with what was read.
func TestCancelledReadFileReturnsBytes(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "fifo")
		want(t, "Mkfifo", syscall.Mkfifo(name, 0o600), nil)
		var data []byte
		reader := task.StartErr(ctx, func(ctx context.Context) (err error) {
			data, err = file.ReadFile(ctx, name)
			return err
		})
		w := must(file.OpenFile(ctx, name, os.O_WRONLY, 0))(t)
		defer w.Close(ctx)
		reader.Cancel(nil)
		must(w.WriteString(ctx, "beginning"))(t)
		_, err := reader.Await(ctx)
		var canceled *task.Canceled
		if !errors.As(err, &canceled) || string(data) != "beginning" {
			t.Errorf("ReadFile = %q, %v, want the beginning and a *task.Canceled", data, err)
		}
	})
}

// A cancelled Read returns the bytes that it has read, and no error. It may have read all bytes
// before the cancel.
func TestCancelledReadReturnsBytes(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		f := must(file.Open(ctx, "/dev/zero"))(t)
		defer f.Close(ctx)
		buf := bytes.Repeat([]byte{1}, 64<<20)
		reader := task.Start(ctx, func(ctx context.Context) (int, error) { return f.Read(ctx, buf) })
		task.Yield(ctx) // it begins
		reader.Cancel(nil)
		n, err := reader.Await(ctx)
		if read := len(bytes.TrimRight(buf, "\x01")); n == 0 || n != read || err != nil {
			t.Errorf("Read = %d, %v, want %d bytes", n, err, read)
		}
	})
}
