// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io"
	"io/fs"
	"os"

	"baton/netio"
)

// A File is an open file, like an os.File. Each method takes a ctx and may switch, unless its
// documentation says that it does not.
//
// A cancel does not interrupt an operation that the kernel has begun. The call waits until the
// operation has ended, and returns what it has done. A transfer of more than 1 MiB consists
// of several operations; a cancel takes effect between two of them.
//
// Errors are the errors of package os: a [*fs.PathError], or io.EOF.
//
// Several tasks may use a File at the same time, also tasks of different loops. Read and Write
// share one offset, so several tasks should use ReadAt and WriteAt. A File must be closed.
type File struct {
	handle Handle
	name   string
}

// Open opens a file for reading, as os.Open does.
func Open(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create creates a file, or truncates an existing one, and opens it for reading and writing, as
// os.Create does.
func Create(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file, as os.OpenFile does, with flags such as os.O_APPEND. Opening a named
// pipe blocks until the other end is open, and a cancel does not end that. To avoid it, open
// the pipe with os.OpenFile and syscall.O_NONBLOCK, and use process.ReadPipe.
func OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	h, err := SystemOf(ctx).OpenFile(ctx, name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &File{h, name}, nil
}

// New returns a File for f. The File takes ownership of f and closes it. New does not switch.
func New(f *os.File) *File { return &File{newHostFile(f), f.Name()} }

// Name returns the name with which the file was opened. It does not switch.
func (f *File) Name() string { return f.name }

// OS returns the file of package os, or nil if the file belongs to another [System] than
// [Host]. The File still owns the returned file. OS does not switch.
func (f *File) OS() *os.File {
	if h, ok := f.handle.(*hostFile); ok {
		return h.f
	}
	return nil
}

// Read reads up to len(p) bytes at the offset of the file, and moves the offset. At the end of
// the file it returns 0 and io.EOF. If a cancel comes after some bytes were read, Read returns
// these bytes without an error.
func (f *File) Read(ctx context.Context, p []byte) (n int, err error) { return f.handle.Read(ctx, p) }

// ReadAt reads len(p) bytes, starting at the given offset. If it reads fewer bytes, it also
// returns an error: io.EOF at the end of the file, or a [*task.Canceled]. ReadAt does not
// change the offset of the file.
func (f *File) ReadAt(ctx context.Context, p []byte, offset int64) (n int, err error) {
	return f.handle.ReadAt(ctx, p, offset)
}

// Write writes p at the offset of the file, and moves the offset. If the file was opened with
// os.O_APPEND, Write writes at the end of the file. If it writes fewer than len(p) bytes, it
// also returns an error, which may be a [*task.Canceled]. Write does not wait until the data
// is on the disk; [File.Sync] does.
func (f *File) Write(ctx context.Context, p []byte) (n int, err error) { return f.handle.Write(ctx, p) }

// WriteString writes s as Write does.
func (f *File) WriteString(ctx context.Context, s string) (n int, err error) {
	return f.handle.Write(ctx, []byte(s))
}

// WriteAt writes p at the given offset, like Write. It does not change the offset of the file.
// If WriteAt fails, it may have written more than n bytes, because package os does not count
// a part of an operation. As in package os, WriteAt fails if the file was opened with
// os.O_APPEND.
func (f *File) WriteAt(ctx context.Context, p []byte, offset int64) (n int, err error) {
	return f.handle.WriteAt(ctx, p, offset)
}

// Seek sets the offset for the next Read or Write, and returns the new offset.
func (f *File) Seek(ctx context.Context, offset int64, whence int) (int64, error) {
	return f.handle.Seek(ctx, offset, whence)
}

// ReadDir returns the next n entries of a directory, as the method of os.File does. If n is not
// positive, it returns all remaining entries.
func (f *File) ReadDir(ctx context.Context, n int) ([]fs.DirEntry, error) {
	return f.handle.ReadDir(ctx, n)
}

// Stat describes the file.
func (f *File) Stat(ctx context.Context) (fs.FileInfo, error) { return f.handle.Stat(ctx) }

// Sync waits until all written data is on the disk (fsync(2)).
func (f *File) Sync(ctx context.Context) error { return f.handle.Sync(ctx) }

// Truncate changes the size of the file. It does not change the offset.
func (f *File) Truncate(ctx context.Context, size int64) error { return f.handle.Truncate(ctx, size) }

// Chmod changes the mode of the file.
func (f *File) Chmod(ctx context.Context, mode fs.FileMode) error { return f.handle.Chmod(ctx, mode) }

// Close closes the file, also if ctx is cancelled. A second Close returns [fs.ErrClosed].
func (f *File) Close(ctx context.Context) error { return f.handle.Close(ctx) }

// WriteTo writes the rest of the file, from its offset on, to dst. It returns how many bytes
// dst has taken. [netio.Copy] calls WriteTo.
//
// If dst is a [*netio.Stream], WriteTo calls [netio.Stream.SendFile], which sends in the kernel
// where it can. The offset then moves by what the stream has taken. If dst is another File of
// [Host], package os copies the file, with copy_file_range(2) or a similar call where it can.
// Otherwise WriteTo uses a buffer.
func (f *File) WriteTo(ctx context.Context, dst netio.Writer) (int64, error) {
	if from := f.OS(); from != nil {
		switch dst := dst.(type) {
		case *netio.Stream:
			if start, err := from.Seek(0, io.SeekCurrent); err == nil {
				return sendFrom(ctx, dst, from, start)
			}
			// The file has no offset, or is closed: Read below reports it.
		case *File:
			if to := dst.OS(); to != nil {
				return copyHost(ctx, to, from)
			}
		}
	}
	return netio.Copy(ctx, dst, struct{ netio.Reader }{f})
}

// sendFrom sends f from start on, and sets its offset to the end of what was sent. It sets the
// offset on the loop, because that does not block.
func sendFrom(ctx context.Context, s *netio.Stream, f *os.File, start int64) (int64, error) {
	n, err := s.SendFile(ctx, f, start, -1)
	if _, moved := f.Seek(start+n, io.SeekStart); err == nil {
		err = moved
	}
	return n, err
}
