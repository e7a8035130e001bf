// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"baton/netio/file"
	"baton/task"
)

// A tight disk has room for so many bytes. All else is the disk below.
type tight struct {
	file.System
	room int
}

func (d *tight) OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (file.Handle, error) {
	h, err := d.System.OpenFile(ctx, name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &tightFile{h, d, name}, nil
}

type tightFile struct {
	file.Handle
	disk *tight
	name string
}

func (f *tightFile) Write(ctx context.Context, p []byte) (int, error) {
	n, err := f.Handle.Write(ctx, p[:min(len(p), f.disk.room)])
	f.disk.room -= n
	if err == nil && n < len(p) {
		err = &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return n, err
}

// A scope has its own files, with its tasks.
func TestWithSystem(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		disk := &tight{file.Host, 3}
		if file.SystemOf(ctx) != file.Host {
			t.Error("the default is not the host")
		}
		tight := file.WithSystem(ctx, disk)
		write := task.Start(tight, func(ctx context.Context) (int, error) {
			f := must(file.Create(ctx, filepath.Join(t.TempDir(), "file")))(t)
			defer f.Close(ctx)
			if f.OS() != nil {
				t.Error("the file is one of the host")
			}
			return f.Write(ctx, []byte("hello"))
		})
		n, err := write.Await(ctx)
		if want(t, "Write", err, syscall.ENOSPC); n != 3 {
			t.Errorf("Write = %d, want 3", n)
		}
	})
}

// What a program does when the disk is full can be tested.
func ExampleWithSystem() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ctx = file.WithSystem(ctx, &tight{System: file.Host, room: 3})
		f, err := file.CreateTemp(ctx, "", "example")
		if err != nil {
			return err
		}
		defer file.Remove(ctx, f.Name())
		defer f.Close(ctx)
		n, err := f.Write(ctx, []byte("hello"))
		fmt.Println(n, errors.Is(err, syscall.ENOSPC))
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3 true
	// <nil>
}
