// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

func TestChosenPortsAreSequential(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	w.listen(tcp("127.0.0.1:49153"), poll.ListenOptions{})
	for _, want := range []string{"127.0.0.1:49152", "127.0.0.1:49154", "127.0.0.1:49155"} {
		l := w.listen(tcp("127.0.0.1:0"), poll.ListenOptions{})
		if got := l.LocalAddr().String(); got != want {
			t.Errorf("chosen address %s, want %s", got, want)
		}
	}
}

func TestConnectWithoutFreePort(t *testing.T) {
	const all = 65535 - 49152 + 1
	w := newWorld(t, virtual.Config{})
	l := w.listen(tcp("[::1]:80"), poll.ListenOptions{Backlog: all + 1})
	var last poll.Handle
	for range all {
		last = w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}, nil).Handle
	}
	w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}, syscall.EADDRNOTAVAIL)
	if _, err := w.Listen(tcp("[::1]:0"), poll.ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen without a free port: %v, want EADDRINUSE", err)
	}

	// Closed listeners do not hold their ports.
	other := newWorld(t, virtual.Config{})
	for range 2 * all {
		other.listen(tcp("[::1]:0"), poll.ListenOptions{}).Close()
	}

	// A port is free again when both ends are closed.
	last.Close()
	for range all {
		w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, nil).Accepted.Close()
	}
	if got := w.listen(tcp("[::1]:0"), poll.ListenOptions{}).LocalAddr(); got.String() != last.LocalAddr().String() {
		t.Errorf("chosen address %v, want the address that became free, %v", got, last.LocalAddr())
	}
}

func TestListenOnUsedAddress(t *testing.T) {
	share := poll.ListenOptions{ReusePort: true}
	for _, c := range []struct {
		first, second net.Addr
		opts          poll.ListenOptions
		want          error
	}{
		{tcp("127.0.0.1:80"), tcp("127.0.0.1:80"), poll.ListenOptions{}, syscall.EADDRINUSE},
		{tcp("127.0.0.1:80"), tcp("127.0.0.1:80"), share, nil},
		{tcp("127.0.0.1:80"), tcp("127.0.0.1:81"), poll.ListenOptions{}, nil},
		{tcp("127.0.0.1:80"), tcp("127.0.0.2:80"), poll.ListenOptions{}, nil},
		{tcp("127.0.0.1:80"), tcp("0.0.0.0:80"), poll.ListenOptions{}, syscall.EADDRINUSE},
		{tcp("127.0.0.1:80"), &net.TCPAddr{Port: 80}, poll.ListenOptions{}, syscall.EADDRINUSE},
		{tcp("0.0.0.0:80"), tcp("127.0.0.1:80"), poll.ListenOptions{}, syscall.EADDRINUSE},
		{tcp("0.0.0.0:80"), tcp("[::]:80"), poll.ListenOptions{}, nil},
		{tcp("[::]:80"), tcp("[::1]:80"), poll.ListenOptions{}, syscall.EADDRINUSE},
		{tcp("[::1]:80"), tcp("[::ffff:127.0.0.1]:80"), poll.ListenOptions{}, nil},
		{tcp("127.0.0.1:80"), tcp("[::ffff:127.0.0.1]:80"), poll.ListenOptions{}, syscall.EADDRINUSE},
		{&net.UnixAddr{Name: "/a"}, &net.UnixAddr{Name: "/a"}, poll.ListenOptions{}, syscall.EADDRINUSE},
		{&net.UnixAddr{Name: "/a"}, &net.UnixAddr{Name: "/b"}, poll.ListenOptions{}, nil},
		{&net.UnixAddr{Name: "/a"}, &net.UnixAddr{}, poll.ListenOptions{}, syscall.EINVAL},
		{tcp("127.0.0.1:80"), &net.IPAddr{}, poll.ListenOptions{}, errors.ErrUnsupported},
		{tcp("127.0.0.1:80"), nil, poll.ListenOptions{}, errors.ErrUnsupported},
	} {
		t.Run(fmt.Sprintf("%v+%v", c.first, c.second), func(t *testing.T) {
			w := newWorld(t, virtual.Config{})
			first := w.listen(c.first, c.opts)
			_, err := w.Listen(c.second, c.opts)
			if !errors.Is(err, c.want) {
				t.Fatalf("the second Listen: %v, want %v", err, c.want)
			}
			if opErr := (*net.OpError)(nil); err != nil && (!errors.As(err, &opErr) || opErr.Op != "listen") {
				t.Errorf("the error %#v is not an OpError of listen", err)
			}
			first.Close()
			w.listen(c.first, c.opts)
		})
	}
}

func TestConnectReachesMatchingListener(t *testing.T) {
	listeners := []string{"0.0.0.0:80", "[::]:80", "10.0.0.1:81", "127.0.0.1:82", "[::1]:83"}
	for _, c := range []struct {
		to   net.Addr
		want int // index in listeners, or -1
		peer string
	}{
		{tcp("127.0.0.1:80"), 0, "127.0.0.1:80"},
		{tcp("10.9.9.9:80"), 0, "10.9.9.9:80"},
		{tcp("0.0.0.0:80"), 0, "127.0.0.1:80"},
		{&net.TCPAddr{Port: 80}, 0, "127.0.0.1:80"},
		{tcp("[::1]:80"), 1, "[::1]:80"},
		{tcp("[::]:80"), 1, "[::1]:80"},
		{tcp("[::ffff:127.0.0.1]:80"), 0, "127.0.0.1:80"},
		{tcp("10.0.0.1:81"), 2, "10.0.0.1:81"},
		{tcp("10.0.0.2:81"), -1, ""},
		{tcp("127.0.0.1:82"), 3, "127.0.0.1:82"},
		{tcp("[::1]:82"), -1, ""},
		{tcp("127.0.0.1:83"), -1, ""},
		{tcp("127.0.0.1:84"), -1, ""},
	} {
		t.Run(c.to.String(), func(t *testing.T) {
			w := newWorld(t, virtual.Config{})
			accepts := make([]*poll.Op, len(listeners))
			for i, addr := range listeners {
				accepts[i] = w.mustWait(&poll.Op{Kind: poll.Accept, Handle: w.listen(tcp(addr), poll.ListenOptions{})})
			}
			connect := &poll.Op{Kind: poll.Connect, Addr: c.to}
			if c.want < 0 {
				w.mustFinish(connect, syscall.ECONNREFUSED)
				return
			}
			client := w.mustFinish(connect, nil).Handle
			w.mustReport(0, accepts[c.want])
			server := accepts[c.want].Accepted
			for _, same := range [][2]string{
				{client.RemoteAddr().String(), c.peer},
				{server.LocalAddr().String(), c.peer},
				{server.RemoteAddr().String(), client.LocalAddr().String()},
			} {
				if same[0] != same[1] {
					t.Errorf("address %s, want %s", same[0], same[1])
				}
			}
		})
	}
}

func TestReusePortListenersRotate(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	share := poll.ListenOptions{ReusePort: true}
	listeners := []poll.Handle{w.listen(tcp("0.0.0.0:80"), share), w.listen(tcp("0.0.0.0:80"), share)}
	for i := range 6 {
		w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: tcp("127.0.0.1:80")}, nil)
		w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: listeners[i%2]}, nil)
	}
}

func TestConnectFromLocalAddress(t *testing.T) {
	for _, c := range []struct {
		local, want string
		err         error
	}{
		{"127.0.0.1:0", "127.0.0.1:49152", nil},
		{"127.0.0.7:0", "127.0.0.7:49152", nil},
		{"127.0.0.7:99", "127.0.0.7:99", nil},
		{"0.0.0.0:99", "127.0.0.1:99", nil},
		{"127.0.0.1:80", "", syscall.EADDRINUSE},
		{"[::1]:99", "", syscall.EAFNOSUPPORT},
	} {
		w := newWorld(t, virtual.Config{})
		w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{})
		op := w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: tcp("127.0.0.1:80"), Options: &poll.ConnectOptions{Local: tcp(c.local)}}, c.err)
		if c.err == nil && op.Handle.LocalAddr().String() != c.want {
			t.Errorf("from %s: the local address is %v, want %s", c.local, op.Handle.LocalAddr(), c.want)
		}
	}
}

func TestUnixStream(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	addr := &net.UnixAddr{Name: "/run/x.sock", Net: "unix"}
	w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: addr}, syscall.ENOENT)
	client, server := w.pair(addr)
	if client.RemoteAddr().String() != addr.Name || server.LocalAddr().String() != addr.Name {
		t.Errorf("addresses %v and %v, want %s", client.RemoteAddr(), server.LocalAddr(), addr.Name)
	}
	w.mustFinish(write(client, "hello"), nil)
	client.Abort()
	if op := w.mustFinish(read(server, 9), nil); string(op.Buf[:op.N]) != "hello" {
		t.Errorf("after Abort the peer read %q, want hello: UNIX-domain sockets have no reset", op.Buf[:op.N])
	}
	w.mustFinish(read(server, 9), io.EOF)
}

func TestConnectsWaitForBacklog(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	l := w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{Backlog: 2})
	connect := func() *poll.Op { return &poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()} }
	accept := func() *poll.Op { return &poll.Op{Kind: poll.Accept, Handle: l} }
	first := w.mustFinish(connect(), nil)
	second := w.mustFinish(connect(), nil)
	third, fourth, fifth := w.mustWait(connect()), w.mustWait(connect()), w.mustWait(connect())
	w.Cancel(fourth)
	w.mustReport(0, fourth)
	if fourth.Err != poll.ErrCanceled || fourth.Handle != nil {
		t.Errorf("a cancelled Connect has error %v and handle %v", fourth.Err, fourth.Handle)
	}

	if op := w.mustFinish(accept(), nil); op.Accepted.RemoteAddr().String() != first.Handle.LocalAddr().String() {
		t.Errorf("the first Accept accepted %v, want %v", op.Accepted.RemoteAddr(), first.Handle.LocalAddr())
	}
	w.mustReport(0, third)
	second.Handle.Abort() // Accept skips a connection that was reset in the queue
	if op := w.mustFinish(accept(), nil); op.Accepted.RemoteAddr().String() != third.Handle.LocalAddr().String() {
		t.Errorf("the next Accept accepted %v, want %v", op.Accepted.RemoteAddr(), third.Handle.LocalAddr())
	}
	w.mustReport(0, fifth)

	sixth := w.mustFinish(connect(), nil)
	seventh := w.mustWait(connect())
	reading := w.mustWait(read(sixth.Handle, 1))
	l.Close()
	w.mustReport(0, reading, seventh)
	if !errors.Is(reading.Err, syscall.ECONNRESET) || !errors.Is(seventh.Err, syscall.ECONNREFUSED) {
		t.Errorf("after Close of the listener: %v and %v, want ECONNRESET and ECONNREFUSED", reading.Err, seventh.Err)
	}
}

func TestListenerOperations(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	l := w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{})
	w.mustFinish(read(l, 1), syscall.ENOTCONN)
	w.mustFinish(write(l, "x"), syscall.ENOTCONN)
	w.mustFinish(&poll.Op{Kind: poll.Writable, Handle: l}, nil)
	if err := l.CloseWrite(); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("CloseWrite = %v, want ENOTCONN", err)
	}
	if l.RemoteAddr() != nil {
		t.Errorf("RemoteAddr = %v, want nil", l.RemoteAddr())
	}

	readable := w.mustWait(&poll.Op{Kind: poll.Readable, Handle: l})
	w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, poll.ErrBusy)
	w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}, nil)
	w.mustReport(0, readable)
	w.mustFinish(&poll.Op{Kind: poll.Readable, Handle: l}, nil)
	w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, nil)

	accept := w.mustWait(&poll.Op{Kind: poll.Accept, Handle: l})
	w.Cancel(accept)
	w.Cancel(accept)
	w.mustReport(0, accept)
	w.Cancel(accept)
	w.mustReport(0)
	accept = w.mustWait(&poll.Op{Kind: poll.Accept, Handle: l})
	l.Close()
	w.mustReport(0, accept)
	if accept.Err != net.ErrClosed {
		t.Errorf("Accept in flight at Close: %v, want net.ErrClosed", accept.Err)
	}
	w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, net.ErrClosed)
	if err := l.Abort(); err != net.ErrClosed {
		t.Errorf("Abort after Close = %v, want net.ErrClosed", err)
	}
	for _, err := range []error{l.SetNoDelay(true), l.CloseWrite()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v, want net.ErrClosed", err)
		}
	}
}

func TestDialDecidesConnect(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		fates := map[string]struct {
			delay time.Duration
			err   error
		}{
			"127.0.0.1:80": {3 * time.Second, nil},
			"127.0.0.1:81": {time.Second, nil},
			"127.0.0.1:82": {2 * time.Second, syscall.ETIMEDOUT},
			"127.0.0.1:83": {0, syscall.ENETUNREACH},
			"127.0.0.1:84": {-1, nil},
		}
		config.Dial = func(addr net.Addr) (time.Duration, error) {
			fate := fates[addr.String()]
			return fate.delay, fate.err
		}
		w := newWorld(t, config)
		connect := func(addr string) *poll.Op { return &poll.Op{Kind: poll.Connect, Addr: tcp(addr)} }
		hole := w.mustWait(connect("127.0.0.1:84"))
		slow := w.mustWait(connect("127.0.0.1:80"))
		refused := w.mustWait(connect("127.0.0.1:81"))
		failing := w.mustWait(connect("127.0.0.1:82"))
		w.mustFinish(connect("127.0.0.1:83"), syscall.ENETUNREACH)

		for _, step := range []struct {
			op   *poll.Op
			at   time.Duration
			want error
		}{
			{refused, time.Second, syscall.ECONNREFUSED},
			{failing, 2 * time.Second, syscall.ETIMEDOUT},
			{slow, 3 * time.Second, nil},
		} {
			w.mustReport(-1, step.op)
			if moved := w.Now().Sub(epoch); moved != step.at || !errors.Is(step.op.Err, step.want) {
				t.Errorf("%v: error %v after %v, want %v after %v", step.op.Addr, step.op.Err, moved, step.want, step.at)
			}
			if step.op == failing { // the listener that exists at the end of the delay counts
				w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{})
			}
		}
		w.mustReport(24 * time.Hour)
		w.Cancel(hole)
		w.mustReport(0, hole)
		if hole.Err != poll.ErrCanceled {
			t.Errorf("a Connect without an answer: %v, want ErrCanceled", hole.Err)
		}
	})
}

func TestConnectToUnsupportedAddress(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: &net.IPAddr{}}, errors.ErrUnsupported)
	w.mustFinish(&poll.Op{Kind: poll.Connect}, errors.ErrUnsupported)
}

func TestLookupOfNamesAndAddresses(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	loopback4, loopback6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	w := newWorld(t, virtual.Config{Hosts: map[string][]netip.Addr{
		"Six.example": {six}, "both.example": {six, four}, "none.example": nil,
	}})
	for _, c := range []struct {
		network, host string
		want          []netip.Addr
	}{
		{"ip", "localhost", []netip.Addr{loopback4, loopback6}},
		{"ip4", "LocalHost.", []netip.Addr{loopback4}},
		{"ip6", "localhost", []netip.Addr{loopback6}},
		{"ip", "both.example", []netip.Addr{six, four}},
		{"ip4", "both.example", []netip.Addr{four}},
		{"ip", "six.example", []netip.Addr{six}},
		{"ip4", "six.example", nil},
		{"ip", "none.example", nil},
		{"ip", "unknown.example", nil},
		{"ip", "", nil},
		{"ip", "192.0.2.7", []netip.Addr{netip.MustParseAddr("192.0.2.7")}},
		{"ip4", "::ffff:192.0.2.7", []netip.Addr{netip.MustParseAddr("192.0.2.7")}},
		{"ip6", "192.0.2.7", nil},
		{"ip6", "fe80::1%eth0", []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}},
		{"tcp", "localhost", nil},
	} {
		op := &poll.Op{Kind: poll.Lookup, Network: c.network, Host: c.host}
		if !w.Submit(op) || !slices.Equal(op.Addrs, c.want) {
			t.Errorf("%s %q: %v, want %v", c.network, c.host, op.Addrs, c.want)
		}
		dns, _ := errors.AsType[*net.DNSError](op.Err)
		if c.want == nil && (dns == nil || !dns.IsNotFound || dns.Name != c.host) {
			t.Errorf("%s %q: error %#v, want a *net.DNSError with IsNotFound", c.network, c.host, op.Err)
		}
		if c.want != nil && op.Err != nil {
			t.Errorf("%s %q: %v", c.network, c.host, op.Err)
		}
	}
}

func TestLookupWithoutAnswer(t *testing.T) {
	w := newWorld(t, virtual.Config{LookupDelay: func(string) time.Duration { return -1 }})
	w.mustFinish(&poll.Op{Kind: poll.Lookup, Network: "ip", Host: "10.0.0.1"}, nil)
	op := w.mustWait(&poll.Op{Kind: poll.Lookup, Network: "ip", Host: "localhost"})
	w.mustReport(time.Hour)
	w.Cancel(op)
	w.mustReport(0, op)
	if op.Err != poll.ErrCanceled || op.Addrs != nil {
		t.Errorf("a cancelled Lookup has %v, error %v", op.Addrs, op.Err)
	}
}
