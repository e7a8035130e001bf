// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// If the process has no descriptors left, the errors of New and Accept name the system call.
func TestErrorsWithoutDescriptorsNameTheCall(t *testing.T) {
	l := newLoopback(t, open(t, epoll.Config{}))
	l.must(&poll.Op{Kind: poll.Connect, Addr: l.listener.LocalAddr()})
	op := &poll.Op{Kind: poll.Accept, Handle: l.listener}
	noDescriptors(t)
	if !l.poller.Submit(op) {
		l.await(op)
	}
	_, err := epoll.New(epoll.Config{})
	for what, err := range map[string]error{"Accept": op.Err, "New": err} {
		if call := (*os.SyscallError)(nil); !errors.Is(err, syscall.EMFILE) || !errors.As(err, &call) {
			t.Errorf("%s: %v, want EMFILE in a *os.SyscallError", what, err)
		}
	}
}

// An Accept that is in flight when the process runs out of descriptors is reported.
func TestAcceptInFlightWithoutDescriptors(t *testing.T) {
	l := newLoopback(t, open(t, epoll.Config{}))
	op := &poll.Op{Kind: poll.Accept, Handle: l.listener}
	l.poller.Submit(op)
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)

	restore := noDescriptors(t)
	if err := unix.Connect(client, sockaddr(l.listener.LocalAddr())); err != nil {
		t.Fatal(err)
	}
	l.await(op)
	if !errors.Is(op.Err, syscall.EMFILE) {
		t.Errorf("error %v, want EMFILE", op.Err)
	}
	restore()
	l.must(op)
}

// noDescriptors prevents new descriptors in this process until restore is called.
func noDescriptors(t *testing.T) (restore func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 3 // open descriptors stay open
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	restore = func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }
	t.Cleanup(restore)
	return restore
}

// Close closes every descriptor, whatever is open and whatever has failed before.
func TestCloseClosesEveryDescriptor(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			open(t, mode.config).Close() // the runtime's own poller is open now
			before := descriptors(t)
			p := open(t, mode.config)
			l := newLoopback(t, p)
			l.connect()
			l.poller.Submit(&poll.Op{Kind: poll.Read, Handle: l.server, Buf: make([]byte, 1)})

			other := listen(t, p, "127.0.0.1:0")
			unused := other.LocalAddr()
			other.Close()
			refused := &poll.Op{Kind: poll.Connect, Addr: unused}
			for range 10 {
				if !p.Submit(refused) {
					for len(p.Wait(nil, -1)) == 0 {
					}
				}
				if !errors.Is(refused.Err, syscall.ECONNREFUSED) {
					t.Fatalf("connect: %v", refused.Err)
				}
			}
			if _, err := p.Listen(l.listener.LocalAddr(), poll.ListenOptions{}); err == nil {
				t.Error("Listen on a used address succeeded")
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// descriptors returns the number of descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Descriptor numbers may exceed 1024, the limit of select.
func TestDescriptorNumbersAbove1024(t *testing.T) {
	p := open(t, epoll.Config{})
	l := &loopback{t: t, poller: p}
	ends := [2]int{}
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	high, err := unix.FcntlInt(uintptr(ends[0]), unix.F_DUPFD_CLOEXEC, 1500)
	unix.Close(ends[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	h, err := p.Adopt(uintptr(high))
	if err != nil {
		t.Fatal(err)
	}
	watch := &poll.Op{Kind: poll.Readable, Handle: h}
	if p.Submit(watch) {
		t.Fatalf("an empty pipe is readable: %v", watch.Err)
	}
	unix.Write(ends[1], []byte("x"))
	l.await(watch)
	in := l.must(&poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, 8)})
	if in.N != 1 {
		t.Errorf("read %d bytes, want 1", in.N)
	}
}

// The descriptor is readable while a long Write has yielded. The Write waits for no event if
// the kernel took everything it was given. Here that is 1024 buffers, as many as one call may
// have, and yieldBytes together.
func TestDescriptorIsReadableWhileWriteYields(t *testing.T) {
	p := open(t, epoll.Config{})
	l := &loopback{t: t, poller: p, listener: listen(t, p, "127.0.0.1:0")}
	peer, err := net.Dial("tcp", l.listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	out := &poll.Op{Kind: poll.Write, Handle: l.must(&poll.Op{Kind: poll.Accept, Handle: l.listener}).Accepted}
	const size = 3000 << 10
	for range size >> 10 {
		out.Bufs = append(out.Bufs, make([]byte, 1<<10))
	}
	fd, err := p.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.wait(0) // handles earlier events
	}
	read := make(chan int64)
	go func() {
		defer peer.Close()
		n, _ := io.Copy(io.Discard, peer)
		read <- n
	}()
	if p.Submit(out) {
		t.Fatalf("wrote %d bytes at once", out.N)
	}
	for l.done = l.done[:0]; len(l.done) == 0; l.wait(0) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 10_000)
		for err == unix.EINTR {
			n, err = unix.Poll(fds, 10_000)
		}
		if n != 1 {
			t.Errorf("the descriptor is not readable after %d bytes, and the Write is in flight: %v", out.N, err)
			break
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := <-read; n != int64(out.N) || n != size && !t.Failed() {
		t.Errorf("wrote %d, the peer has read %d", out.N, n)
	}
}
