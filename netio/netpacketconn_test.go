// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// reflect sends every datagram back until conn fails.
func reflect(conn net.PacketConn) error {
	buf := make([]byte, 64)
	for {
		n, addr, err := conn.ReadFrom(buf)
		if err == nil {
			_, err = conn.WriteTo(buf[:n], addr)
		}
		if err != nil {
			return err
		}
	}
}

// A net.PacketConn works on its own task, on other tasks and on goroutines outside the loop.
func TestNetPacketConn(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, client := w.packets(ctx, t)
		defer client.Close()
		reflecting := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, reflect(server.NetPacketConn(ctx))
		})
		conn := client.NetPacketConn(ctx)
		if conn.LocalAddr() != client.LocalAddr() {
			t.Error("the net.PacketConn has another address than the socket")
		}
		talk := func() error {
			for _, text := range []string{"hello", ""} {
				if n, err := conn.WriteTo([]byte(text), server.LocalAddr()); n != len(text) || err != nil {
					return fmt.Errorf("WriteTo: %d, %w", n, err)
				}
				buf := make([]byte, 8)
				n, addr, err := conn.ReadFrom(buf)
				if err != nil {
					return err
				}
				if string(buf[:n]) != text || addr.String() != server.LocalAddr().String() || addr.Network() != w.network {
					t.Errorf("received %q from %v", buf[:n], addr)
				}
			}
			return nil
		}
		want(t, "on the task of ctx", talk(), nil)
		other := task.Start(ctx, func(context.Context) (int, error) { return 0, talk() })
		_, err := other.Await(ctx)
		want(t, "on another task", err, nil)
		want(t, "outside", outside(ctx, talk), nil)
		_, err = conn.WriteTo([]byte("x"), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
		want(t, "WriteTo an address of another network", err, syscall.EINVAL)
		if _, err = conn.WriteTo([]byte("x"), nil); err == nil {
			t.Error("WriteTo without an address succeeded")
		}

		want(t, "Close of the other socket", server.Close(), nil)
		_, err = reflecting.Await(ctx)
		want(t, "ReadFrom during Close", err, net.ErrClosed)
		want(t, "Close, outside", outside(ctx, conn.Close), nil)
		for what, call := range map[string]func() error{
			"ReadFrom":    func() error { _, _, err := conn.ReadFrom(make([]byte, 8)); return err },
			"WriteTo":     func() error { _, err := conn.WriteTo(nil, server.LocalAddr()); return err },
			"SetDeadline": func() error { return conn.SetDeadline(time.Time{}) },
			"Close":       conn.Close,
		} {
			want(t, what+" after Close", call(), net.ErrClosed)
			err := outside(ctx, call)
			want(t, what+" after Close, outside", err, net.ErrClosed)
			if _, dressed := err.(*net.OpError); !dressed {
				t.Errorf("%s after Close: %v, want a *net.OpError", what, err)
			}
		}
	})
}

// With a peer, the net.PacketConn is also a net.Conn, as code that dials with package net expects.
func TestNetPacketConnConnected(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, other := w.packets(ctx, t)
		defer server.Close()
		defer other.Close()
		client := must(netio.DialPacket(ctx, w.network, server.LocalAddr().String()))(t)
		defer client.Close()
		conn := client.NetPacketConn(ctx).(net.Conn)
		if conn.RemoteAddr().String() != server.LocalAddr().String() {
			t.Errorf("the peer is %v, want the server", conn.RemoteAddr())
		}
		n, err := conn.Write([]byte("hello"))
		if want(t, "Write", err, nil); n != 5 {
			t.Errorf("Write = %d, want 5", n)
		}
		p := must(server.Receive(ctx, make([]byte, 8)))(t)
		_, err = conn.(net.PacketConn).WriteTo([]byte("x"), other.LocalAddr())
		want(t, "WriteTo another", err, net.ErrWriteToConnected)
		if w.network == "udp" { // the unixgram client has no name
			want(t, "Send", server.Send(ctx, p), nil)
			buf := make([]byte, 3)
			if n := must(conn.Read(buf))(t); string(buf[:n]) != "hel" {
				t.Errorf("read %q", buf[:n])
			}
		}
	})
}

// Deadlines use the loop's clock and end the waiting call. A later SetDeadline lifts them. The
// timeouts of the socket stay in force.
func TestNetPacketConnDeadline(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		server, client := world{"virtual", "udp"}.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		conn := server.NetPacketConn(ctx)
		read := func() (time.Duration, error) {
			start := time.Now()
			_, _, err := conn.ReadFrom(make([]byte, 8))
			return time.Since(start), err
		}
		late := func(what string, after time.Duration) {
			t.Helper()
			took, err := read()
			if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
				t.Errorf("%s: %v after %v, want a timeout after %v", what, err, took, after)
			}
		}
		conn.SetReadDeadline(time.Now().Add(time.Hour))
		late("a deadline", time.Hour)
		want(t, "Send", client.Send(ctx, to(server, "x")), nil)
		late("a deadline that has passed, with a datagram", 0)
		conn.SetDeadline(time.Time{})
		if _, err := read(); err != nil {
			t.Errorf("no deadline: %v", err)
		}
		server.SetReadTimeout(time.Minute)
		conn.SetReadDeadline(time.Now().Add(time.Hour))
		late("a timeout before the deadline", time.Minute)
		server.SetReadTimeout(2 * time.Hour)
		late("a deadline before the timeout", time.Hour-time.Minute)
		server.SetReadTimeout(0)
		conn.SetReadDeadline(time.Time{})

		for _, end := range []time.Time{time.Unix(1, 0), time.Now().Add(1000 * time.Hour)} {
			reader := blocked(ctx, func(context.Context) (time.Duration, error) { return read() })
			want(t, "sleep", sleep(ctx, time.Minute), nil)
			after := max(time.Minute, time.Minute+time.Until(end))
			want(t, "outside", outside(ctx, func() error { return conn.SetReadDeadline(end) }), nil)
			if took, err := reader.Await(ctx); took != after || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a deadline set meanwhile: %v after %v, want a timeout after %v", err, took, after)
			}
			conn.SetReadDeadline(time.Time{})
		}

		conn.SetWriteDeadline(time.Unix(1, 0))
		_, err := conn.WriteTo([]byte("x"), client.LocalAddr())
		want(t, "WriteTo after its deadline", err, os.ErrDeadlineExceeded)
	})
}

// A deadline also ends the wait for space in the queue of a UNIX socket.
func TestNetPacketConnFullQueue(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "unixgram" {
			return
		}
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		conn := client.NetPacketConn(ctx)
		conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		var err error
		for sent := 0; err == nil && sent < 1<<20; sent++ {
			_, err = conn.WriteTo([]byte("x"), server.LocalAddr())
		}
		want(t, "WriteTo", err, os.ErrDeadlineExceeded)
	})
}

// Close ends all waiting calls. The end of ctx ends them too, but keeps the socket open.
func TestNetPacketConnEnd(t *testing.T) {
	cause := errors.New("the end of a lifetime")
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		for _, closed := range []bool{true, false} {
			server, client := w.packets(ctx, t)
			var conn net.PacketConn
			owner := blocked(ctx, func(ctx context.Context) (int, error) {
				conn = server.NetPacketConn(ctx)
				return 0, sleep(ctx, time.Hour)
			})
			read := func() error { _, _, err := conn.ReadFrom(make([]byte, 8)); return err }
			readers := []*task.Task[error]{
				calling(ctx, func(context.Context) (error, error) { return read(), nil }),
				calling(ctx, func(context.Context) (error, error) { return read(), nil }), // waits behind the first
				task.Start(ctx, func(ctx context.Context) (error, error) { return outside(ctx, read), nil }),
			}
			wanted := net.ErrClosed
			if closed {
				want(t, "Close, outside", outside(ctx, conn.Close), nil)
			} else {
				wanted = cause
				owner.Cancel(cause)
			}
			for i, r := range readers {
				err := must(r.Await(ctx))(t)
				want(t, fmt.Sprint("reader ", i), err, wanted)
				if _, dressed := err.(*net.OpError); !dressed {
					t.Errorf("reader %d: %v, want a *net.OpError", i, err)
				}
			}
			owner.Cancel(nil)
			if !closed {
				want(t, "Send", client.Send(ctx, to(server, "hello")), nil)
				must(server.Receive(ctx, make([]byte, 8)))(t)
				want(t, "Close after the end of ctx", outside(ctx, conn.Close), nil)
			}
			client.Close()
		}
	})
}

// Any number of callers may call at the same time. Each datagram reaches one of them.
func TestNetPacketConnTurns(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		from, at := client.NetPacketConn(ctx), server.NetPacketConn(ctx)
		const callers, each = 4, 25
		var mu sync.Mutex
		seen := make(map[string]bool)
		var all []*task.Task[int]
		for caller := range callers {
			send := func() error {
				for i := range each {
					if _, err := from.WriteTo(fmt.Appendf(nil, "%d %d", caller, i), server.LocalAddr()); err != nil {
						return err
					}
				}
				return nil
			}
			receive := func() error {
				buf := make([]byte, 16)
				for range each {
					n, _, err := at.ReadFrom(buf)
					if err != nil {
						return err
					}
					mu.Lock()
					seen[string(buf[:n])] = true
					mu.Unlock()
				}
				return nil
			}
			for _, call := range []func() error{send, receive} {
				all = append(all, task.Start(ctx, func(ctx context.Context) (int, error) {
					if caller%2 == 0 {
						return 0, call()
					}
					return 0, outside(ctx, call)
				}))
			}
		}
		for _, one := range all {
			must(one.Await(ctx))(t)
		}
		if len(seen) != callers*each {
			t.Errorf("received %d datagrams, want %d", len(seen), callers*each)
		}

		first := calling(ctx, func(context.Context) (int, error) {
			n, _, err := at.ReadFrom(make([]byte, 8))
			return n, err
		})
		_, err := server.Receive(ctx, make([]byte, 8))
		want(t, "Receive of the socket itself", err, netio.ErrBusy)
		want(t, "Send", client.Send(ctx, to(server, "x")), nil)
		must(first.Await(ctx))(t)
	})
}

// Calls in a callback or on another loop panic.
func TestNetPacketConnMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		c := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
		defer c.Close()
		conn := c.NetPacketConn(ctx)
		var done task.Future[struct{}]
		task.Loop(ctx).CallSoon(func() {
			panics(t, "ReadFrom in a callback", func() { conn.ReadFrom(nil) }, "read of a net.PacketConn in a callback")
			done.Set(struct{}{})
		})
		must(done.Await(ctx))(t)
		return outside(ctx, func() error {
			real(t, func(ctx context.Context) error {
				panics(t, "NetPacketConn on another loop", func() { c.NetPacketConn(ctx) }, "use a Portal")
				panics(t, "NetPacketConn of a zero value", func() { new(netio.PacketConn).NetPacketConn(ctx) }, "uses a zero PacketConn")
				panics(t, "ReadFrom on another loop", func() { conn.ReadFrom(nil) }, "use a Portal")
				return nil
			})
			return nil
		})
	})
}
