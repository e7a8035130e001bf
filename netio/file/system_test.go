// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"baton/netio/file"
	"baton/task"
)

// Calls under WithSystem use its System, also in tasks.
func TestWithSystem(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		disk := &smallDisk{file.Host, 3}
		if file.SystemOf(ctx) != file.Host {
			t.Error("the default System is not Host")
		}
		small := file.WithSystem(ctx, disk)
		write := task.Start(small, func(ctx context.Context) (int, error) {
			f := must(file.Create(ctx, filepath.Join(t.TempDir(), "file")))(t)
			defer f.Close(ctx)
			if f.OS() != nil {
				t.Error("the file is a file of Host")
			}
			return f.Write(ctx, []byte("hello"))
		})
		n, err := write.Await(ctx)
		if want(t, "Write", err, syscall.ENOSPC); n != 3 {
			t.Errorf("Write = %d, want 3", n)
		}
	})
}
