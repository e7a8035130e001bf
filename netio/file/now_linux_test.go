// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"baton/await"
	"baton/loop"
	"baton/netio/file"
	"baton/task"
)

// What is in memory is read without the executor, if the file system supports that.
func TestReadFromMemory(t *testing.T) {
	r := task.Runner{Config: loop.Config{MaxJobs: 1}}
	err := r.Run(context.Background(), func(ctx context.Context) error {
		f := must(file.Create(ctx, filepath.Join(t.TempDir(), "file")))(t)
		defer f.Close(ctx)
		data := pattern(10_000)
		must(f.Write(ctx, data))(t)
		must(f.Seek(ctx, 0, io.SeekStart))(t)
		if _, err := unix.Preadv2(int(f.OS().Fd()), [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT); err != nil {
			t.Logf("this file system does not support RWF_NOWAIT: %v", err)
			return nil
		}
		leave := make(chan struct{})
		task.Go(ctx, func(ctx context.Context) error {
			_, err := await.Blocking(ctx, func(context.Context) (int, error) { <-leave; return 0, nil })
			return err
		})
		task.Yield(ctx) // the executor is full
		done := false
		task.Go(ctx, func(ctx context.Context) error {
			buf := make([]byte, len(data))
			if n, err := f.ReadAt(ctx, buf, 0); n != len(data) || err != nil || !bytes.Equal(buf, data) {
				t.Errorf("ReadAt = %d, %v", n, err)
			}
			clear(buf)
			if n, err := f.Read(ctx, buf); n != len(data) || err != nil || !bytes.Equal(buf, data) {
				t.Errorf("Read = %d, %v", n, err)
			}
			if n, err := f.Read(ctx, buf); n != 0 || err != io.EOF {
				t.Errorf("Read at the end = %d, %v", n, err)
			}
			done = true
			return nil
		})
		task.Yield(ctx)
		if !done {
			t.Error("the reads have waited for the executor")
		}
		close(leave)
		return nil
	})
	want(t, "Run", err, nil)
}

// ReadAt reads all bytes, also if only a part of them is in memory.
func TestReadPartlyFromMemory(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		f := must(file.Create(ctx, filepath.Join(t.TempDir(), "file")))(t)
		defer f.Close(ctx)
		data := pattern(256 << 10)
		must(f.Write(ctx, data))(t)
		want(t, "Sync", f.Sync(ctx), nil)
		fd := int(f.OS().Fd())
		want(t, "fadvise", unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM), nil) // nothing is read ahead
		buf := make([]byte, 64<<10)
		for i := range int64(8) {
			offset := i * 16 << 10
			forget := func() { // drops all but the first pages from memory
				want(t, "fadvise", unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED), nil)
				must(f.ReadAt(ctx, buf[:4<<10], offset))(t)
			}
			forget()
			if n, err := f.ReadAt(ctx, buf, offset); n != len(buf) || err != nil || !bytes.Equal(buf, data[offset:][:n]) {
				t.Errorf("ReadAt(%d) = %d, %v", offset, n, err)
			}
			forget()
			must(f.Seek(ctx, offset, io.SeekStart))(t)
			if n, err := f.Read(ctx, buf); n == 0 || err != nil || !bytes.Equal(buf[:n], data[offset:][:n]) {
				t.Errorf("Read at %d = %d, %v", offset, n, err)
			}
		}
	})
}
