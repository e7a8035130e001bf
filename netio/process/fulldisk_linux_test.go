// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/netio/file"
	"baton/task"
)

// fullDiskVar is the environment variable with the directory where the disk is to be mounted.
const fullDiskVar = "PROCESS_TEST_FULL_DISK"

// diskBytes is the size of the disk.
const diskBytes = 1 << 20

// Writing more than a disk holds returns ENOSPC, and leaves no descriptor, no goroutine, no
// task and no child. The disk is a tmpfs. The test starts a process that mounts it in a new
// mount namespace, so the mount vanishes with the process.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(fullDiskVar); dir != "" {
		if err := mountDisk(dir); err != nil {
			t.Fatal(err)
		}
		must(exec.Command("true").Output())(t) // opens what package os keeps open
		before := takeFootprint(t)
		everywhere(t, func(ctx context.Context, t *testing.T) { fillDisk(ctx, t, dir) })
		checkFootprint(t, before)
		return
	}
	self := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	self.Env = append(os.Environ(), fullDiskVar+"="+t.TempDir())
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := self.CombinedOutput()
	switch {
	case self.ProcessState == nil: // clone(2) has failed
		cannotMount(t, err)
	case strings.Contains(string(out), noMount):
		cannotMount(t, errors.New(string(out)))
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("on a tmpfs of %d bytes:\n%s", diskBytes, out)
	}
}

// cannotMount logs why there is no tmpfs, and tests with /dev/full instead.
func cannotMount(t *testing.T, err error) {
	t.Logf("this process cannot mount a tmpfs, so the test uses /dev/full only: %v", err)
	everywhere(t, func(ctx context.Context, t *testing.T) {
		want(t, "WriteFile", file.WriteFile(ctx, "/dev/full", []byte("x"), 0), syscall.ENOSPC)
		full := must(os.OpenFile("/dev/full", os.O_WRONLY, 0))(t)
		defer full.Close()
		childOutput(ctx, t, full)
	})
}

const noMount = "the tmpfs was not mounted"

// mountDisk mounts a small tmpfs at dir. First it makes all mounts private, so that the parent
// namespace does not see the new mount.
func mountDisk(dir string) error {
	err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", noMount, err)
	}
	return nil
}

// fillDisk writes too much to the disk at dir, in several ways.
func fillDisk(ctx context.Context, t *testing.T, dir string) {
	name, other := filepath.Join(dir, "file"), filepath.Join(t.TempDir(), "other")
	data := bytes.Repeat([]byte("0123456789abcdef"), diskBytes/8) // twice what the disk holds
	want(t, "WriteFile", os.WriteFile(other, data, 0o600), nil)
	for _, c := range []struct {
		name string
		fill func(f *file.File) error
	}{
		{"WriteFile", func(*file.File) error { return file.WriteFile(ctx, name, data, 0o600) }},
		{"Write", func(f *file.File) error {
			n, err := f.Write(ctx, data)
			if info := must(f.Stat(ctx))(t); info.Size() != int64(n) {
				t.Errorf("Write took %d bytes, but the file has %d", n, info.Size())
			}
			return err
		}},
		{"Copy from a file", func(f *file.File) error {
			from := must(file.Open(ctx, other))(t)
			defer from.Close(ctx)
			_, err := netio.Copy(ctx, f, from)
			return err
		}},
		{"Copy from a pipe", func(f *file.File) error { return copyFromPipe(ctx, t, f, data) }},
		{"the output of children", func(f *file.File) error {
			childOutput(ctx, t, f.OS())
			_, err := f.Write(ctx, []byte("x"))
			return err
		}},
	} {
		files, tasks := descriptors(t), len(task.Tasks(ctx))
		f := must(file.Create(ctx, name))(t)
		want(t, c.name, c.fill(f), syscall.ENOSPC)
		want(t, "Close", f.Close(ctx), nil)
		want(t, "Remove", file.Remove(ctx, name), nil)
		if f, n := descriptors(t), len(task.Tasks(ctx)); f != files || n != tasks {
			t.Errorf("%s: %d descriptors and %d tasks, want %d and %d", c.name, f, n, files, tasks)
		}
	}
}

// copyFromPipe copies data from a pipe into f, where it does not fit.
func copyFromPipe(ctx context.Context, t *testing.T, f *file.File, data []byte) error {
	r, w := pipe(ctx, t)
	defer r.Close()
	writer := task.StartErr(ctx, func(ctx context.Context) error {
		defer w.Close()
		_, err := w.Write(ctx, data)
		return err
	})
	_, err := netio.Copy(ctx, f, r)
	r.Close()
	_, failed := writer.Await(ctx)
	want(t, "Write to the pipe", failed, syscall.EPIPE)
	return err
}

// childOutput runs two children whose output goes to f, on a full disk. The first child writes
// to f itself, and reports the error. The output of the second child is copied to f.
func childOutput(ctx context.Context, t *testing.T, f *os.File) {
	t.Helper()
	c := shell("LC_ALL=C exec head -c 3000000 /dev/zero")
	var complaint bytes.Buffer
	c.Stdout, c.Stderr = f, &complaint
	if err := c.Run(ctx); status(err) != 1 || !strings.Contains(complaint.String(), "No space left") {
		t.Errorf("a child that writes to a full disk: %v, %s", err, &complaint)
	}
	c = shell("trap '' PIPE; cat /dev/zero 2>/dev/null; exit 0") // ends when its pipe is closed
	c.Stdout = struct{ io.Writer }{f}                            // hides the file, so there is a pipe
	want(t, "Run of a child whose output is copied to a full disk", c.Run(ctx), syscall.ENOSPC)
}
