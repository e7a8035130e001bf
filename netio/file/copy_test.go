// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"baton/netio"
	"baton/netio/file"
	"baton/task"
)

// pair returns both ends of a connection.
func pair(ctx context.Context, t *testing.T) (near, far *netio.Stream) {
	t.Helper()
	ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
	defer ln.Close()
	dialed := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
		return netio.Dial(ctx, "tcp", ln.Addr().String())
	})
	far = must(ln.Accept(ctx))(t)
	return must(dialed.Await(ctx))(t), far
}

// A file is copied into a stream, and the stream into another file.
func TestCopyThroughStream(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		data := pattern(3<<20 + 7)
		want(t, "WriteFile", os.WriteFile(filepath.Join(dir, "from"), data, 0o666), nil)
		near, far := pair(ctx, t)
		defer far.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer near.Close()
			f, err := file.Open(ctx, filepath.Join(dir, "from"))
			if err != nil {
				return err
			}
			defer f.Close(ctx)
			if _, err := f.Seek(ctx, 5, io.SeekStart); err != nil {
				return err
			}
			n, err := netio.Copy(ctx, near, f)
			if n != int64(len(data)-5) {
				t.Errorf("Copy into the stream = %d, %v", n, err)
			}
			if at, _ := f.Seek(ctx, 0, io.SeekCurrent); at != int64(len(data)) {
				t.Errorf("the offset is %d after Copy, want %d", at, len(data))
			}
			return err
		})
		to := must(file.Create(ctx, filepath.Join(dir, "to")))(t)
		if n, err := netio.Copy(ctx, to, far); n != int64(len(data)-5) || err != nil {
			t.Errorf("Copy from the stream = %d, %v", n, err)
		}
		want(t, "Close", to.Close(ctx), nil)
		if got := must(os.ReadFile(filepath.Join(dir, "to")))(t); !bytes.Equal(got, data[5:]) {
			t.Errorf("the copy has %d bytes, want %d, or its content is wrong", len(got), len(data)-5)
		}
	})
}

// If a stream fails, the offset of the file is at the end of what the stream has taken.
func TestOffsetAfterFailedCopy(t *testing.T) {
	hosts(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "from")
		want(t, "WriteFile", os.WriteFile(name, nil, 0o666), nil)
		want(t, "Truncate", os.Truncate(name, 64<<20), nil)
		f := must(file.Open(ctx, name))(t)
		defer f.Close(ctx)
		near, far := pair(ctx, t)
		defer near.Close()
		copying := task.Start(ctx, func(ctx context.Context) (int64, error) { return netio.Copy(ctx, near, f) })
		must(far.Peek(ctx, 1))(t)
		want(t, "Abort", far.Abort(), nil)
		n, err := copying.Await(ctx)
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("Copy: %v, want a *net.OpError", err)
		}
		if at, err := f.Seek(ctx, 0, io.SeekCurrent); at != n || err != nil || n == 64<<20 {
			t.Errorf("the offset is %d, %v, want %d", at, err, n)
		}
	})
}

// A file is copied to another file, and to a Writer that is not a file.
func TestCopyFromFile(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		data := pattern(17<<20 + 3)
		want(t, "WriteFile", os.WriteFile(filepath.Join(dir, "from"), data, 0o666), nil)
		from := must(file.Open(ctx, filepath.Join(dir, "from")))(t)
		to := must(file.Create(ctx, filepath.Join(dir, "to")))(t)
		var memory memory
		for what, dst := range map[string]netio.Writer{"a file": to, "memory": &memory} {
			must(from.Seek(ctx, 3, io.SeekStart))(t)
			if n, err := netio.Copy(ctx, dst, from); n != int64(len(data)-3) || err != nil {
				t.Errorf("Copy to %s = %d, %v", what, n, err)
			}
		}
		want(t, "Close", from.Close(ctx), nil)
		for what, dst := range map[string]netio.Writer{"a file": to, "memory": &memory} {
			_, err := netio.Copy(ctx, dst, from)
			want(t, "Copy of a closed file to "+what, err, fs.ErrClosed)
		}
		want(t, "Close", to.Close(ctx), nil)
		if got := must(os.ReadFile(to.Name()))(t); !bytes.Equal(got, data[3:]) {
			t.Errorf("the file has %d bytes, want %d, or its content is wrong", len(got), len(data)-3)
		}
		if !bytes.Equal(memory.data, data[3:]) {
			t.Errorf("memory has %d bytes, want %d, or its content is wrong", len(memory.data), len(data)-3)
		}
	})
}

// memory is a netio.Writer that keeps what is written.
type memory struct{ data []byte }

func (m *memory) Write(ctx context.Context, p []byte) (int, error) {
	m.data = append(m.data, p...)
	return len(p), nil
}
