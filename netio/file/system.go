// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io/fs"
	"time"
)

// A System is where files are: the operations that the calls of this package stand on. The
// default is [Host]. A scope has another one by [WithSystem]: files in memory, or a disk
// that fails.
//
// The methods are called by tasks and may switch. Each does what the function of the same
// name in package os does, and returns what that returns, errors included. A System that
// changes only some of them embeds another one.
//
// The operations of files are in this interface and in [Handle], and those of the host in
// one file of this package. So a poller that has operations for files changes no more than
// that file.
type System interface {
	OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (Handle, error)

	// ReadFile and WriteFile are here because one operation is cheaper than four.
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

// A Handle is an open file of a [System]. Its methods are those of [File], which documents
// them; several tasks may call them at a time.
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

// systemKey is the key of the System in a context.
type systemKey struct{}

// WithSystem returns a context under which the calls of this package use s, also in the
// tasks that are started under it. It does not switch. Files that are open stay where they
// are.
func WithSystem(ctx context.Context, s System) context.Context {
	if s == nil {
		panic("file: WithSystem of a nil System; file.Host is the default")
	}
	return context.WithValue(ctx, systemKey{}, s)
}

// SystemOf returns the System of ctx: that of the nearest [WithSystem], or [Host].
func SystemOf(ctx context.Context) System {
	if s, ok := ctx.Value(systemKey{}).(System); ok {
		return s
	}
	return Host
}
