// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io/fs"
	"time"
)

// A System is where files are. The functions of this package call its methods. The default is
// [Host]; [WithSystem] sets another one, such as files in memory or a disk that fails.
//
// Tasks call the methods, and the methods may switch. Each method does what the function of
// the same name in package os does, and returns the same results and errors. A System that
// changes only some methods embeds another System, usually Host.
type System interface {
	OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (Handle, error)

	// ReadFile and WriteFile are methods because one call of the executor is cheaper than
	// four.
	ReadFile(ctx context.Context, name string) ([]byte, error)
	WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error

	Stat(ctx context.Context, name string) (fs.FileInfo, error)
	Lstat(ctx context.Context, name string) (fs.FileInfo, error)
	ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error)
	Mkdir(ctx context.Context, name string, perm fs.FileMode) error
	MkdirAll(ctx context.Context, name string, perm fs.FileMode) error
	Remove(ctx context.Context, name string) error
	RemoveAll(ctx context.Context, name string) error
	Rename(ctx context.Context, from, to string) error
	Link(ctx context.Context, from, to string) error
	Symlink(ctx context.Context, target, name string) error
	Readlink(ctx context.Context, name string) (string, error)
	Truncate(ctx context.Context, name string, size int64) error
	Chmod(ctx context.Context, name string, mode fs.FileMode) error
	Chtimes(ctx context.Context, name string, access, modified time.Time) error
}

// A Handle is an open file of a [System]. [File] documents its methods. Several tasks may call
// the methods of a Handle at the same time.
type Handle interface {
	Read(ctx context.Context, p []byte) (n int, err error)
	ReadAt(ctx context.Context, p []byte, offset int64) (n int, err error)
	Write(ctx context.Context, p []byte) (n int, err error)
	WriteAt(ctx context.Context, p []byte, offset int64) (n int, err error)
	Seek(ctx context.Context, offset int64, whence int) (int64, error)
	ReadDir(ctx context.Context, n int) ([]fs.DirEntry, error)
	Stat(ctx context.Context) (fs.FileInfo, error)
	Sync(ctx context.Context) error
	Truncate(ctx context.Context, size int64) error
	Chmod(ctx context.Context, mode fs.FileMode) error
	Close(ctx context.Context) error
}

// systemKey is the context key of the System.
type systemKey struct{}

// WithSystem returns a context with which the calls of this package use s. Tasks started with
// this context use s, too. Files that are open keep their System. WithSystem does not switch.
func WithSystem(ctx context.Context, s System) context.Context {
	if s == nil {
		panic("file: WithSystem was called with a nil System; use file.Host for the files of the machine")
	}
	return context.WithValue(ctx, systemKey{}, s)
}

// SystemOf returns the System that the innermost [WithSystem] has set for ctx, or [Host]. It does
// not switch.
func SystemOf(ctx context.Context) System {
	if s, ok := ctx.Value(systemKey{}).(System); ok {
		return s
	}
	return Host
}
