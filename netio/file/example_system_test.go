// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"baton/netio/file"
	"baton/task"
)

// A smallDisk has space for a given number of bytes. Everything else is done by the embedded
// System.
type smallDisk struct {
	file.System
	space int
}

func (d *smallDisk) OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (file.Handle, error) {
	h, err := d.System.OpenFile(ctx, name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &smallFile{h, d, name}, nil
}

// A smallFile is an open file on a smallDisk.
type smallFile struct {
	file.Handle
	disk *smallDisk
	name string
}

func (f *smallFile) Write(ctx context.Context, p []byte) (int, error) {
	n, err := f.Handle.Write(ctx, p[:min(len(p), f.disk.space)])
	f.disk.space -= n
	if err == nil && n < len(p) {
		err = &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return n, err
}

// A System shows what a program does when the disk is full.
func ExampleSystem() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ctx = file.WithSystem(ctx, &smallDisk{System: file.Host, space: 3})
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

// A System opens a file as a Handle. The functions of this package make a File of it.
func ExampleHandle() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		dir, err := file.MkdirTemp(ctx, "", "example")
		if err != nil {
			return err
		}
		defer file.RemoveAll(ctx, dir)
		h, err := file.SystemOf(ctx).OpenFile(ctx, filepath.Join(dir, "file"), os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		defer h.Close(ctx)
		n, err := h.WriteAt(ctx, []byte("hello"), 0)
		fmt.Println(n, "bytes written")
		return err
	})
	fmt.Println(err)
	// Output:
	// 5 bytes written
	// <nil>
}
