// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"baton/netio"
)

// While one listener replaces a stale file, another one fails and changes nothing. The lock file of
// a dead process does not matter.
func TestUnixLock(t *testing.T) {
	onDisk(t, func(ctx context.Context, t *testing.T, _ world) {
		path := stale(ctx, t)
		before := must(os.Lstat(path))(t)
		lock := must(os.Create(path + ".baton-lock"))(t)
		defer lock.Close()
		want(t, "Flock", syscall.Flock(int(lock.Fd()), syscall.LOCK_EX), nil)
		_, err := netio.Listen(ctx, "unix", path)
		want(t, "Listen", err, syscall.EADDRINUSE)
		if after := must(os.Lstat(path))(t); !os.SameFile(before, after) {
			t.Error("Listen replaced the file")
		}
		want(t, "Close", lock.Close(), nil)
		ln := must(netio.Listen(ctx, "unix", path))(t)
		defer ln.Close()
		if _, err := os.Lstat(lock.Name()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the lock file exists after Listen: %v", err)
		}
	})
}

// A server that has bound its socket but does not listen yet keeps it.
func TestUnixBound(t *testing.T) {
	onDisk(t, func(ctx context.Context, t *testing.T, _ world) {
		path := socketPath(t)
		fd := must(syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0))(t)
		defer syscall.Close(fd)
		want(t, "Bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), nil)
		_, err := netio.Listen(ctx, "unix", path)
		want(t, "Listen", err, syscall.EADDRINUSE)
		must(os.Lstat(path))(t)
	})
}
