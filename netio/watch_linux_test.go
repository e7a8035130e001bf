// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"baton/netio"
	"baton/task"
)

// The descriptor of a stream or a listener cannot be watched by other code. The error names the
// owner.
func TestWatchOwned(t *testing.T) {
	for _, w := range []world{{"epoll", "tcp"}, {"epoll", "unix"}} {
		w.run(t, func(ctx context.Context, t *testing.T) {
			near, far := w.pair(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
			defer ln.Close()
			name := func(addr net.Addr) string {
				if addr.String() == "" {
					return "an unnamed socket"
				}
				return addr.String()
			}
			for _, c := range []struct {
				local, remote net.Addr
				owner         string
			}{
				{far.LocalAddr(), far.RemoteAddr(), fmt.Sprintf("a stream from %s to %s", name(far.LocalAddr()), name(far.RemoteAddr()))},
				{ln.Addr(), nil, fmt.Sprintf("a listener on %v", ln.Addr())},
			} {
				fd := descriptor(t, c.local, c.remote)
				wanted := fmt.Sprintf("descriptor %d belongs to %s", fd, c.owner)
				for _, add := range []func(uintptr, func()) error{task.Loop(ctx).AddReader, task.Loop(ctx).AddWriter} {
					err := add(fd, func() { t.Error("a watcher of a stream's descriptor was called") })
					if !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), wanted) {
						t.Errorf("watching the descriptor of %s returned %v, want %q", c.owner, err, wanted)
					}
				}
			}
			write(ctx, t, near, "undisturbed\n")
			if line, err := far.ReadLine(ctx); line != "undisturbed" || err != nil {
				t.Errorf("the stream received %q, %v", line, err)
			}
		})
	}
}

// descriptor finds the descriptor of the socket with these addresses in this process.
func descriptor(t *testing.T, local, remote net.Addr) uintptr {
	t.Helper()
	for fd := range 1024 {
		near, err := syscall.Getsockname(fd)
		if err != nil || !is(near, local) {
			continue
		}
		far, err := syscall.Getpeername(fd)
		if remote == nil && err != nil || remote != nil && err == nil && is(far, remote) {
			return uintptr(fd)
		}
	}
	t.Fatalf("no descriptor from %v to %v", local, remote)
	return 0
}

func is(sa syscall.Sockaddr, addr net.Addr) bool {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		tcp, ok := addr.(*net.TCPAddr)
		return ok && tcp.Port == sa.Port && tcp.IP.Equal(sa.Addr[:])
	case *syscall.SockaddrUnix:
		return addr.String() == sa.Name
	}
	return false
}
