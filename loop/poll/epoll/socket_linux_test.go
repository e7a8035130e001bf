// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// Both ends of a connection have TCP_NODELAY, and child processes do not inherit them.
func TestSocketOptions(t *testing.T) {
	l := newLoopback(t, open(t, epoll.Config{}))
	for name, h := range map[string]poll.Handle{"client": l.client, "server": l.server, "listener": l.listener} {
		fd := descriptor(t, h)
		if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || on == 0 {
			t.Errorf("%s: TCP_NODELAY is %d, error %v", name, on, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: not close-on-exec, error %v", name, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: blocks, error %v", name, err)
		}
	}
	if err := l.client.SetNoDelay(false); err != nil {
		t.Error(err)
	}
	if on, _ := unix.GetsockoptInt(descriptor(t, l.client), unix.IPPROTO_TCP, unix.TCP_NODELAY); on != 0 {
		t.Error("SetNoDelay(false) did nothing")
	}
}

// Urgent data end a read of TCP before the socket is empty. This is the only case in which a
// short read of TCP does not prove that the socket is empty.
func TestReadsAroundUrgentData(t *testing.T) {
	l := newLoopback(t, open(t, epoll.Config{}))
	fd := descriptor(t, l.client)
	for range 20 {
		var got strings.Builder
		in := &poll.Op{Kind: poll.Read, Handle: l.server, Buf: make([]byte, 64)}
		l.poller.Submit(in) // in flight, so that the data cause one event
		for _, part := range []struct {
			text  string
			flags int
		}{{"before", 0}, {"!", unix.MSG_OOB}, {"after", 0}} {
			if err := unix.Sendto(fd, []byte(part.text), part.flags, nil); err != nil {
				t.Fatal(err)
			}
		}
		l.await(in)
		for got.Write(in.Buf[:in.N]); got.Len() < len("beforeafter"); got.Write(in.Buf[:in.N]) {
			l.must(in)
		}
		if got.String() != "beforeafter" {
			t.Fatalf("read %q", got.String())
		}
	}
}

// A message with descriptors ends a read of a UNIX socket early, so a short read does not prove
// that the socket is empty.
func TestReadsAroundPassedDescriptors(t *testing.T) {
	p := open(t, epoll.Config{})
	l := &loopback{t: t, poller: p}
	addr := &net.UnixAddr{Name: fmt.Sprintf("@baton-epoll-%d", os.Getpid()), Net: "unix"}
	var err error
	if l.listener, err = p.Listen(addr, poll.ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	peer, err := net.DialUnix("unix", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	in := &poll.Op{Kind: poll.Read, Handle: l.must(&poll.Op{Kind: poll.Accept, Handle: l.listener}).Accepted, Buf: make([]byte, 64)}
	for _, part := range []struct {
		text   string
		rights []byte
	}{{"one", unix.UnixRights(0)}, {"two", nil}} {
		if _, _, err := peer.WriteMsgUnix([]byte(part.text), part.rights, nil); err != nil {
			t.Fatal(err)
		}
	}
	l.wait(0) // handles the only event
	for _, want := range []string{"one", "two"} {
		if !p.Submit(in) || in.Err != nil || string(in.Buf[:in.N]) != want {
			t.Fatalf("read %q, %v; want %q at once", in.Buf[:in.N], in.Err, want)
		}
	}
}

// Abstract names have no file, and are free again when their listener is closed.
func TestAbstractNameIsFreeAfterClose(t *testing.T) {
	p := open(t, epoll.Config{})
	l := &loopback{t: t, poller: p}
	addr := &net.UnixAddr{Name: fmt.Sprintf("@baton-epoll-%d", os.Getpid()), Net: "unix"}
	for range 2 {
		var err error
		if l.listener, err = p.Listen(addr, poll.ListenOptions{}); err != nil {
			t.Fatal(err)
		}
		client, server := l.connect()
		if got := client.RemoteAddr().String(); got != addr.Name {
			t.Errorf("connected to %q, want %q", got, addr.Name)
		}
		l.must(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("x")})
		l.must(&poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 1)})
		if err := l.listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Listen and Connect refuse addresses that the kernel would truncate or use for another type of
// socket.
func TestBadUnixAddresses(t *testing.T) {
	p := open(t, epoll.Config{})
	for _, addr := range []net.Addr{&net.UnixAddr{Name: "x", Net: "unixpacket"},
		&net.UnixAddr{Name: strings.Repeat("x", 200), Net: "unix"}} {
		if _, err := p.Listen(addr, poll.ListenOptions{}); err == nil {
			t.Errorf("Listen(%v) succeeded", addr)
		}
		op := &poll.Op{Kind: poll.Connect, Addr: addr}
		if !p.Submit(op) || op.Err == nil || op.Handle != nil {
			t.Errorf("Connect to %v: %v, error %v", addr, op.Handle, op.Err)
		}
	}
}

// Adopt does not change a descriptor until it is read or written. A descriptor can be adopted
// only once at a time.
func TestAdoptDoesNotChangeDescriptor(t *testing.T) {
	p := open(t, epoll.Config{})
	ends := [2]int{}
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	h, err := p.Adopt(uintptr(ends[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Adopt(uintptr(ends[0])); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("adopted twice: %v, want EEXIST", err)
	}
	blocks := func() bool {
		flags, err := unix.FcntlInt(uintptr(ends[0]), unix.F_GETFL, 0)
		return err == nil && flags&unix.O_NONBLOCK == 0
	}
	watch := &poll.Op{Kind: poll.Readable, Handle: h}
	p.Submit(watch)
	p.Cancel(watch)
	p.Wait(nil, 0)
	if !blocks() {
		t.Error("Readable changed the descriptor")
	}
	in := &poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, 8)}
	if p.Submit(in) {
		t.Errorf("read from an empty pipe: %d bytes, error %v", in.N, in.Err)
	}
	if blocks() {
		t.Error("a Read may block the loop")
	}
}

// descriptor returns the descriptor of a socket. It searches for its addresses.
func descriptor(t *testing.T, h poll.Handle) int {
	t.Helper()
	for fd := 3; fd < 1000; fd++ {
		local, err := unix.Getsockname(fd)
		if err != nil || !equal(local, h.LocalAddr()) {
			continue
		}
		remote, err := unix.Getpeername(fd)
		if err != nil && h.RemoteAddr() == nil || err == nil && equal(remote, h.RemoteAddr()) {
			return fd
		}
	}
	t.Fatalf("no descriptor from %v to %v", h.LocalAddr(), h.RemoteAddr())
	return -1
}

func equal(a unix.Sockaddr, b net.Addr) bool {
	four, ok := a.(*unix.SockaddrInet4)
	return ok && b != nil && *four == *sockaddr(b)
}

// sockaddr converts an IPv4 address.
func sockaddr(addr net.Addr) *unix.SockaddrInet4 {
	tcp := addr.(*net.TCPAddr)
	return &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}
}
