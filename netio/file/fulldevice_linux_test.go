// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"baton/netio/file"
)

// A Write to /dev/full returns ENOSPC and has written no bytes.
func TestFullDevice(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		f := must(file.OpenFile(ctx, "/dev/full", os.O_WRONLY, 0))(t)
		n, err := f.Write(ctx, make([]byte, 3<<20))
		if want(t, "Write", err, syscall.ENOSPC); n != 0 {
			t.Errorf("Write took %d bytes", n)
		}
		if p, ok := errors.AsType[*fs.PathError](err); !ok || p.Op != "write" || p.Path != "/dev/full" {
			t.Errorf("Write: %#v", err)
		}
		want(t, "Close", f.Close(ctx), nil)
		want(t, "WriteFile", file.WriteFile(ctx, "/dev/full", []byte("x"), 0), syscall.ENOSPC)
	})
}
