// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"baton/netio"
)

// A stream uses the local address, of either family. If the address has no IP, the kernel
// chooses one.
func TestLocalAddrOfStreams(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		check := func(address string, local net.Addr, want string) {
			t.Helper()
			ln, err := netio.Listen(ctx, w.network, address)
			if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Logf("no such addresses here: %v", err)
				return
			}
			ln = must(ln, err)(t)
			defer ln.Close()
			near := must(netio.Dialer{LocalAddr: local}.Dial(ctx, w.network, ln.Addr().String()))(t)
			defer near.Close()
			far := must(ln.Accept(ctx))(t)
			defer far.Close()
			got := far.RemoteAddr().String()
			if a, ok := far.RemoteAddr().(*net.TCPAddr); ok {
				got = a.IP.String()
			}
			if got != want || near.LocalAddr().String() != far.RemoteAddr().String() {
				t.Errorf("dialed from %v: the peer sees %v, want %v", local, far.RemoteAddr(), want)
			}
		}
		if w.network == "unix" {
			path := w.address(t) + "-client"
			check(w.address(t), &net.UnixAddr{Name: path, Net: "unix"}, path)
			return
		}
		check("127.0.0.1:0", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, "127.0.0.1")
		check("127.0.0.1:0", &net.TCPAddr{}, "127.0.0.1")
		check("[::1]:0", &net.TCPAddr{IP: net.IPv6loopback}, "::1")
		check("[::1]:0", &net.TCPAddr{}, "::1")
	})
}

// A connected datagram socket uses the local address, as a stream does.
func TestLocalAddrOfDatagrams(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		check := func(address string, local net.Addr, want string) {
			t.Helper()
			server, err := netio.ListenPacket(ctx, w.network, address)
			if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Logf("no such addresses here: %v", err)
				return
			}
			server = must(server, err)(t)
			defer server.Close()
			client := must(netio.PacketConfig{LocalAddr: local}.Dial(ctx, w.network, server.LocalAddr().String()))(t)
			defer client.Close()
			if err := client.Send(ctx, netio.Packet{Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			p := must(server.Receive(ctx, make([]byte, 1)))(t)
			got := p.Name
			if p.Addr.IsValid() {
				got = p.Addr.Addr().String()
			}
			if got != want || p.Addr.IsValid() && p.Addr.String() != client.LocalAddr().String() {
				t.Errorf("dialed from %v: the datagram is from %v %q, want %v", local, p.Addr, p.Name, want)
			}
		}
		if w.network == "unixgram" {
			path := w.place(t) + "-client"
			check(w.place(t), &net.UnixAddr{Name: path, Net: "unixgram"}, path)
			return
		}
		check("127.0.0.1:0", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, "127.0.0.1")
		check("127.0.0.1:0", &net.UDPAddr{}, "127.0.0.1")
		check("[::1]:0", &net.UDPAddr{IP: net.IPv6loopback}, "::1")
		check("[::1]:0", &net.UDPAddr{}, "::1")
	})
}

// A local address of another kind than the remote address is an error. Nothing is dialed.
func TestLocalAddrOfAnotherSort(t *testing.T) {
	locals := []net.Addr{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UnixAddr{Name: "/nowhere/s", Net: "unix"},
	}
	check := func(t *testing.T, local net.Addr, err error) {
		t.Helper()
		if e, ok := errors.AsType[*net.AddrError](err); !ok || e.Addr != local.String() {
			t.Errorf("dialed from a %T: %v, want a *net.AddrError", local, err)
		}
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		address := map[string]string{"tcp": "127.0.0.1:1", "unix": "/nowhere/there"}[w.network]
		for _, local := range locals {
			if local.Network() != w.network {
				_, err := netio.Dialer{LocalAddr: local}.Dial(ctx, w.network, address)
				check(t, local, err)
			}
		}
	})
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		address := map[string]string{"udp": "127.0.0.1:1", "unixgram": "/nowhere/there"}[w.network]
		for _, local := range locals {
			if _, path := local.(*net.UnixAddr); local.Network() != w.network && path != (w.network == "unixgram") {
				_, err := netio.PacketConfig{LocalAddr: local}.Dial(ctx, w.network, address)
				check(t, local, err)
			}
		}
	})
}
