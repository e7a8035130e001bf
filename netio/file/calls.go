// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io/fs"
	"iter"
	"time"

	"baton/netio"
)

// ReadFile reads a whole file, as os.ReadFile does. If ReadFile is cancelled, it returns what
// it has read so far, and a [*task.Canceled].
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	return SystemOf(ctx).ReadFile(ctx, name)
}

// WriteFile writes data to a file, as os.WriteFile does. It creates the file, or truncates an
// existing one. If WriteFile is cancelled, the file contains a part of the data.
func WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	return SystemOf(ctx).WriteFile(ctx, name, data, perm)
}

// Lines returns the lines of a file, for use with range. The range opens the file, reads it
// with a [netio.LineReader], and closes it at its end. An error ends the range, except
// netio.ErrTooLong. Each step may switch.
func Lines(ctx context.Context, name string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f, err := Open(ctx, name)
		if err != nil {
			yield("", err)
			return
		}
		// An error of Close does not concern the lines that were read.
		defer func() { _ = f.Close(ctx) }()
		netio.NewLineReader(f).Lines(ctx)(yield)
	}
}

// Stat describes a file, as os.Stat does.
func Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return SystemOf(ctx).Stat(ctx, name)
}

// Lstat describes a file, as os.Lstat does. It does not follow a symbolic link.
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

// MkdirAll makes a directory and all its missing parents, as os.MkdirAll does.
func MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	return SystemOf(ctx).MkdirAll(ctx, name, perm)
}

// Remove removes a file or an empty directory, as os.Remove does.
func Remove(ctx context.Context, name string) error { return SystemOf(ctx).Remove(ctx, name) }

// RemoveAll removes a file, or a directory with everything in it, as os.RemoveAll does. A
// cancel does not interrupt it.
func RemoveAll(ctx context.Context, name string) error { return SystemOf(ctx).RemoveAll(ctx, name) }

// Rename renames a file, as os.Rename does. It replaces an existing file.
func Rename(ctx context.Context, from, to string) error { return SystemOf(ctx).Rename(ctx, from, to) }

// Link makes to another name of the file from, as os.Link does.
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
