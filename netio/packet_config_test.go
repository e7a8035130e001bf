// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"syscall"
	"testing"

	"baton/netio"
)

// everyUDP runs fn in every world of UDP.
func everyUDP(t *testing.T, fn func(ctx context.Context, t *testing.T, w world)) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network == "udp" {
			fn(ctx, t, w)
		}
	})
}

// Only the system limits the size of a datagram: UDP over IPv4 to 65507 bytes, a UNIX socket to
// its buffer. A datagram that is too long is not sent.
func TestPacketLarge(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		size := 65507
		if w.network == "unixgram" {
			size = 128 << 10
		} else if runtime.GOOS == "darwin" {
			return // the default limit is lower
		}
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		p := to(server, "")
		p.Data = bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		want(t, "Send", client.Send(ctx, p), nil)
		got := must(server.Receive(ctx, make([]byte, 256<<10)))(t)
		if !bytes.Equal(got.Data, p.Data) || got.Truncated {
			t.Errorf("received %d bytes of %d, truncated %v", len(got.Data), size, got.Truncated)
		}
		if w.network == "udp" {
			p.Data = append(p.Data, 'x')
			want(t, "Send of one byte more", client.Send(ctx, p), syscall.EMSGSIZE)
		}
	})
}

// A socket with a peer sends from LocalAddr. LocalAddr must be of the family of the peer.
func TestPacketLocalAddr(t *testing.T) {
	everyUDP(t, func(ctx context.Context, t *testing.T, w world) {
		server, taken := w.packets(ctx, t)
		defer server.Close()
		local := taken.LocalAddr()
		_, err := netio.PacketConfig{LocalAddr: local}.Dial(ctx, "udp", server.LocalAddr().String())
		want(t, "Dial from an address that is taken", err, syscall.EADDRINUSE)
		taken.Close()
		client := must(netio.PacketConfig{LocalAddr: local}.Dial(ctx, "udp", server.LocalAddr().String()))(t)
		defer client.Close()
		want(t, "Send", client.Send(ctx, netio.Packet{}), nil)
		if p := must(server.Receive(ctx, nil))(t); p.Addr.String() != local.String() || client.LocalAddr().String() != local.String() {
			t.Errorf("received from %v, want %v", p.Addr, local)
		}
		for _, other := range []net.Addr{&net.UDPAddr{IP: net.IPv6loopback}, &net.UnixAddr{Name: "/x", Net: "unixgram"}} {
			_, err = netio.PacketConfig{LocalAddr: other}.Dial(ctx, "udp", server.LocalAddr().String())
			if dressed, ok := err.(*net.OpError); !ok || dressed.Op != "dial" {
				t.Errorf("Dial from %v: %v, want a *net.OpError of dial", other, err)
			}
		}
		w.network = "unixgram"
		mailbox := must(netio.ListenPacket(ctx, "unixgram", w.place(t)))(t)
		defer mailbox.Close()
		_, err = netio.PacketConfig{LocalAddr: local}.Dial(ctx, "unixgram", mailbox.LocalAddr().String())
		if dressed, ok := err.(*net.OpError); !ok || dressed.Op != "dial" {
			t.Errorf("Dial from %v to a UNIX socket: %v, want a *net.OpError of dial", local, err)
		}
	})
}

// Sockets share an address if all of them set ReusePort.
func TestPacketReusePort(t *testing.T) {
	everyUDP(t, func(ctx context.Context, t *testing.T, w world) {
		if runtime.GOOS != "linux" && w.poller != "virtual" {
			return // SO_REUSEPORT has another meaning or none
		}
		shared := netio.PacketConfig{ReusePort: true}
		first := must(shared.Listen(ctx, "udp", "127.0.0.1:0"))(t)
		defer first.Close()
		address := first.LocalAddr().String()
		_, err := netio.ListenPacket(ctx, "udp", address)
		want(t, "Listen without sharing", err, syscall.EADDRINUSE)
		second := must(shared.Listen(ctx, "udp", address))(t)
		defer second.Close()
		alone := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
		defer alone.Close()
		_, err = shared.Listen(ctx, "udp", alone.LocalAddr().String())
		want(t, "Listen where another one does not share", err, syscall.EADDRINUSE)
	})
}
