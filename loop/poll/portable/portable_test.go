// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// hangLimit ends a Wait that would never end; no result depends on it.
const hangLimit = 30 * time.Second

// A rig is a poller under test.
type rig struct {
	*portable.Poller
	t testing.TB
}

func newRig(t testing.TB, config portable.Config) *rig {
	r := &rig{portable.New(config), t}
	t.Cleanup(func() { r.Close() })
	return r
}

// finish submits op and waits until it is reported, alone.
func (r *rig) finish(op *poll.Op) *poll.Op {
	r.t.Helper()
	if !r.Submit(op) {
		r.await(op)
	}
	return op
}

// await waits until op is reported, alone.
func (r *rig) await(op *poll.Op) {
	r.t.Helper()
	done := r.Wait(nil, hangLimit)
	if len(done) != 1 || done[0] != op {
		r.t.Fatalf("Wait reports %d operations, want this %v alone", len(done), op.Kind)
	}
}

// pair makes a connection; addr is where it listens for that.
func (r *rig) pair(addr net.Addr) (client, server poll.Handle) {
	r.t.Helper()
	l, err := r.Listen(addr, poll.ListenOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	connect := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
	accept := r.finish(&poll.Op{Kind: poll.Accept, Handle: l})
	if connect.Err != nil || accept.Err != nil {
		r.t.Fatal(connect.Err, accept.Err)
	}
	if err := l.Close(); err != nil {
		r.t.Error(err)
	}
	return connect.Handle, accept.Accepted
}

func read(h poll.Handle) *poll.Op {
	return &poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, 64)}
}

func TestRefusesBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if message, _ := recover().(string); !strings.Contains(message, "package sim") {
				t.Errorf("New in a bubble panics with %q, want a message that names package sim", message)
			}
		}()
		portable.New(portable.Config{})
	})
}

// Close ends everything that is in flight and leaves nothing behind; goleak
// looks for the goroutines.
func TestCloseWithEverythingInFlight(t *testing.T) {
	asked := make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	r := newRig(t, portable.Config{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ask() // once for each family
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unaccepted := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}).Handle
	for _, op := range []*poll.Op{
		read(client),
		read(server),
		read(unaccepted),
		{Kind: poll.Write, Handle: client, Buf: make([]byte, 64<<20)},
		{Kind: poll.Lookup, Network: "ip", Host: "unknown.invalid"},
		{Kind: poll.Connect, Addr: l.LocalAddr()},
		{Kind: poll.Accept, Handle: l},
	} {
		if r.Submit(op) {
			t.Errorf("%v finishes at once: %v", op.Kind, op.Err)
		}
	}
	<-asked
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if done := r.Wait(nil, -1); len(done) != 0 {
		t.Errorf("a closed poller reports %d operations", len(done))
	}
	if op := read(client); !r.Submit(op) || op.Err != net.ErrClosed {
		t.Errorf("Submit to a closed poller: %v, want net.ErrClosed", op.Err)
	}
	if _, err := r.Listen(loopback, poll.ListenOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen of a closed poller: %v, want net.ErrClosed", err)
	}
	if conn, err := net.Dial("tcp", l.LocalAddr().String()); err == nil {
		conn.Close()
		t.Error("somebody still listens")
	}
}

// The deadline that cancels one operation must not end the next one.
func TestOperationAfterCancel(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		for _, op := range []*poll.Op{
			read(server),
			{Kind: poll.Accept, Handle: l},
			{Kind: poll.Write, Handle: client, Buf: []byte("x")},
		} {
			if r.Submit(op) {
				t.Fatalf("%v finishes at once: %v", op.Kind, op.Err)
			}
			r.Cancel(op)
			r.await(op)
			if op.Kind == poll.Write && op.Err == nil {
				if op := r.finish(read(server)); op.N != 1 {
					t.Fatalf("after a Write that was faster than Cancel: read %d, %v", op.N, op.Err)
				}
			} else if op.Err != poll.ErrCanceled {
				t.Fatalf("a cancelled %v: %v, want ErrCanceled", op.Kind, op.Err)
			}
		}
		writing := r.finish(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")})
		reading := r.finish(read(server))
		if writing.Err != nil || string(reading.Buf[:reading.N]) != "hello" {
			t.Fatalf("after Cancel: write %v, read %q, %v", writing.Err, reading.Buf[:reading.N], reading.Err)
		}
		connect := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
		accept := r.finish(&poll.Op{Kind: poll.Accept, Handle: l})
		if connect.Err != nil || accept.Err != nil {
			t.Fatalf("after Cancel: connect %v, accept %v", connect.Err, accept.Err)
		}
		connect.Handle.Abort()
		accept.Accepted.Close()
	}
}

// What Close ends is reported by the very next Wait, even by one that only looks.
func TestCloseIsReportedAtOnce(t *testing.T) {
	r := newRig(t, portable.Config{})
	for range 100 {
		client, server := r.pair(loopback)
		reading := read(client)
		r.Submit(reading)
		client.Close()
		if done := r.Wait(nil, 0); len(done) != 1 || reading.Err != net.ErrClosed {
			t.Fatalf("Wait(0) after Close reports %d operations, the Read has error %v", len(done), reading.Err)
		}
		server.Close()
	}
}

// A Read that is faster than its Cancel keeps its bytes: whatever is written
// arrives, in this Read or in the next.
func TestCancelLosesNothing(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	canceled := 0
	for i := range 500 {
		reading := read(server)
		if r.Submit(reading) {
			t.Fatalf("read finishes at once: %v", reading.Err)
		}
		writing := &poll.Op{Kind: poll.Write, Handle: client, Buf: []byte{byte(i)}}
		r.Submit(writing)
		r.Cancel(reading)
		for left := 2; left > 0; {
			left -= len(r.Wait(nil, hangLimit))
		}
		if reading.Err == poll.ErrCanceled {
			canceled++
			r.finish(reading)
		}
		if reading.Err != nil || reading.N != 1 || reading.Buf[0] != byte(i) {
			t.Fatalf("byte %d: read %d, %v, %d", i, reading.N, reading.Err, reading.Buf[0])
		}
	}
	t.Logf("%d of 500 Reads were cancelled in time", canceled)
}

func TestErrors(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := newRig(t, portable.Config{}).pair(loopback)
	for _, c := range []struct {
		name string
		op   *poll.Op
		want error
	}{
		{"foreign", read(foreign), poll.ErrForeign},
		{"no handle", read(nil), poll.ErrForeign},
		{"provided", &poll.Op{Kind: poll.Read, Handle: client}, errors.ErrUnsupported},
		{"readable", &poll.Op{Kind: poll.Readable, Handle: client}, errors.ErrUnsupported},
		{"no kind", &poll.Op{Handle: client}, errors.ErrUnsupported},
		{"accept of a stream", &poll.Op{Kind: poll.Accept, Handle: client}, errors.ErrUnsupported},
		{"read of a listener", read(l), errors.ErrUnsupported},
		{"connect to nothing", &poll.Op{Kind: poll.Connect}, errors.ErrUnsupported},
		{"connect to UDP", &poll.Op{Kind: poll.Connect, Addr: &net.UDPAddr{}}, errors.ErrUnsupported},
	} {
		if r.finish(c.op); !errors.Is(c.op.Err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.op.Err, c.want)
		}
	}
	if err := l.CloseWrite(); err == nil {
		t.Error("CloseWrite of a listener succeeds")
	}
	l.Close()
	if op := r.finish(&poll.Op{Kind: poll.Accept, Handle: l}); op.Err != net.ErrClosed {
		t.Errorf("accept of a closed listener: %v, want net.ErrClosed", op.Err)
	}

	// The kernel's errors are bare of package net's dress.
	refused := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
	server.Abort()
	reset := r.finish(read(client))
	for _, c := range []struct {
		op   *poll.Op
		want error
	}{{refused, syscall.ECONNREFUSED}, {reset, syscall.ECONNRESET}} {
		if _, dressed := errors.AsType[*net.OpError](c.op.Err); dressed || !errors.Is(c.op.Err, c.want) {
			t.Errorf("%v: %#v, want a bare %v", c.op.Kind, c.op.Err, c.want)
		}
	}
}

func TestListenErrors(t *testing.T) {
	r := newRig(t, portable.Config{})
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr net.Addr
		want error
	}{
		{l.LocalAddr(), syscall.EADDRINUSE},
		{&net.UDPAddr{}, errors.ErrUnsupported},
		{nil, errors.ErrUnsupported},
	} {
		_, err := r.Listen(c.addr, poll.ListenOptions{})
		if opErr, ok := errors.AsType[*net.OpError](err); !ok || opErr.Op != "listen" || !errors.Is(err, c.want) {
			t.Errorf("Listen(%v): %v, want %v", c.addr, err, c.want)
		}
	}
}

func TestConnectFromLocal(t *testing.T) {
	r := newRig(t, portable.Config{})
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	free, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	op := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr(), Local: free.LocalAddr()})
	if op.Err != nil || op.Handle.LocalAddr().String() != free.LocalAddr().String() {
		t.Errorf("connect from %v: %v", free.LocalAddr(), op.Err)
	}
}

func TestUnixFileStays(t *testing.T) {
	r := newRig(t, portable.Config{})
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"}
	for range 2 {
		client, _ := r.pair(addr)
		if err := client.SetNoDelay(false); err != nil {
			t.Errorf("SetNoDelay: %v", err)
		}
		if err := client.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
		// pair has closed the listener; its file is the caller's to remove.
		if err := os.Remove(addr.Name); err != nil {
			t.Error(err)
		}
	}
}

func TestLookupOfNumbers(t *testing.T) {
	r := newRig(t, portable.Config{})
	for _, c := range []struct {
		network, host string
		found         bool
	}{
		{"ip", "192.0.2.1", true}, {"ip4", "::ffff:192.0.2.1", true}, {"ip6", "192.0.2.1", false}, {"ip6", "::1", true},
	} {
		op := &poll.Op{Kind: poll.Lookup, Network: c.network, Host: c.host}
		if !r.Submit(op) {
			t.Fatalf("the Lookup of %s needs the resolver", c.host)
		}
		if found := op.Err == nil; found != c.found {
			t.Errorf("%s in %s: %v, %v", c.host, c.network, op.Addrs, op.Err)
		} else if want := netip.MustParseAddr(c.host).Unmap(); found && op.Addrs[0] != want {
			t.Errorf("%s in %s is %v", c.host, c.network, op.Addrs)
		}
	}
}

func TestSubmitTwice(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, _ := r.pair(loopback)
	reading := read(client)
	r.Submit(reading)
	defer func() {
		if recover() == nil {
			t.Error("Submit of an operation in flight does not panic")
		}
	}()
	r.Submit(reading)
}

// Reads and writes do not allocate, however many buffers they have.
func TestAllocations(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	data, spare := make([]byte, 64), make([]byte, 64)
	writing := &poll.Op{Kind: poll.Write, Handle: client}
	reading := &poll.Op{Kind: poll.Read, Handle: server, Buf: spare}
	bufs := make([][]byte, 2)
	done := make([]*poll.Op, 0, 2)
	for name, prepare := range map[string]func(){
		"one buffer":  func() { writing.Buf, writing.Bufs = data, nil },
		"two buffers": func() { bufs[0], bufs[1] = data[:10], data[10:]; writing.Buf, writing.Bufs = nil, bufs },
	} {
		n := testing.AllocsPerRun(100, func() {
			prepare()
			r.Submit(reading)
			r.Submit(writing)
			for left := 2; left > 0; left -= len(done) {
				done = r.Wait(done[:0], hangLimit)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// One byte there and back over loopback, two operations for each end.
func BenchmarkEcho(b *testing.B) {
	r := newRig(b, portable.Config{})
	client, server := r.pair(loopback)
	data := make([]byte, 1)
	ends := []poll.Handle{client, server}
	writing := &poll.Op{Kind: poll.Write, Buf: data}
	reading := &poll.Op{Kind: poll.Read, Buf: data}
	done := make([]*poll.Op, 0, 2)
	b.ReportAllocs()
	for b.Loop() {
		for i := range ends {
			writing.Handle, reading.Handle = ends[i], ends[1-i]
			r.Submit(reading)
			r.Submit(writing)
			for left := 2; left > 0; left -= len(done) {
				done = r.Wait(done[:0], -1)
			}
		}
	}
}
