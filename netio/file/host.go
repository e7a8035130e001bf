// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"baton/await"
	"baton/loop/poll"
	"baton/task"
)

// Host is the System of the machine. It calls package os in the executor of the loop, so that
// other tasks run meanwhile.
//
// In a simulated world Host also uses the files of the machine. There it calls package os on
// the loop, after one switch: a goroutine of the executor would not come back in the same
// turn in each replay. No virtual time passes.
var Host System = host{}

// pieceBytes is how much one operation reads or writes. A cancel takes effect between pieces.
const pieceBytes = 1 << 20

type host struct{}

// call calls fn in the executor, or on the loop in a simulated world. If fn returns errCanceled,
// call returns the *task.Canceled of the task.
func call[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (v T, err error) {
	if !task.Loop(ctx).Poller().Caps().Has(poll.Virtual) {
		v, err = await.Blocking(ctx, fn)
	} else if err = task.Yield(ctx); err == nil {
		v, err = fn(ctx)
	}
	if err == errCanceled {
		err = task.Check(ctx)
	}
	return v, err
}

// do is like call, for a function that returns only an error.
func do(ctx context.Context, fn func() error) error {
	_, err := call(ctx, func(context.Context) (struct{}, error) { return struct{}{}, fn() })
	return err
}

// errCanceled is returned by a function in the executor that has ended early because of a
// cancel. Only the task can make the *task.Canceled for the caller: see call.
var errCanceled = errors.New("file: cancelled")

// inPieces calls move for the pieces of p, one after another. It ends when move returns an
// error or moves fewer bytes than it was given. If ctx ends, inPieces returns errCanceled.
func inPieces(ctx context.Context, p []byte, move func(part []byte, at int64) (int, error)) (n int, err error) {
	for {
		part := p[n:min(n+pieceBytes, len(p))]
		m, err := move(part, int64(n))
		n += m
		switch {
		case err != nil || m < len(part) || n == len(p):
			return n, err
		case ctx.Err() != nil:
			return n, errCanceled
		}
	}
}

func (host) OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (Handle, error) {
	f, err := call(ctx, func(context.Context) (*os.File, error) { return os.OpenFile(name, flag, perm) })
	if err != nil {
		return nil, err
	}
	return newHostFile(f), nil
}

func (host) ReadFile(ctx context.Context, name string) ([]byte, error) {
	return call(ctx, func(ctx context.Context) ([]byte, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(ctx, f)
	})
}

// readAll reads f to its end. The size of f is only a hint, because the file may grow meanwhile
// and files in /proc have the size 0.
func readAll(ctx context.Context, f *os.File) ([]byte, error) {
	data := make([]byte, 0, 512)
	if info, err := f.Stat(); err == nil && int64(int(info.Size())) == info.Size() {
		data = make([]byte, 0, max(512, int(info.Size())+1)) // space for one more byte, to find the end
	}
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := f.Read(data[len(data):min(cap(data), len(data)+pieceBytes)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return data, err
		case ctx.Err() != nil:
			return data, errCanceled
		}
	}
}

func (host) WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	_, err := call(ctx, func(ctx context.Context) (n int, err error) {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		if err != nil {
			return 0, err
		}
		n, err = inPieces(ctx, data, func(part []byte, _ int64) (int, error) { return f.Write(part) })
		if closed := f.Close(); err == nil {
			err = closed
		}
		return n, err
	})
	return err
}

func (host) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return call(ctx, func(context.Context) (fs.FileInfo, error) { return os.Stat(name) })
}

func (host) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return call(ctx, func(context.Context) (fs.FileInfo, error) { return os.Lstat(name) })
}

func (host) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	return call(ctx, func(context.Context) ([]fs.DirEntry, error) { return os.ReadDir(name) })
}

func (host) Mkdir(ctx context.Context, name string, perm fs.FileMode) error {
	return do(ctx, func() error { return os.Mkdir(name, perm) })
}

func (host) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	return do(ctx, func() error { return os.MkdirAll(name, perm) })
}

func (host) Remove(ctx context.Context, name string) error {
	return do(ctx, func() error { return os.Remove(name) })
}

func (host) RemoveAll(ctx context.Context, name string) error {
	return do(ctx, func() error { return os.RemoveAll(name) })
}

func (host) Rename(ctx context.Context, from, to string) error {
	return do(ctx, func() error { return os.Rename(from, to) })
}

func (host) Link(ctx context.Context, from, to string) error {
	return do(ctx, func() error { return os.Link(from, to) })
}

func (host) Symlink(ctx context.Context, target, name string) error {
	return do(ctx, func() error { return os.Symlink(target, name) })
}

func (host) Readlink(ctx context.Context, name string) (string, error) {
	return call(ctx, func(context.Context) (string, error) { return os.Readlink(name) })
}

func (host) Truncate(ctx context.Context, name string, size int64) error {
	return do(ctx, func() error { return os.Truncate(name, size) })
}

func (host) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return do(ctx, func() error { return os.Chmod(name, mode) })
}

func (host) Chtimes(ctx context.Context, name string, access, modified time.Time) error {
	return do(ctx, func() error { return os.Chtimes(name, access, modified) })
}
