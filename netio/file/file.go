// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"io"
	"io/fs"
	"os"

	"baton/netio"
)

// A File is an open file, as an os.File is. Each method takes a ctx and may switch.
//
// A cancel does not interrupt an operation that the kernel has begun. The call waits for
// the end of the operation and returns what it has done. A transfer of more than 1 MiB is
// several operations, and a cancel is noticed between two of them.
//
// Errors are those of package os: [*fs.PathError], or io.EOF.
//
// Several tasks may use a File at a time, tasks of other loops included. Those that Read or
// Write share one offset, so they should use ReadAt and WriteAt. A File must be closed.
type File struct {
	handle Handle
	name   string
}

// Open opens a file for reading, as os.Open does.
func Open(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create creates a file, or truncates the one that is there, and opens it for reading and
// writing, as os.Create does.
func Create(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file as os.OpenFile does, with flags such as os.O_APPEND. To open a named
// pipe waits for the other end, and that wait no cancel ends: a pipe that was opened with
// syscall.O_NONBLOCK is for process.ReadPipe.
func OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	h, err := SystemOf(ctx).OpenFile(ctx, name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &File{h, name}, nil
}

// New returns a File of f, which was opened elsewhere. The File closes f. It does not
// switch.
func New(f *os.File) *File { return &File{newHostFile(f), f.Name()} }

// Name returns the name with which the file was opened. It does not switch.
func (f *File) Name() string { return f.name }

// OS returns the file of package os, or nil for a file of another [System] than [Host]. The
// File goes on owning it. OS does not switch.
func (f *File) OS() *os.File {
	if h, ok := f.handle.(*hostFile); ok {
		return h.f
	}
	return nil
}

// Read reads up to len(p) bytes from the offset of the file on, which moves. At the end of
// the file it returns 0 and io.EOF. If a cancel comes when bytes were read, Read returns
// them.
func (f *File) Read(ctx context.Context, p []byte) (n int, err error) { return f.handle.Read(ctx, p) }

// ReadAt reads len(p) bytes from the offset on. If it reads fewer, the error says why: io.EOF
// at the end of the file, and a [*task.Canceled] after a cancel. The offset of the file does
// not move.
func (f *File) ReadAt(ctx context.Context, p []byte, offset int64) (n int, err error) {
	return f.handle.ReadAt(ctx, p, offset)
}

// Write writes p at the offset of the file, which moves, or at the end of a file that was
// opened with os.O_APPEND. If it writes fewer bytes, the error says why; a cancel may come
// after some of them. Write does not wait for the disk; [File.Sync] does.
func (f *File) Write(ctx context.Context, p []byte) (n int, err error) { return f.handle.Write(ctx, p) }

// WriteString is like Write.
func (f *File) WriteString(ctx context.Context, s string) (n int, err error) {
	return f.handle.Write(ctx, []byte(s))
}

// WriteAt writes p at the offset, like Write. The offset of the file does not move. After an
// error more than n bytes may have been written, since package os does not count a part of a
// piece. A file that was opened with os.O_APPEND has no WriteAt, as in package os.
func (f *File) WriteAt(ctx context.Context, p []byte, offset int64) (n int, err error) {
	return f.handle.WriteAt(ctx, p, offset)
}

// Seek sets the offset for the next Read or Write, and returns it.
func (f *File) Seek(ctx context.Context, offset int64, whence int) (int64, error) {
	return f.handle.Seek(ctx, offset, whence)
}

// ReadDir returns the next n entries of a directory, or all if n is not positive, as the
// method of os.File does.
func (f *File) ReadDir(ctx context.Context, n int) ([]fs.DirEntry, error) {
	return f.handle.ReadDir(ctx, n)
}

// Stat describes the file.
func (f *File) Stat(ctx context.Context) (fs.FileInfo, error) { return f.handle.Stat(ctx) }

// Sync waits until what was written is on the disk (fsync(2)).
func (f *File) Sync(ctx context.Context) error { return f.handle.Sync(ctx) }

// Truncate changes the size of the file. The offset does not move.
func (f *File) Truncate(ctx context.Context, size int64) error { return f.handle.Truncate(ctx, size) }

// Chmod changes the mode of the file.
func (f *File) Chmod(ctx context.Context, mode fs.FileMode) error { return f.handle.Chmod(ctx, mode) }

// Close closes the file. A cancel does not keep it from that. A second Close is
// [fs.ErrClosed].
func (f *File) Close(ctx context.Context) error { return f.handle.Close(ctx) }

// WriteTo writes to dst what the file has from its offset on, and returns how many bytes dst
// took. [netio.Copy] calls it.
//
// To a [*netio.Stream], [netio.Stream.SendFile] sends the file, in the kernel where it can,
// and the offset moves by what the stream took. To another File of [Host] package os copies,
// by copy_file_range(2) or its like where it can. Otherwise there is a buffer.
func (f *File) WriteTo(ctx context.Context, dst netio.Writer) (int64, error) {
	if from := f.OS(); from != nil {
		switch dst := dst.(type) {
		case *netio.Stream:
			if start, err := from.Seek(0, io.SeekCurrent); err == nil {
				return sendFrom(ctx, dst, from, start)
			}
			// It has no offset, or is closed, which Read reports.
		case *File:
			if to := dst.OS(); to != nil {
				return copyHost(ctx, to, from)
			}
		}
	}
	return netio.Copy(ctx, dst, struct{ netio.Reader }{f})
}

// sendFrom sends f from start on, and sets its offset after what was sent. To set an offset
// waits for nothing.
func sendFrom(ctx context.Context, s *netio.Stream, f *os.File, start int64) (int64, error) {
	n, err := s.SendFile(ctx, f, start, -1)
	if _, moved := f.Seek(start+n, io.SeekStart); err == nil {
		err = moved
	}
	return n, err
}
