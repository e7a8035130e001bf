// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"baton/await"
	"baton/loop"
	"baton/netio/file"
	"baton/task"
)

// Close closes the file although its ctx is cancelled.
func TestCloseUnderCancelledContext(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		f := must(file.Create(ctx, filepath.Join(t.TempDir(), "file")))(t)
		timed, release := await.WithTimeout(ctx, 0)
		defer release()
		var canceled *task.Canceled
		if _, err := f.Write(timed, []byte("x")); !errors.As(err, &canceled) {
			t.Errorf("Write: %v, want a *task.Canceled", err)
		}
		want(t, "Close", f.Close(timed), nil)
		_, err := f.OS().Stat()
		want(t, "Stat", err, fs.ErrClosed)
	})
}

// While the executor is full, a cancel ends a call before the call has had an effect.
func TestCancelWhileExecutorIsFull(t *testing.T) {
	r := task.Runner{Config: loop.Config{MaxJobs: 1}}
	err := r.Run(context.Background(), func(ctx context.Context) error {
		name := filepath.Join(t.TempDir(), "file")
		leave := make(chan struct{})
		task.Go(ctx, func(ctx context.Context) error {
			_, err := await.Blocking(ctx, func(context.Context) (int, error) { <-leave; return 0, nil })
			return err
		})
		task.Yield(ctx)
		writer := task.StartErr(ctx, func(ctx context.Context) error { return file.WriteFile(ctx, name, nil, 0o666) })
		task.Yield(ctx)
		writer.Cancel(nil)
		_, err := writer.Await(ctx)
		var canceled *task.Canceled
		if !errors.As(err, &canceled) {
			t.Errorf("WriteFile: %v, want a *task.Canceled", err)
		}
		close(leave)
		_, err = os.Stat(name)
		want(t, "Stat", err, fs.ErrNotExist)
		return nil
	})
	want(t, "Run", err, nil)
}

// Other tasks run while a call reads a file.
func TestOtherTasksRunDuringReadFile(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "large")
		want(t, "WriteFile", os.WriteFile(name, nil, 0o666), nil)
		want(t, "Truncate", os.Truncate(name, 64<<20), nil)
		turns := 0
		other := task.Go(ctx, func(ctx context.Context) error {
			for ; ; turns++ {
				if err := task.Yield(ctx); err != nil {
					return err
				}
			}
		})
		must(file.ReadFile(ctx, name))(t)
		if turns == 0 {
			t.Error("no other task has run")
		}
		other.Cancel(nil)
	})
}
