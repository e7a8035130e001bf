// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/task"
)

// option returns an option of a socket.
func option(t testing.TB, c syscall.Conn, level, name int) (value int) {
	t.Helper()
	raw := must(c.SyscallConn())(t)
	var inner error
	want(t, "Control", raw.Control(func(fd uintptr) { value, inner = unix.GetsockoptInt(int(fd), level, name) }), nil)
	want(t, "getsockopt", inner, nil)
	return value
}

// probes returns the keep-alive settings of a socket: whether they are on, and if so the idle
// seconds, the seconds between probes, and the number of probes.
func probes(t testing.TB, c syscall.Conn) [4]int {
	t.Helper()
	if option(t, c, unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 {
		return [4]int{}
	}
	return [4]int{1, option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL),
		option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)}
}

// TCP connections of both endpoints have keep-alive probes, except if the config disables them.
func TestKeepAlive(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" || w.network != "tcp" {
			return
		}
		fresh := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
		defer unix.Close(fresh)
		system := [4]int{1} // the defaults of this machine, which a negative field keeps
		for i, name := range []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT} {
			system[i+1] = must(unix.GetsockoptInt(fresh, unix.IPPROTO_TCP, name))(t)
		}
		for _, c := range []struct {
			name   string
			config netio.StreamConfig
			want   [4]int
		}{
			{"default", netio.StreamConfig{}, [4]int{1, 15, 15, 9}},
			{"off", netio.StreamConfig{KeepAlive: -1}, [4]int{}},
			{"idle time", netio.StreamConfig{KeepAlive: 90 * time.Second}, [4]int{1, 90, 15, 9}},
			{"config", netio.StreamConfig{KeepAlive: -1, KeepAliveConfig: net.KeepAliveConfig{
				Enable: true, Idle: 1500 * time.Millisecond, Interval: time.Minute, Count: 3,
			}}, [4]int{1, 2, 60, 3}},
			{"system", netio.StreamConfig{KeepAliveConfig: net.KeepAliveConfig{
				Enable: true, Idle: -1, Interval: -1, Count: -1,
			}}, system},
		} {
			near, far := w.pair(ctx, t, c.config)
			for end, s := range map[string]*netio.Stream{"dialed": near, "accepted": far} {
				if got := probes(t, s); got != c.want {
					t.Errorf("%s, %s: probes %v, want %v", c.name, end, got, c.want)
				}
				want(t, "Close", s.Close(), nil)
			}
		}
	})
}

// The RawConn of a stream, listener or datagram socket works without waiting, until the socket is
// closed.
func TestSyscallConn(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		if w.poller == "virtual" {
			_, err := near.SyscallConn()
			want(t, "SyscallConn", err, errors.ErrUnsupported)
			want(t, "Close", near.Close(), nil)
			return
		}
		raw := must(near.SyscallConn())(t)
		buf := make([]byte, 8)
		n := 0
		var inner error
		receive := func(fd uintptr) bool {
			n, _, inner = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			return inner != unix.EAGAIN
		}
		want(t, "Read without data", raw.Read(receive), syscall.EAGAIN)
		must(far.Write(ctx, []byte("plain")))(t)
		must(near.ReadFull(ctx, make([]byte, 1)))(t)
		want(t, "Read", raw.Read(receive), nil)
		if string(buf[:max(n, 0)]) != "lain" {
			t.Errorf("read %q, %v", buf[:max(n, 0)], inner)
		}
		want(t, "Write", raw.Write(func(fd uintptr) bool {
			inner = unix.Sendto(int(fd), []byte("back"), 0, nil)
			return true
		}), nil)
		want(t, "send", inner, nil)
		write(ctx, t, near, "!")
		must(far.ReadFull(ctx, buf[:5]))(t)
		if string(buf[:5]) != "back!" {
			t.Errorf("the peer read %q", buf[:5])
		}
		must(far.Write(ctx, []byte("more")))(t)
		if n, err := near.ReadFull(ctx, buf[:4]); n != 4 {
			t.Errorf("ReadFull after a raw Read = %d, %v", n, err)
		}
		want(t, "Close", near.Close(), nil)
		never := func(uintptr) { t.Error("called with the descriptor of a closed socket") }
		err := raw.Control(never)
		want(t, "Control after Close", err, net.ErrClosed)
		if e, ok := err.(*net.OpError); !ok || e.Op != "raw-control" || e.Net != w.network {
			t.Errorf("Control after Close: %#v", err)
		}
		want(t, "Read after Close", raw.Read(receive), net.ErrClosed)

		ln := must(netio.Listen(ctx, w.network, w.address(t)+map[string]string{"unix": "2"}[w.network]))(t)
		defer ln.Close()
		if option(t, ln, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 1 {
			t.Error("the socket of the listener does not listen")
		}
		raw = must(ln.SyscallConn())(t)
		want(t, "Read of a listener", raw.Read(receive), syscall.EINVAL)
		want(t, "Write of a listener", raw.Write(receive), syscall.EINVAL)
	})
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		c := must(netio.ListenPacket(ctx, w.network, w.place(t)))(t)
		defer c.Close()
		if w.poller == "virtual" {
			_, err := c.SyscallConn()
			want(t, "SyscallConn", err, errors.ErrUnsupported)
		} else if kind := option(t, c, unix.SOL_SOCKET, unix.SO_TYPE); kind != unix.SOCK_DGRAM {
			t.Errorf("the socket has type %d", kind)
		}
	})
}

// The RawConn of a listener with several addresses covers all of them.
func TestSyscallConnOfAddresses(t *testing.T) {
	real(t, func(ctx context.Context) error {
		ln := must(netio.Listen(ctx, "tcp", ":0"))(t)
		defer ln.Close()
		var ports []string
		want(t, "Control", must(ln.SyscallConn())(t).Control(func(fd uintptr) {
			switch a := must(unix.Getsockname(int(fd)))(t).(type) {
			case *unix.SockaddrInet4:
				ports = append(ports, fmt.Sprint("0.0.0.0:", a.Port))
			case *unix.SockaddrInet6:
				ports = append(ports, fmt.Sprint("[::]:", a.Port))
			}
		}), nil)
		if all := fmt.Sprint(ln.Addrs()); all != fmt.Sprint(ports) {
			t.Errorf("Control was called for %v, want %v", ports, all)
		}
		return nil
	})
}

// A RawConn may be used only where its stream may be used.
func TestSyscallConnMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		raw := must(near.SyscallConn())(t)
		return outside(ctx, func() error {
			panics(t, "SyscallConn", func() { near.SyscallConn() }, "Stream.SyscallConn of", "does not hold the baton")
			panics(t, "Control", func() { raw.Control(func(uintptr) {}) }, "Stream's RawConn.Control of", "does not hold the baton")
			return nil
		})
	})
}

// The kernel knows which user has connected to a UNIX socket.
func ExampleStream_SyscallConn() {
	user := func(s *netio.Stream) (uid uint32, err error) {
		raw, err := s.SyscallConn()
		if err != nil {
			return 0, err
		}
		var peer *unix.Ucred
		if outer := raw.Control(func(fd uintptr) {
			peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		}); outer != nil {
			return 0, outer
		}
		if err != nil {
			return 0, os.NewSyscallError("getsockopt", err)
		}
		return peer.Uid, nil
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "unix", fmt.Sprint("@baton-example-", os.Getpid()))
		if err != nil {
			return err
		}
		defer ln.Close()
		near, err := netio.Dial(ctx, "unix", ln.Addr().String())
		if err != nil {
			return err
		}
		defer near.Close()
		far, err := ln.Accept(ctx)
		if err != nil {
			return err
		}
		defer far.Close()
		uid, err := user(far)
		fmt.Println("the user of this process:", uid == uint32(os.Getuid()))
		return err
	})
	fmt.Println(err)
	// Output:
	// the user of this process: true
	// <nil>
}
