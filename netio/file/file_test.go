// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/netio/file"
)

// A file is created, written, read, truncated and closed.
func TestFile(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		f := must(file.Create(ctx, name))(t)
		if n, err := f.WriteString(ctx, "hello, world"); n != 12 || err != nil {
			t.Errorf("WriteString = %d, %v", n, err)
		}
		if n, err := f.WriteAt(ctx, []byte("J"), 0); n != 1 || err != nil {
			t.Errorf("WriteAt = %d, %v", n, err)
		}
		if at, err := f.Seek(ctx, -5, io.SeekEnd); at != 7 || err != nil {
			t.Errorf("Seek from the end = %d, %v", at, err)
		}
		buf := make([]byte, 100)
		if n, err := f.Read(ctx, buf); string(buf[:n]) != "world" || err != nil {
			t.Errorf("Read = %q, %v", buf[:n], err)
		}
		if n, err := f.Read(ctx, buf); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v", n, err)
		}
		if n, err := f.ReadAt(ctx, buf[:5], 0); string(buf[:n]) != "Jello" || err != nil {
			t.Errorf("ReadAt = %q, %v", buf[:n], err)
		}
		if n, err := f.ReadAt(ctx, buf, 10); string(buf[:n]) != "ld" || err != io.EOF {
			t.Errorf("ReadAt over the end = %q, %v", buf[:n], err)
		}
		want(t, "Truncate", f.Truncate(ctx, 5), nil)
		want(t, "Sync", f.Sync(ctx), nil)
		want(t, "Chmod", f.Chmod(ctx, 0o600), nil)
		if info, err := f.Stat(ctx); err != nil || info.Size() != 5 || info.Mode() != 0o600 {
			t.Errorf("Stat = %v, %v", info, err)
		}
		if f.Name() != name || f.OS().Name() != name {
			t.Errorf("the names are %q and %q", f.Name(), f.OS().Name())
		}
		want(t, "Close", f.Close(ctx), nil)
		want(t, "a second Close", f.Close(ctx), fs.ErrClosed)
		_, err := f.Read(ctx, buf)
		want(t, "Read after Close", err, fs.ErrClosed)
	})
}

// With os.O_APPEND, Write appends at the end of the file, wherever the offset is.
func TestAppend(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		for _, line := range []string{"one\n", "two\n"} {
			f := must(file.OpenFile(ctx, name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o666))(t)
			must(f.Seek(ctx, 0, io.SeekStart))(t)
			must(f.WriteString(ctx, line))(t)
			want(t, "Close", f.Close(ctx), nil)
		}
		if got, err := file.ReadFile(ctx, name); string(got) != "one\ntwo\n" || err != nil {
			t.Errorf("ReadFile = %q, %v", got, err)
		}
	})
}

// The calls on names do what the calls of package os do.
func TestCallsOnNames(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		want(t, "MkdirAll", file.MkdirAll(ctx, in("a/b/c"), 0o755), nil)
		want(t, "Mkdir", file.Mkdir(ctx, in("a/d"), 0o755), nil)
		want(t, "WriteFile", file.WriteFile(ctx, in("a/one"), []byte("1"), 0o644), nil)
		want(t, "WriteFile over it", file.WriteFile(ctx, in("a/one"), []byte("12"), 0o644), nil)
		want(t, "Rename", file.Rename(ctx, in("a/one"), in("a/two")), nil)
		want(t, "Symlink", file.Symlink(ctx, "two", in("a/soft")), nil)
		want(t, "Link", file.Link(ctx, in("a/two"), in("a/hard")), nil)
		want(t, "Truncate", file.Truncate(ctx, in("a/hard"), 1), nil)
		want(t, "Chmod", file.Chmod(ctx, in("a/two"), 0o600), nil)
		then := time.Date(2013, 3, 12, 0, 0, 0, 0, time.UTC)
		want(t, "Chtimes", file.Chtimes(ctx, in("a/two"), then, then), nil)

		info, err := file.Stat(ctx, in("a/soft"))
		if err != nil || info.Size() != 1 || info.Mode() != 0o600 || !info.ModTime().Equal(then) {
			t.Errorf("Stat = %v, %v", info, err)
		}
		if info, err := file.Lstat(ctx, in("a/soft")); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("Lstat = %v, %v", info, err)
		}
		if target, err := file.Readlink(ctx, in("a/soft")); target != "two" || err != nil {
			t.Errorf("Readlink = %q, %v", target, err)
		}
		var names []string
		for _, e := range must(file.ReadDir(ctx, in("a")))(t) {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != "b d hard soft two" {
			t.Errorf("ReadDir = %q", got)
		}
		d := must(file.Open(ctx, in("a")))(t)
		if some, err := d.ReadDir(ctx, 2); len(some) != 2 || err != nil {
			t.Errorf("ReadDir(2) = %v, %v", some, err)
		}
		want(t, "Close", d.Close(ctx), nil)
		want(t, "Remove", file.Remove(ctx, in("a/soft")), nil)
		want(t, "RemoveAll", file.RemoveAll(ctx, in("a")), nil)
		_, err = os.Stat(in("a"))
		want(t, "Stat after RemoveAll", err, fs.ErrNotExist)
	})
}

// CreateTemp and MkdirTemp use the pattern and the directory that they are given.
func TestTemporaryNames(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		a, b := must(file.CreateTemp(ctx, dir, "a*.txt"))(t), must(file.CreateTemp(ctx, dir, "a*.txt"))(t)
		for _, f := range []*file.File{a, b} {
			if ok, _ := filepath.Match(filepath.Join(dir, "a?*.txt"), f.Name()); !ok || a.Name() == b.Name() {
				t.Errorf("CreateTemp: %q", f.Name())
			}
			want(t, "Close", f.Close(ctx), nil)
		}
		sub := must(file.MkdirTemp(ctx, dir, "sub"))(t)
		if info, err := os.Stat(sub); err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
			t.Errorf("MkdirTemp: %q: %v, %v", sub, info, err)
		}
		t.Setenv("TMPDIR", dir)
		f := must(file.CreateTemp(ctx, "", "x"))(t)
		if filepath.Dir(f.Name()) != dir {
			t.Errorf("CreateTemp in the default directory: %q", f.Name())
		}
		want(t, "Close", f.Close(ctx), nil)
	})
}

// Files of sizes around the size of a piece are read completely, and so are files in /proc,
// which have no size.
func TestReadFileOfAnySize(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		for _, size := range []int{0, 1, 511, 512, 513, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 5} {
			data := pattern(size)
			want(t, "WriteFile", file.WriteFile(ctx, name, data, 0o666), nil)
			if got, err := file.ReadFile(ctx, name); !bytes.Equal(got, data) || got == nil || err != nil {
				t.Errorf("ReadFile: %d bytes, want %d, or the content is wrong, %v", len(got), size, err)
			}
			f := must(file.Open(ctx, name))(t)
			buf := make([]byte, size+1)
			if n, err := f.ReadAt(ctx, buf, 0); n != size || err != io.EOF || !bytes.Equal(buf[:n], data) {
				t.Errorf("ReadAt = %d, %v, want %d and io.EOF", n, err, size)
			}
			if n, err := f.Read(ctx, buf); n != size || err != nil && size > 0 || !bytes.Equal(buf[:n], data) {
				t.Errorf("Read = %d, %v, want %d", n, err, size)
			}
			want(t, "Close", f.Close(ctx), nil)
		}
		wanted, err := os.ReadFile("/proc/version")
		if errors.Is(err, fs.ErrNotExist) {
			return // another system
		}
		if got, err := file.ReadFile(ctx, "/proc/version"); !bytes.Equal(got, wanted) || err != nil {
			t.Errorf("ReadFile = %q, %v, want %q", got, err, wanted)
		}
	})
}

// pattern returns n bytes with the period 251, so that no block of a power of two repeats.
func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

// Lines returns the lines that bufio.Scanner returns.
func TestLines(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		for _, c := range []struct{ content, lines string }{
			{"", ""}, {"\n", "|"}, {"one", "one|"}, {"one\n", "one|"}, {"one\ntwo", "one|two|"}, {"a\r\n\r\nb\r", "a||b\r|"},
			{strings.Repeat("x", 60<<10) + "\n" + strings.Repeat("y", 60<<10), strings.Repeat("x", 60<<10) + "|" + strings.Repeat("y", 60<<10) + "|"},
		} {
			want(t, "WriteFile", os.WriteFile(name, []byte(c.content), 0o666), nil)
			var got strings.Builder
			for line, err := range file.Lines(ctx, name) {
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString(line + "|")
			}
			if got.String() != c.lines {
				t.Errorf("the lines of %.20q are %.20q, want %.20q", c.content, got.String(), c.lines)
			}
		}
		for range file.Lines(ctx, name) {
			break // closes the file
		}
		for _, err := range file.Lines(ctx, filepath.Join(name, "none")) {
			if _, ok := errors.AsType[*fs.PathError](err); !ok {
				t.Errorf("Lines of no file: %v", err)
			}
		}
	})
}
