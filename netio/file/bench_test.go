// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"baton/netio/file"
	"baton/task"
)

// BenchmarkRead compares calls with package os, for files that are in memory: a whole small
// file, and a large file with reads of several sizes.
func BenchmarkRead(b *testing.B) {
	name := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(name, pattern(4<<10), 0o666); err != nil {
		b.Fatal(err)
	}
	b.Run("ReadFile/4KiB/os", func(b *testing.B) {
		for b.Loop() {
			must(os.ReadFile(name))(b)
		}
	})
	onLoop(b, "ReadFile/4KiB/file", func(ctx context.Context, b *testing.B) {
		for b.Loop() {
			must(file.ReadFile(ctx, name))(b)
		}
	})
	large := filepath.Join(b.TempDir(), "large")
	if err := os.WriteFile(large, pattern(64<<20), 0o666); err != nil {
		b.Fatal(err)
	}
	for _, kib := range []int{4, 64, 1024, 16384} {
		buf := make([]byte, kib<<10)
		b.Run("sequential/"+strconv.Itoa(kib)+"KiB/os", func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			f := must(os.Open(large))(b)
			defer f.Close()
			for b.Loop() {
				if _, err := f.Read(buf); err == io.EOF {
					f.Seek(0, io.SeekStart)
				}
			}
		})
		onLoop(b, "sequential/"+strconv.Itoa(kib)+"KiB/file", func(ctx context.Context, b *testing.B) {
			b.SetBytes(int64(len(buf)))
			f := must(file.Open(ctx, large))(b)
			defer f.Close(ctx)
			for b.Loop() {
				if _, err := f.Read(ctx, buf); err == io.EOF {
					f.Seek(ctx, 0, io.SeekStart)
				}
			}
		})
	}
}

// onLoop runs fn as a benchmark, in the root task of a loop.
func onLoop(b *testing.B, name string, fn func(ctx context.Context, b *testing.B)) {
	b.Run(name, func(b *testing.B) {
		err := task.Run(context.Background(), func(ctx context.Context) error { fn(ctx, b); return nil })
		if err != nil {
			b.Fatal(err)
		}
	})
}
