// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io/fs"
	"iter"
	"time"

	"baton/netio"
)

// ReadFile reads a whole file, as os.ReadFile does. After a cancel it returns what was read
// by then, and the [*task.Canceled].
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	return SystemOf(ctx).ReadFile(ctx, name)
}

// WriteFile creates a file, or truncates the one that is there, and writes data to it, as
// os.WriteFile does. After a cancel a part of the data is in the file.
func WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	return SystemOf(ctx).WriteFile(ctx, name, data, perm)
}

// Lines returns the lines of a file, for use with range: it opens the file, reads it by a
// [netio.LineReader], and closes it when the range ends. An error is the last step, except
// netio.ErrTooLong. Each step may switch.
func Lines(ctx context.Context, name string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f, err := Open(ctx, name)
		if err != nil {
			yield("", err)
			return
		}
		// An error of Close says nothing about lines that were read.
		defer func() { _ = f.Close(ctx) }()
		netio.NewLineReader(f).Lines(ctx)(yield)
	}
}

// Stat describes a file, as os.Stat does.
func Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return SystemOf(ctx).Stat(ctx, name)
}

// Lstat describes a file, and does not follow a symbolic link, as os.Lstat does.
func Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return SystemOf(ctx).Lstat(ctx, name)
}

// ReadDir returns the entries of a directory, sorted by name, as os.ReadDir does.
func ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	return SystemOf(ctx).ReadDir(ctx, name)
}

// Mkdir makes a directory, as os.Mkdir does.
func Mkdir(ctx context.Context, name string, perm fs.FileMode) error {
	return SystemOf(ctx).Mkdir(ctx, name, perm)
}

// MkdirAll makes a directory with those that it is in, as os.MkdirAll does.
func MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	return SystemOf(ctx).MkdirAll(ctx, name, perm)
}

// Remove removes a file or an empty directory, as os.Remove does.
func Remove(ctx context.Context, name string) error { return SystemOf(ctx).Remove(ctx, name) }

// RemoveAll removes a file or a directory with all that is in it, as os.RemoveAll does. A
// cancel does not interrupt it.
func RemoveAll(ctx context.Context, name string) error { return SystemOf(ctx).RemoveAll(ctx, name) }

// Rename renames a file, and replaces one that is there, as os.Rename does.
func Rename(ctx context.Context, from, to string) error { return SystemOf(ctx).Rename(ctx, from, to) }

// Link makes another name of a file, as os.Link does.
func Link(ctx context.Context, from, to string) error { return SystemOf(ctx).Link(ctx, from, to) }

// Symlink makes a symbolic link to target, as os.Symlink does.
func Symlink(ctx context.Context, target, name string) error {
	return SystemOf(ctx).Symlink(ctx, target, name)
}

// Readlink returns the target of a symbolic link, as os.Readlink does.
func Readlink(ctx context.Context, name string) (string, error) {
	return SystemOf(ctx).Readlink(ctx, name)
}

// Truncate changes the size of a file, as os.Truncate does.
func Truncate(ctx context.Context, name string, size int64) error {
	return SystemOf(ctx).Truncate(ctx, name, size)
}

// Chmod changes the mode of a file, as os.Chmod does.
func Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return SystemOf(ctx).Chmod(ctx, name, mode)
}

// Chtimes changes the times of a file, as os.Chtimes does.
func Chtimes(ctx context.Context, name string, access, modified time.Time) error {
	return SystemOf(ctx).Chtimes(ctx, name, access, modified)
}
