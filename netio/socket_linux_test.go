// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/epoll"
	"baton/netio"
	"baton/task"
)

// A counter is a poller that counts the operations in flight.
type counter struct {
	poll.Poller
	flying int
}

func (c *counter) Submit(op *poll.Op) bool {
	atOnce := c.Poller.Submit(op)
	if !atOnce {
		c.flying++
	}
	return atOnce
}

func (c *counter) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	before := len(done)
	done = c.Poller.Wait(done, d)
	c.flying -= len(done) - before
	return done
}

// onEpoll runs fn as the root task of a loop with the epoll poller, whatever BATON_POLLER is. At
// the end no operation may be in flight.
func onEpoll(t *testing.T, fn func(ctx context.Context, watched *counter)) {
	t.Helper()
	c := &counter{Poller: must(epoll.New(epoll.Config{}))(t)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := task.Runner{Config: loop.Config{Poller: c}}.Run(ctx, func(ctx context.Context) error {
		fn(ctx, c)
		c.none(ctx, t)
		return nil
	})
	want(t, "Run", err, nil)
}

// none checks that no operation is in flight, once the cancelled ones are reported.
func (c *counter) none(ctx context.Context, t testing.TB) {
	t.Helper()
	for range 200 {
		task.Yield(ctx)
	}
	if c.flying != 0 {
		t.Errorf("%d operations are in flight", c.flying)
	}
}

// newFD makes a socket. The end of the test closes it.
func newFD(t testing.TB, family, kind int) uintptr {
	t.Helper()
	fd := must(unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0))(t)
	t.Cleanup(func() { unix.Close(fd) })
	return uintptr(fd)
}

// fdPair makes two connected sockets. The end of the test closes them.
func fdPair(t testing.TB, kind int) (a, b uintptr) {
	t.Helper()
	fds := must(unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0))(t)
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return uintptr(fds[0]), uintptr(fds[1])
}

func adopt(ctx context.Context, t testing.TB, fd uintptr) *netio.Socket {
	t.Helper()
	return must(netio.AdoptSocket(ctx, fd))(t)
}

// socketPair adopts both sockets of a pair.
func socketPair(ctx context.Context, t testing.TB, kind int) (a, b *netio.Socket) {
	t.Helper()
	near, far := fdPair(t, kind)
	return adopt(ctx, t, near), adopt(ctx, t, far)
}

// receive returns a function for tasks that receives once, as text.
func receive(s *netio.Socket) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		buf := make([]byte, 100)
		n, err := s.Receive(ctx, buf)
		return string(buf[:n]), err
	}
}

// Receive waits for data, even if the poller has reported data wrongly. It returns the end of the
// stream.
func TestSocketReceive(t *testing.T) {
	for name, kind := range map[string]int{"stream": unix.SOCK_STREAM, "packets": unix.SOCK_SEQPACKET, "datagrams": unix.SOCK_DGRAM} {
		t.Run(name, func(t *testing.T) {
			onEpoll(t, func(ctx context.Context, watched *counter) {
				near, far := socketPair(ctx, t, kind)
				defer near.Close()
				if n, err := near.Receive(ctx, nil); n != 0 || err != nil {
					t.Errorf("an empty Receive = %d, %v", n, err)
				}
				must(far.SendAll(ctx, []byte("at once")))(t)
				if got, err := receive(near)(ctx); got != "at once" || err != nil {
					t.Errorf("Receive = %q, %v", got, err)
				}
				netio.FailNext(near, syscall.EINTR, syscall.EAGAIN, syscall.EAGAIN, syscall.EAGAIN)
				reader := blocked(ctx, receive(near))
				must(far.SendAll(ctx, []byte("later")))(t)
				if got, err := reader.Await(ctx); got != "later" || err != nil {
					t.Errorf("Receive = %q, %v", got, err)
				}
				watched.none(ctx, t)
				if kind == unix.SOCK_DGRAM {
					must(far.SendAll(ctx, nil))(t)
					if got, err := receive(near)(ctx); got != "" || err != nil {
						t.Errorf("Receive of an empty datagram = %q, %v", got, err)
					}
					want(t, "Close", far.Close(), nil)
					return // datagrams have no end
				}
				reader = blocked(ctx, receive(near))
				fd := descriptorOf(far)
				want(t, "Close", far.Close(), nil)
				want(t, "shutdown", unix.Shutdown(int(fd), unix.SHUT_RDWR), nil)
				_, err := reader.Await(ctx)
				want(t, "Receive at the end", err, io.EOF)
				_, _, err = near.ReceiveFrom(ctx, make([]byte, 1))
				want(t, "ReceiveFrom at the end", err, io.EOF)
			})
		})
	}
}

// descriptorOf parses the descriptor in the name of s.
func descriptorOf(s *netio.Socket) (fd uintptr) {
	for _, digit := range strings.TrimPrefix(s.String(), "socket ") {
		fd = 10*fd + uintptr(digit-'0')
	}
	return fd
}

// connectTCP returns a Socket that is connected to a stream.
func connectTCP(ctx context.Context, t testing.TB) (*netio.Socket, *netio.Stream) {
	t.Helper()
	ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
	defer ln.Close()
	s := adopt(ctx, t, newFD(t, unix.AF_INET, unix.SOCK_STREAM))
	want(t, "Connect", s.Connect(ctx, ln.Addr()), nil)
	return s, must(ln.Accept(ctx))(t)
}

// A call returns the error of the kernel.
func TestSocketReset(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		s, peer := connectTCP(ctx, t)
		defer s.Close()
		reader := blocked(ctx, receive(s))
		want(t, "Abort", peer.Abort(), nil)
		_, err := reader.Await(ctx)
		want(t, "Receive", err, syscall.ECONNRESET)
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "read" || op.Net != "tcp" {
			t.Errorf("Receive returned %#v, want a *net.OpError of read", err)
		}
		_, err = s.SendAll(ctx, []byte("x"))
		want(t, "SendAll", err, syscall.EPIPE)
	})
}

// Data that arrives after a Receive was cancelled goes to the next Receive. The next one may be of
// any task, and may begin before the cancelled task has returned.
func TestSocketCancelledReceiveTakesNothing(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		near, far := socketPair(ctx, t, unix.SOCK_STREAM)
		defer near.Close()
		defer far.Close()
		for range 20 {
			first := blocked(ctx, receive(near))
			first.Cancel(nil)
			sender := task.Start(ctx, func(ctx context.Context) (int, error) { return far.SendAll(ctx, []byte("data")) })
			if got, err := receive(near)(ctx); got != "data" || err != nil {
				t.Fatalf("the second Receive = %q, %v", got, err)
			}
			_, err := first.Await(ctx)
			want(t, "the first Receive", err, context.Canceled)
			if _, wrapped := errors.AsType[*net.OpError](err); wrapped {
				t.Errorf("a cancel is wrapped in a *net.OpError: %v", err)
			}
			must(sender.Await(ctx))(t)
		}
		// Here the data comes before the cancel: Receive returns it, or the next one does.
		for range 20 {
			first := blocked(ctx, receive(near))
			must(far.SendAll(ctx, []byte("data")))(t)
			task.Yield(ctx)
			first.Cancel(nil)
			got, err := first.Await(ctx)
			if err != nil {
				got, err = receive(near)(ctx)
			}
			if got != "data" || err != nil {
				t.Errorf("Receive = %q, %v", got, err)
			}
		}
		watched.none(ctx, t)
	})
}

// SendAll continues after short writes. Sending nothing does not wait. A cancelled SendAll returns
// how much it sent.
func TestSocketSendAll(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		near, far := socketPair(ctx, t, unix.SOCK_STREAM)
		defer near.Close()
		defer far.Close()
		want(t, "setsockopt", unix.SetsockoptInt(int(descriptorOf(near)), unix.SOL_SOCKET, unix.SO_SNDBUF, 1), nil)
		if n, err := near.SendAll(ctx, nil); n != 0 || err != nil {
			t.Errorf("SendAll of no bytes = %d, %v", n, err)
		}
		_, data := fileOf(t, 2<<20)
		netio.FailNext(near, syscall.EINTR, syscall.EAGAIN)
		sender := blocked(ctx, func(ctx context.Context) (int, error) { return near.SendAll(ctx, data) })
		got := make([]byte, 0, len(data)+3)
		take := func() {
			n := must(far.Receive(ctx, got[len(got):cap(got)]))(t)
			got = got[:len(got)+n]
		}
		for len(got) < len(data)/2 {
			take()
		}
		sender.Cancel(nil)
		n, err := sender.Await(ctx)
		want(t, "a cancelled SendAll", err, context.Canceled)
		watched.none(ctx, t)
		for len(got) < n {
			take()
		}
		if len(got) != n || !bytes.Equal(got, data[:n]) {
			t.Fatalf("SendAll returned %d bytes, and the peer received %d, or other bytes", n, len(got))
		}
		rest := task.Start(ctx, func(ctx context.Context) (int, error) { return near.SendAll(ctx, data[n:]) })
		for len(got) < len(data) {
			take()
		}
		if m, err := rest.Await(ctx); n+m != len(data) || err != nil || !bytes.Equal(got, data) {
			t.Errorf("SendAll of the rest = %d bytes after %d, %v", m, n, err)
		}
	})
}

// A SendAll whose peer reads faster than it writes yields.
func TestSocketSendAllYields(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		near, far := fdPair(t, unix.SOCK_STREAM)
		want(t, "setsockopt", unix.SetsockoptInt(int(near), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20), nil)
		s := adopt(ctx, t, near)
		defer s.Close()
		turns, sent := 0, false
		task.Go(ctx, func(ctx context.Context) error {
			for ; !sent; turns++ {
				if err := task.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		drained := make(chan int)
		go func() { // reads, because a system may refuse the large buffer
			want(t, "SetNonblock", unix.SetNonblock(int(far), false), nil)
			total, buf := 0, make([]byte, 1<<20)
			for total < 8<<20 {
				n, err := unix.Read(int(far), buf)
				if n <= 0 && err != unix.EINTR {
					break
				}
				total += max(n, 0)
			}
			drained <- total
		}()
		n, err := s.SendAll(ctx, make([]byte, 8<<20))
		sent = true
		if n != 8<<20 || err != nil || turns < 4 {
			t.Errorf("SendAll = %d, %v, while another task ran in %d turns", n, err, turns)
		}
		if total := <-drained; total != n {
			t.Errorf("the peer received %d bytes", total)
		}
	})
}

// A Connect that fails leaves no operation in flight.
func TestSocketConnectRefused(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		s := adopt(ctx, t, newFD(t, unix.AF_INET, unix.SOCK_STREAM))
		defer s.Close()
		to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(closedPort))
		err := s.Connect(ctx, to)
		want(t, "Connect", err, syscall.ECONNREFUSED)
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || op.Net != "tcp" || op.Addr != to {
			t.Errorf("Connect returned %#v, want a *net.OpError of dial", err)
		}
		watched.none(ctx, t)
		err = s.Connect(ctx, &net.TCPAddr{IP: net.IPv6loopback, Port: 1})
		if addr, ok := errors.AsType[*net.AddrError](err); !ok || !strings.Contains(addr.Err, "another family") {
			t.Errorf("Connect of an IPv4 socket to IPv6: %v", err)
		}
		want(t, "Connect without an address", s.Connect(ctx, nil), errors.ErrUnsupported)
	})
}

// connect(2) is called once, even if a signal interrupts it.
func TestSocketConnectInterrupted(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		s := adopt(ctx, t, newFD(t, unix.AF_INET, unix.SOCK_STREAM))
		defer s.Close()
		connects := netio.FailNext(s, syscall.EINTR)
		want(t, "Connect", s.Connect(ctx, ln.Addr()), nil)
		if *connects != 1 {
			t.Errorf("%d calls of connect(2), want 1", *connects)
		}
		peer := must(ln.Accept(ctx))(t)
		defer peer.Close()
		must(s.SendAll(ctx, []byte("hello\n")))(t)
		if line, err := peer.ReadLine(ctx); line != "hello" || err != nil {
			t.Errorf("the peer received %q, %v", line, err)
		}
	})
}

// A cancelled Connect leaves no operation in flight. The next Connect waits for the same
// connection.
func TestSocketConnectCancelled(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		fd := newFD(t, unix.AF_INET, unix.SOCK_STREAM)
		want(t, "bind", unix.Bind(int(fd), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), nil)
		want(t, "listen", unix.Listen(int(fd), 0), nil)
		listener := adopt(ctx, t, fd)
		defer listener.Close()
		local := must(unix.Getsockname(int(fd)))(t).(*unix.SockaddrInet4)
		to := &net.TCPAddr{IP: local.Addr[:], Port: local.Port}

		// The queue of the listener has space for one or two. The next connect waits in the kernel.
		var s *netio.Socket
		var waiting *task.Task[int]
		for waiting == nil {
			s = adopt(ctx, t, newFD(t, unix.AF_INET, unix.SOCK_STREAM))
			defer s.Close()
			connecting := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, s.Connect(ctx, to) })
			for range 1000 {
				task.Yield(ctx)
			}
			if connecting.State() == task.Parked {
				waiting = connecting
			} else {
				must(connecting.Await(ctx))(t)
			}
		}
		waiting.Cancel(nil)
		next := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, s.Connect(ctx, to) })
		_, err := waiting.Await(ctx)
		want(t, "a cancelled Connect", err, context.Canceled)
		for range 1000 {
			task.Yield(ctx)
		}
		if next.State() != task.Parked { // it must wait for the kernel
			_, err = next.Await(ctx)
			t.Fatalf("another Connect at once: %v", err)
		}
		next.Cancel(nil)
		_, err = next.Await(ctx)
		want(t, "another Connect", err, context.Canceled)
		watched.none(ctx, t)

		accepting := task.Start(ctx, func(ctx context.Context) (int, error) {
			for {
				conn, _, err := listener.Accept(ctx)
				if err != nil {
					return 0, err
				}
				defer unix.Close(int(conn))
			}
		})
		want(t, "Connect", s.Connect(ctx, to), nil)
		accepting.Cancel(nil)
		_, err = accepting.Await(ctx)
		want(t, "Accept", err, context.Canceled)
	})
}

// Accept returns a non-blocking descriptor that children do not inherit. A cancelled Accept
// accepts nothing.
func TestSocketAccept(t *testing.T) {
	for _, w := range []world{{"epoll", "tcp"}, {"epoll", "unix"}} {
		t.Run(w.network, func(t *testing.T) {
			onEpoll(t, func(ctx context.Context, watched *counter) {
				ln := must(net.Listen(w.network, w.address(t)))(t)
				file := must(ln.(interface{ File() (*os.File, error) }).File())(t)
				defer file.Close()
				to := ln.Addr()
				fd := file.Fd()
				want(t, "SetNonblock", unix.SetNonblock(int(fd), true), nil)
				listener := adopt(ctx, t, fd)
				defer listener.Close()
				defer ln.Close()

				type conn struct {
					fd   uintptr
					from net.Addr
				}
				accept := func(ctx context.Context) (conn, error) {
					fd, from, err := listener.Accept(ctx)
					return conn{fd, from}, err
				}
				first := blocked(ctx, accept)
				first.Cancel(nil)
				netio.FailNext(listener, syscall.ECONNABORTED, syscall.EINTR, syscall.EAGAIN)
				second := task.Start(ctx, accept)
				client := must(netio.Dial(ctx, w.network, to.String()))(t)
				defer client.Close()
				_, err := first.Await(ctx)
				want(t, "a cancelled Accept", err, context.Canceled)
				accepted := must(second.Await(ctx))(t)
				defer unix.Close(int(accepted.fd))
				watched.none(ctx, t)

				if flags := must(unix.FcntlInt(accepted.fd, unix.F_GETFL, 0))(t); flags&unix.O_NONBLOCK == 0 {
					t.Error("the descriptor blocks")
				}
				if flags := must(unix.FcntlInt(accepted.fd, unix.F_GETFD, 0))(t); flags&unix.FD_CLOEXEC == 0 {
					t.Error("children inherit the descriptor")
				}
				if accepted.from.String() != client.LocalAddr().String() || accepted.from.Network() != w.network {
					t.Errorf("accepted from %v, want %v", accepted.from, client.LocalAddr())
				}
				s := adopt(ctx, t, accepted.fd)
				defer s.Close()
				must(s.SendAll(ctx, []byte("hello\n")))(t)
				if line, err := client.ReadLine(ctx); line != "hello" || err != nil {
					t.Errorf("the client received %q, %v", line, err)
				}
			})
		})
	}
}

// A datagram has a source and goes to its address. An IPv6 socket reaches IPv4 addresses.
func TestSocketDatagrams(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		server := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
		defer server.Close()
		for name, family := range map[string]int{"IPv4": unix.AF_INET, "IPv6": unix.AF_INET6} {
			s := adopt(ctx, t, newFD(t, family, unix.SOCK_DGRAM))
			reader := blocked(ctx, func(ctx context.Context) (string, error) {
				buf := make([]byte, 100)
				n, from, err := s.ReceiveFrom(ctx, buf)
				if err == nil && from.String() != server.LocalAddr().String() {
					t.Errorf("%s: received a datagram from %v, want %v", name, from, server.LocalAddr())
				}
				return string(buf[:n]), err
			})
			want(t, "SendTo", s.SendTo(ctx, []byte("hello"), server.LocalAddr()), nil)
			p := must(server.Receive(ctx, make([]byte, 100)))(t)
			if string(p.Data) != "hello" {
				t.Errorf("%s: the server received %q", name, p.Data)
			}
			want(t, "Send", server.Send(ctx, p), nil)
			if got, err := reader.Await(ctx); got != "hello" || err != nil {
				t.Errorf("%s: ReceiveFrom = %q, %v", name, got, err)
			}
			want(t, "Close", s.Close(), nil)
		}
	})
}

// A UNIX datagram socket is writable while the queue of the receiver is full, and no event reports
// space in the queue. SendTo waits nevertheless, without a busy loop.
func TestSocketSendToFullQueue(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		to := &net.UnixAddr{Name: socketPath(t), Net: "unixgram"}
		fd := newFD(t, unix.AF_UNIX, unix.SOCK_DGRAM)
		want(t, "bind", unix.Bind(int(fd), &unix.SockaddrUnix{Name: to.Name}), nil)
		receiver := adopt(ctx, t, fd)
		defer receiver.Close()
		s := adopt(ctx, t, newFD(t, unix.AF_UNIX, unix.SOCK_DGRAM))
		defer s.Close()
		const all = 2000
		sent := 0
		sender := blocked(ctx, func(ctx context.Context) (int, error) {
			for ; sent < all; sent++ {
				if err := s.SendTo(ctx, []byte{byte(sent)}, to); err != nil {
					return sent, err
				}
			}
			return sent, nil
		})
		buf := make([]byte, 10)
		for i := range all {
			n, from, err := receiver.ReceiveFrom(ctx, buf)
			if n != 1 || buf[0] != byte(i) || from != nil || err != nil {
				t.Fatalf("datagram %d has %d bytes %v from %v, %v", i, n, buf[:n], from, err)
			}
		}
		if n, err := sender.Await(ctx); n != all || err != nil {
			t.Errorf("sent %d of %d, %v", n, all, err)
		}
		filling := blocked(ctx, func(ctx context.Context) (int, error) {
			for {
				if err := s.SendTo(ctx, []byte("x"), to); err != nil {
					return 0, err
				}
			}
		})
		want(t, "Close", s.Close(), nil)
		_, err := filling.Await(ctx)
		want(t, "SendTo", err, net.ErrClosed)
		watched.none(ctx, t)
	})
}

// AdoptSocket refuses a blocking socket, a descriptor that is no socket, and one that the loop
// already uses.
func TestAdoptSocketErrors(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		blocking, _ := fdPair(t, unix.SOCK_STREAM)
		want(t, "SetNonblock", unix.SetNonblock(int(blocking), false), nil)
		_, err := netio.AdoptSocket(ctx, blocking)
		if want(t, "a blocking socket", err, syscall.EINVAL); !strings.Contains(err.Error(), "SetNonblock") {
			t.Errorf("AdoptSocket of a blocking socket: %v does not say what to do", err)
		}
		in, out, err := os.Pipe()
		want(t, "Pipe", err, nil)
		defer in.Close()
		defer out.Close()
		_, err = netio.AdoptSocket(ctx, in.Fd())
		want(t, "a pipe", err, syscall.ENOTSOCK)
		_, err = netio.AdoptSocket(ctx, 1<<20)
		want(t, "a number that is no descriptor", err, syscall.EBADF)

		near, far := world{"epoll", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		_, err = netio.AdoptSocket(ctx, descriptor(t, near.LocalAddr(), near.RemoteAddr()))
		want(t, "the descriptor of a stream", err, fs.ErrExist)
		fd, _ := fdPair(t, unix.SOCK_STREAM)
		s := adopt(ctx, t, fd)
		_, err = netio.AdoptSocket(ctx, fd)
		want(t, "a descriptor that is adopted already", err, fs.ErrExist)
		want(t, "AddReader", task.Loop(ctx).AddReader(fd, func() {}), fs.ErrExist)
		want(t, "Close", s.Close(), nil)
		want(t, "AddReader after Close", task.Loop(ctx).AddReader(fd, func() {}), nil)
		task.Loop(ctx).RemoveReader(fd)
	})
}

// Each direction of a socket has one call at a time. Close wakes both calls and leaves the
// descriptor open.
func TestSocketBusyAndClosed(t *testing.T) {
	onEpoll(t, func(ctx context.Context, watched *counter) {
		fd, _ := fdPair(t, unix.SOCK_STREAM)
		s := adopt(ctx, t, fd)
		reader := blocked(ctx, receive(s))
		reader.SetName("reader")
		writer := blocked(ctx, func(ctx context.Context) (int, error) { return s.SendAll(ctx, bulk[:]) })
		calls := map[string]func() error{
			"Receive":     func() error { _, err := s.Receive(ctx, make([]byte, 1)); return err },
			"ReceiveFrom": func() error { _, _, err := s.ReceiveFrom(ctx, make([]byte, 1)); return err },
			"Accept":      func() error { _, _, err := s.Accept(ctx); return err },
			"SendAll":     func() error { _, err := s.SendAll(ctx, []byte("x")); return err },
			"SendTo":      func() error { return s.SendTo(ctx, []byte("x"), &net.UnixAddr{Name: "x"}) },
			"Connect":     func() error { return s.Connect(ctx, &net.UnixAddr{Name: "x"}) },
		}
		for what, call := range calls {
			want(t, what, call(), netio.ErrBusy)
		}
		_, err := s.Receive(ctx, make([]byte, 1))
		if busy, ok := errors.AsType[*netio.BusyError](err); !ok || !strings.Contains(busy.First, "reader") || busy.Second != task.Self(ctx).String() {
			t.Errorf("a second Receive: %v, want both names", err)
		}
		want(t, "Close", s.Close(), nil)
		_, err = reader.Await(ctx)
		want(t, "Receive", err, net.ErrClosed)
		n, err := writer.Await(ctx)
		if want(t, "SendAll", err, net.ErrClosed); n == 0 || n == 32<<20 {
			t.Errorf("SendAll sent %d bytes", n)
		}
		calls["Close"] = s.Close
		for what, call := range calls {
			want(t, what, call(), net.ErrClosed)
		}
		watched.none(ctx, t)
		_, err = unix.FcntlInt(fd, unix.F_GETFD, 0)
		want(t, "the descriptor", err, nil)
	})
}

// Reports about waiting tasks include the tasks that wait for a socket.
func TestSocketIsInReportsOfWaits(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		s, peer := connectTCP(ctx, t)
		defer peer.Close()
		reader := blocked(ctx, receive(s))
		reader.SetName("reader")
		found := false
		for _, wait := range task.Waits(ctx) {
			found = found || strings.Contains(wait.String(), s.String()+" to be readable")
		}
		if !found {
			t.Errorf("%v is not among the waits %v", s, task.Waits(ctx))
		}
		want(t, "Close", s.Close(), nil)
		_, err := reader.Await(ctx)
		want(t, "Receive", err, net.ErrClosed)
	})
}

// If the socket is closed while a SendAll yields, SendAll returns net.ErrClosed and sends no more:
// the descriptor may belong to another file by then.
func TestSocketClosedWhileSendAllYields(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		s, peer := connectTCP(ctx, t)
		defer peer.Abort()
		sender := task.Start(ctx, func(ctx context.Context) (int, error) { return s.SendAll(ctx, make([]byte, 1<<20)) })
		closer := task.Start(ctx, func(context.Context) (int, error) { return 0, s.Close() })
		n, err := sender.Await(ctx)
		want(t, "SendAll", err, net.ErrClosed)
		if n > 256<<10 {
			t.Errorf("SendAll sent %d bytes, but the socket was closed after 256 KiB", n)
		}
		_, err = closer.Await(ctx)
		want(t, "Close", err, nil)
	})
}
