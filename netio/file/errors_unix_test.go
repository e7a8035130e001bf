// SPDX-License-Identifier: Apache-2.0

//go:build unix

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/netio/file"
	"baton/task"
)

// A comparison is an operation of package os, and the same operation of package file.
type comparison struct {
	name string
	os   func(name string) error
	file func(ctx context.Context, name string) error
}

var comparisons = []comparison{
	{"Open", func(name string) error { f, err := os.Open(name); return closed(f, err) },
		func(ctx context.Context, name string) error {
			f, err := file.Open(ctx, name)
			return ended(ctx, f, err)
		}},
	{"Create", func(name string) error { f, err := os.Create(name); return closed(f, err) },
		func(ctx context.Context, name string) error {
			f, err := file.Create(ctx, name)
			return ended(ctx, f, err)
		}},
	{"create, exclusively", func(name string) error {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
		return closed(f, err)
	}, func(ctx context.Context, name string) error {
		f, err := file.OpenFile(ctx, name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
		return ended(ctx, f, err)
	}},
	{"ReadFile", func(name string) error { _, err := os.ReadFile(name); return err },
		func(ctx context.Context, name string) error { _, err := file.ReadFile(ctx, name); return err }},
	{"WriteFile", func(name string) error { return os.WriteFile(name, []byte("x"), 0o666) },
		func(ctx context.Context, name string) error { return file.WriteFile(ctx, name, []byte("x"), 0o666) }},
	{"Stat", func(name string) error { _, err := os.Stat(name); return err },
		func(ctx context.Context, name string) error { _, err := file.Stat(ctx, name); return err }},
	{"Lstat", func(name string) error { _, err := os.Lstat(name); return err },
		func(ctx context.Context, name string) error { _, err := file.Lstat(ctx, name); return err }},
	{"ReadDir", func(name string) error { _, err := os.ReadDir(name); return err },
		func(ctx context.Context, name string) error { _, err := file.ReadDir(ctx, name); return err }},
	{"Mkdir", func(name string) error { return os.Mkdir(name, 0o777) },
		func(ctx context.Context, name string) error { return file.Mkdir(ctx, name, 0o777) }},
	{"MkdirAll", func(name string) error { return os.MkdirAll(name, 0o777) },
		func(ctx context.Context, name string) error { return file.MkdirAll(ctx, name, 0o777) }},
	{"Remove", os.Remove, file.Remove},
	{"RemoveAll", os.RemoveAll, file.RemoveAll},
	{"Rename", func(name string) error { return os.Rename(name, name+"/in itself") },
		func(ctx context.Context, name string) error { return file.Rename(ctx, name, name+"/in itself") }},
	{"Link", func(name string) error { return os.Link(name, name) },
		func(ctx context.Context, name string) error { return file.Link(ctx, name, name) }},
	{"Symlink", func(name string) error { return os.Symlink("x", name) },
		func(ctx context.Context, name string) error { return file.Symlink(ctx, "x", name) }},
	{"Readlink", func(name string) error { _, err := os.Readlink(name); return err },
		func(ctx context.Context, name string) error { _, err := file.Readlink(ctx, name); return err }},
	{"Truncate", func(name string) error { return os.Truncate(name, 1) },
		func(ctx context.Context, name string) error { return file.Truncate(ctx, name, 1) }},
	{"Chmod", func(name string) error { return os.Chmod(name, 0o600) },
		func(ctx context.Context, name string) error { return file.Chmod(ctx, name, 0o600) }},
	{"CreateTemp", func(name string) error { f, err := os.CreateTemp("", name); return closed(f, err) },
		func(ctx context.Context, name string) error {
			f, err := file.CreateTemp(ctx, "", name)
			return ended(ctx, f, err)
		}},
}

func closed(f *os.File, err error) error {
	if err == nil {
		err = f.Close()
	}
	return err
}

func ended(ctx context.Context, f *file.File, err error) error {
	if err == nil {
		err = f.Close(ctx)
	}
	return err
}

// compare runs both operations of each comparison and reports different errors. Before each
// operation it calls make, which prepares a file and returns its name.
func compare(ctx context.Context, report func(format string, args ...any), what string, make func() (name string)) {
	kinds := []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed}
	for _, c := range comparisons {
		name := make()
		wanted := c.os(name)
		name = make()
		got := c.file(ctx, name)
		if text(wanted) != text(got) {
			report("%s of %s: %v, want %v", c.name, what, got, wanted)
		}
		for _, kind := range kinds {
			if errors.Is(got, kind) != errors.Is(wanted, kind) {
				report("%s of %s: %v is %v: %v", c.name, what, got, kind, errors.Is(got, kind))
			}
		}
	}
}

// text returns the text of an error without digits, which differ between temporary names.
func text(err error) string {
	if err == nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}

// Calls on names return the errors of package os, with the same text.
func TestErrorsOfNames(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		at := func(name string, prepare func(name string) error) func() string {
			name = filepath.Join(dir, name)
			return func() string {
				os.RemoveAll(name)
				if prepare != nil {
					want(t, "prepare", prepare(name), nil)
				}
				return name
			}
		}
		blank := func(name string) error { return os.WriteFile(name, nil, 0o666) }
		full := func(name string) error {
			return errors.Join(os.Mkdir(name, 0o777), os.WriteFile(filepath.Join(name, "x"), nil, 0o666))
		}
		want(t, "prepare", blank(filepath.Join(dir, "blank")), nil)
		compare(ctx, t.Errorf, "nothing", at("none", nil))
		compare(ctx, t.Errorf, "a file", at("file", blank))
		compare(ctx, t.Errorf, "a directory", at("dir", full))
		compare(ctx, t.Errorf, "a file as a directory", func() string { return filepath.Join(dir, "blank", "x") })
		compare(ctx, t.Errorf, "a link to itself", at("ring", func(name string) error { return os.Symlink("ring", name) }))
		compare(ctx, t.Errorf, "a name that is too long", at(strings.Repeat("x", 300), nil))
		compare(ctx, t.Errorf, "a name with a zero", func() string { return "x\x00y" })
		compare(ctx, t.Errorf, "an empty name", func() string { return "" })
	})
}

// Calls on open files return the errors of package os, with the same text.
func TestErrorsOfOpenFiles(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		want(t, "WriteFile", os.WriteFile(name, []byte("x"), 0o666), nil)
		buf := make([]byte, 1)
		for what, flag := range map[string]int{"reads": os.O_RDONLY, "writes": os.O_WRONLY, "appends": os.O_APPEND | os.O_WRONLY} {
			theirs := must(os.OpenFile(name, flag, 0))(t)
			ours := must(file.OpenFile(ctx, name, flag, 0))(t)
			check := func(call string, got, wanted error) {
				t.Helper()
				if text(got) != text(wanted) {
					t.Errorf("%s of a file that %s: %v, want %v", call, what, got, wanted)
				}
			}
			for range 2 { // first open, then closed
				_, wanted := theirs.Read(buf)
				_, got := ours.Read(ctx, buf)
				check("Read", got, wanted)
				_, wanted = theirs.ReadAt(buf, -1)
				_, got = ours.ReadAt(ctx, buf, -1)
				check("ReadAt", got, wanted)
				_, wanted = theirs.Write(buf)
				_, got = ours.Write(ctx, buf)
				check("Write", got, wanted)
				_, wanted = theirs.WriteAt(buf, 0)
				_, got = ours.WriteAt(ctx, buf, 0)
				check("WriteAt", got, wanted)
				_, wanted = theirs.Seek(-1, io.SeekStart)
				_, got = ours.Seek(ctx, -1, io.SeekStart)
				check("Seek", got, wanted)
				_, wanted = theirs.ReadDir(1)
				_, got = ours.ReadDir(ctx, 1)
				check("ReadDir", got, wanted)
				check("Truncate", ours.Truncate(ctx, -1), theirs.Truncate(-1))
				check("Close", ours.Close(ctx), theirs.Close())
			}
		}
	})
}

// limitedVar is the environment variable that makes the test binary run as a limited process:
// without privileges, with a small file size and with few descriptors.
const limitedVar = "BATON_TEST_LIMITED"

// runLimited runs the tests of a limited process. It reports whether this is such a process.
func runLimited() bool {
	dir := os.Getenv(limitedVar)
	if dir == "" {
		return false
	}
	failed := false
	report := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		failed = true
	}
	if syscall.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			panic(err)
		}
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		for what, name := range map[string]string{"a file of others": "secret", "a closed directory": "closed/x"} {
			compare(ctx, report, what, func() string { return filepath.Join(dir, name) })
			if _, err := file.ReadFile(ctx, filepath.Join(dir, name)); !errors.Is(err, syscall.EACCES) {
				return fmt.Errorf("%s: %v, want EACCES", what, err)
			}
		}
		return errors.Join(tooLarge(ctx), tooMany(ctx, filepath.Join(dir, "open")))
	})
	if failed || err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return true
}

// tooLarge writes more to a file than the limit allows. The part that fits is written and
// counted.
func tooLarge(ctx context.Context) error {
	const limit, size = 1<<20 + 5000, 3 << 20
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	f, err := file.CreateTemp(ctx, "", "large")
	if err != nil {
		return err
	}
	defer f.Close(ctx)
	defer file.Remove(ctx, f.Name())
	n, err := f.Write(ctx, pattern(size))
	if n != limit || !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("Write = %d, %v, want %d and EFBIG", n, err, limit)
	}
	// Package os does not count the written part of the piece that has failed.
	if n, err := f.WriteAt(ctx, pattern(size), 100); n != 1<<20 || !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("WriteAt = %d, %v, want one piece and EFBIG", n, err)
	}
	if got, err := file.ReadFile(ctx, f.Name()); len(got) != limit || !bytes.Equal(got[100:], pattern(limit-100)) || err != nil {
		return fmt.Errorf("ReadFile: %d bytes, want %d, or its content is wrong, %v", len(got), limit, err)
	}
	return nil
}

// tooMany opens a file until Open returns EMFILE. After one file was closed, Open succeeds
// again.
func tooMany(ctx context.Context, name string) error {
	// The process has some descriptors already.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 40, Max: 40}); err != nil {
		return err
	}
	var opened []*file.File
	for {
		f, err := file.Open(ctx, name)
		if errors.Is(err, syscall.EMFILE) {
			break
		} else if err != nil || len(opened) > 40 {
			return errors.Join(errors.New("no EMFILE"), err)
		}
		opened = append(opened, f)
	}
	if err := opened[0].Close(ctx); err != nil {
		return err
	}
	f, err := file.Open(ctx, name)
	if err != nil {
		return err
	}
	for _, f := range append(opened[1:], f) {
		if err := f.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Without privileges, with a small file size and with few descriptors, calls return the errors
// of the system.
func TestLimitedProcess(t *testing.T) {
	dir, err := os.MkdirTemp("", "limited") // other users cannot enter the directory of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "secret"), nil, 0o000),
		os.WriteFile(filepath.Join(dir, "open"), nil, 0o644),
		os.Mkdir(filepath.Join(dir, "closed"), 0o000),
		os.Chmod(dir, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, poller := range []string{"epoll", "portable"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), limitedVar+"="+dir, "BATON_POLLER="+poller)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", poller, err, out)
		}
	}
}
