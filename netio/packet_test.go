// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// everywherePackets runs fn in every world of datagrams.
func everywherePackets(t *testing.T, fn func(ctx context.Context, t *testing.T, w world)) {
	for _, w := range worlds() {
		w.network = map[string]string{"tcp": "udp", "unix": "unixgram"}[w.network]
		t.Run(w.String(), func(t *testing.T) {
			w.run(t, func(ctx context.Context, t *testing.T) { fn(ctx, t, w) })
		})
	}
}

// packetAddress returns an address for a datagram socket.
func (w world) packetAddress(t testing.TB) string {
	switch {
	case w.network == "udp":
		return "127.0.0.1:0"
	case w.poller == "virtual":
		return "/virtual/" + fmt.Sprint(time.Now().UnixNano())
	}
	return socketPath(t)
}

// packets opens two sockets. The caller closes them.
func (w world) packets(ctx context.Context, t *testing.T) (server, client *netio.PacketConn) {
	t.Helper()
	server = must(netio.ListenPacket(ctx, w.network, w.packetAddress(t)))(t)
	client = must(netio.ListenPacket(ctx, w.network, w.packetAddress(t)+map[string]string{"unixgram": "2"}[w.network]))(t)
	return server, client
}

// to returns a packet with text for c.
func to(c *netio.PacketConn, text string) netio.Packet {
	p := netio.Packet{Data: []byte(text)}
	switch a := c.LocalAddr().(type) {
	case *net.UDPAddr:
		p.Addr = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), uint16(a.Port))
	case *net.UnixAddr:
		p.Name = a.Name
	}
	return p
}

// A received packet can be sent back unchanged. An empty datagram is received too. A datagram that
// is longer than the buffer is marked as truncated.
func TestPacketCanBeSentBack(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		task.Go(ctx, func(ctx context.Context) error {
			buf := make([]byte, 8)
			for {
				p, err := server.Receive(ctx, buf)
				if errors.Is(err, net.ErrClosed) {
					return nil
				}
				if err == nil {
					err = server.Send(ctx, p)
				}
				if err != nil {
					return err
				}
			}
		})
		for _, text := range []string{"hello", "", "too long for it"} {
			want(t, "Send", client.Send(ctx, to(server, text)), nil)
			p, err := client.Receive(ctx, make([]byte, 64))
			want(t, "Receive", err, nil)
			if source := to(server, ""); string(p.Data) != text[:min(8, len(text))] || p.Addr != source.Addr || p.Name != source.Name {
				t.Errorf("received %q from %v %q", p.Data, p.Addr, p.Name)
			}
			small := make([]byte, 2)
			want(t, "Send", client.Send(ctx, to(server, text)), nil)
			p, err = client.Receive(ctx, small)
			want(t, "Receive", err, nil)
			if p.Truncated != (len(text) > 2) {
				t.Errorf("%q in %d bytes: truncated %v", text, len(small), p.Truncated)
			}
		}
	})
}

// A socket with a peer needs no address, accepts the address of its peer and refuses others.
func TestPacketConnWithPeer(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, stranger := w.packets(ctx, t)
		defer server.Close()
		defer stranger.Close()
		config := netio.PacketConfig{}
		if w.network == "unixgram" {
			config.LocalAddr = &net.UnixAddr{Name: w.packetAddress(t) + "3", Net: "unixgram"}
		}
		client := must(config.Dial(ctx, w.network, server.LocalAddr().String()))(t)
		defer client.Close()
		if got, want := client.RemoteAddr().String(), server.LocalAddr().String(); got != want {
			t.Errorf("the peer is %s, want %s", got, want)
		}
		for _, p := range []netio.Packet{{Data: []byte("hello")}, to(server, "hello")} {
			want(t, "Send", client.Send(ctx, p), nil)
			p, err := server.Receive(ctx, make([]byte, 8))
			want(t, "Receive", err, nil)
			want(t, "Send", server.Send(ctx, p), nil)
			p, err = client.Receive(ctx, make([]byte, 8))
			want(t, "Receive", err, nil)
			if string(p.Data) != "hello" {
				t.Errorf("received %q", p.Data)
			}
		}
		want(t, "Send to another", client.Send(ctx, to(stranger, "x")), net.ErrWriteToConnected)
		n, err := client.SendBatch(ctx, []netio.Packet{to(server, "x"), to(stranger, "x")})
		if want(t, "SendBatch", err, net.ErrWriteToConnected); n != 0 {
			t.Errorf("sent %d", n)
		}
	})
}

// The call that waits for an answer returns the error of a refused datagram.
func TestPacketRefused(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "udp" {
			return // on a UNIX socket the Send fails
		}
		for range 3 {
			client := must(netio.DialPacket(ctx, "udp", closedPort))(t)
			answer := blocked(ctx, func(ctx context.Context) (netio.Packet, error) {
				return client.Receive(ctx, make([]byte, 8))
			})
			want(t, "Send", client.Send(ctx, netio.Packet{Data: []byte("anybody?")}), nil)
			if w.poller == "epoll" { // the kernel has the error now; the next Send must not return it
				want(t, "the next Send", client.Send(ctx, netio.Packet{Data: []byte("anybody?")}), nil)
			}
			_, err := answer.Await(ctx)
			want(t, "Receive", err, syscall.ECONNREFUSED)
			if _, ok := err.(*net.OpError); !ok {
				t.Errorf("Receive returned a %T, want a *net.OpError", err)
			}
			want(t, "Close", client.Close(), nil)
		}
	})
}

// A timeout and a cancel end the wait and lose no datagram.
func TestPacketTimeoutAndCancel(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		buf := make([]byte, 8)
		server.SetReadTimeout(time.Millisecond)
		_, err := server.Receive(ctx, buf)
		want(t, "Receive", err, os.ErrDeadlineExceeded)
		server.SetReadTimeout(0)

		reader := blocked(ctx, func(ctx context.Context) (netio.Packet, error) { return server.Receive(ctx, buf) })
		_, err = server.Receive(ctx, make([]byte, 8))
		want(t, "the second Receive", err, netio.ErrBusy)
		reader.Cancel(nil)
		_, err = reader.Await(ctx)
		if _, ok := err.(*task.Canceled); !ok {
			t.Errorf("a cancelled Receive returned a %T: %v", err, err)
		}
		want(t, "Send", client.Send(ctx, to(server, "hello")), nil)
		p, err := server.Receive(ctx, buf)
		if want(t, "Receive", err, nil); string(p.Data) != "hello" {
			t.Errorf("received %q", p.Data)
		}

		reader = blocked(ctx, func(ctx context.Context) (netio.Packet, error) { return server.Receive(ctx, buf) })
		want(t, "Close", server.Close(), nil)
		_, err = reader.Await(ctx)
		want(t, "Receive during Close", err, net.ErrClosed)
		_, err = server.Receive(ctx, buf)
		want(t, "Receive after Close", err, net.ErrClosed)
		want(t, "Send after Close", server.Send(ctx, to(client, "x")), net.ErrClosed)
		want(t, "the second Close", server.Close(), net.ErrClosed)
	})
}

// A Send waits until the queue of a UNIX socket has space, but no longer than its timeout. No
// datagram is lost.
func TestPacketSendWaitsForSpace(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "unixgram" {
			return // UDP loses what is not received
		}
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		connected := must(netio.DialPacket(ctx, "unixgram", server.LocalAddr().String()))(t)
		defer connected.Close()
		const each = 300
		packet := to(server, "x")
		for _, c := range []*netio.PacketConn{client, connected} {
			c.SetWriteTimeout(5 * time.Millisecond)
			sent := 0
			var err error
			for ; err == nil && sent < 10*each; sent++ {
				err = c.Send(ctx, packet)
			}
			want(t, "Send to a full queue", err, os.ErrDeadlineExceeded)
			c.SetWriteTimeout(0)
			done := task.Start(ctx, func(ctx context.Context) (int, error) {
				return c.SendBatch(ctx, slices.Repeat([]netio.Packet{packet}, each))
			})
			for range sent - 1 + each {
				_, err := server.Receive(ctx, make([]byte, 8))
				want(t, "Receive", err, nil)
			}
			n, err := done.Await(ctx)
			if want(t, "SendBatch", err, nil); n != each {
				t.Errorf("SendBatch = %d, want 300", n)
			}
		}
	})
}

// ReceiveBatch returns the datagrams that have arrived, but no more than it has packets for.
func TestPacketBatch(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		server, client := w.packets(ctx, t)
		defer server.Close()
		defer client.Close()
		var out []netio.Packet
		for i := range 7 {
			out = append(out, to(server, strings.Repeat("x", i)))
		}
		n, err := client.SendBatch(ctx, out)
		if want(t, "SendBatch", err, nil); n != len(out) {
			t.Errorf("sent %d", n)
		}
		in := make([]netio.Packet, 3)
		for got := 0; got < len(out); {
			for i := range in {
				in[i] = netio.Packet{Data: make([]byte, 0, 16)}
			}
			n, err := server.ReceiveBatch(ctx, in)
			want(t, "ReceiveBatch", err, nil)
			for _, p := range in[:n] {
				if len(p.Data) != got || p.Addr != to(client, "").Addr {
					t.Errorf("datagram %d is %q from %v", got, p.Data, p.Addr)
				}
				got++
			}
		}
	})
}

// An answer is sent from the address that the question was sent to, with the ECN mark of the
// question, although the socket is bound to all addresses.
func TestPacketAnswerComesFromAskedAddress(t *testing.T) {
	for _, w := range worlds() {
		if w.network != "tcp" || runtime.GOOS != "linux" && w.poller != "virtual" {
			continue // the loopback may have only one address
		}
		w.network = "udp"
		t.Run(w.String(), func(t *testing.T) {
			w.run(t, func(ctx context.Context, t *testing.T) {
				server := must(netio.ListenPacket(ctx, "udp", "0.0.0.0:0"))(t)
				defer server.Close()
				client := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
				defer client.Close()
				asked := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), to(server, "").Addr.Port())
				want(t, "Send", client.Send(ctx, netio.Packet{Data: []byte("x"), Addr: asked, ECN: 2}), nil)
				question := must(server.Receive(ctx, make([]byte, 8)))(t)
				if question.Local != asked.Addr() || question.ECN != 2 {
					t.Errorf("received at %v with mark %d, want %v and 2", question.Local, question.ECN, asked.Addr())
				}
				want(t, "Send", server.Send(ctx, question), nil)
				answer := must(client.Receive(ctx, make([]byte, 8)))(t)
				if answer.Addr != asked || answer.ECN != 2 {
					t.Errorf("received from %v with mark %d, want %v and 2", answer.Addr, answer.ECN, asked)
				}
				question.Local = netip.MustParseAddr("::1")
				want(t, "Send from another family", server.Send(ctx, question), syscall.EINVAL)
			})
		})
	}
}

// The members of a group receive what is sent to the group.
func TestPacketMulticast(t *testing.T) {
	for _, w := range []world{{"virtual", "udp"}, {"epoll", "udp"}, {"portable", "udp"}} {
		if w.poller != "virtual" && runtime.GOOS != "linux" {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			w.run(t, func(ctx context.Context, t *testing.T) {
				group := netip.MustParseAddr("239.77.66.54")
				first := must(netio.PacketConfig{ReusePort: true}.Listen(ctx, "udp4", ":0"))(t)
				defer first.Close()
				second := must(netio.PacketConfig{ReusePort: true}.Listen(ctx, "udp4", first.LocalAddr().String()))(t)
				defer second.Close()
				sender := must(netio.ListenPacket(ctx, "udp4", "127.0.0.1:0"))(t)
				defer sender.Close()
				loopback := &net.Interface{Index: 1}
				for _, err := range []error{first.JoinGroup(group, loopback), second.JoinGroup(group, loopback),
					sender.SetMulticastInterface(loopback), sender.SetMulticastTTL(1), sender.SetMulticastLoop(true)} {
					want(t, "an option", err, nil)
				}
				to := netip.AddrPortFrom(group, uint16(first.LocalAddr().(*net.UDPAddr).Port))
				want(t, "Send", sender.Send(ctx, netio.Packet{Data: []byte("to all"), Addr: to}), nil)
				for _, c := range []*netio.PacketConn{first, second} {
					p, err := c.Receive(ctx, make([]byte, 8))
					if want(t, "Receive", err, nil); string(p.Data) != "to all" {
						t.Errorf("received %q", p.Data)
					}
				}
				want(t, "LeaveGroup", first.LeaveGroup(group, loopback), nil)
				if err := first.LeaveGroup(group, loopback); err == nil {
					t.Error("the second LeaveGroup succeeded")
				}
			})
		})
	}
}

// Close removes the file of a UNIX socket. Listen replaces a stale file.
func TestPacketSocketFile(t *testing.T) {
	real(t, func(ctx context.Context) error {
		path := socketPath(t)
		first := must(netio.PacketConfig{KeepFile: true}.Listen(ctx, "unixgram", path))(t)
		_, err := netio.ListenPacket(ctx, "unixgram", path)
		want(t, "Listen on a served path", err, syscall.EADDRINUSE)
		want(t, "Close", first.Close(), nil)
		second := must(netio.ListenPacket(ctx, "unixgram", path))(t)
		want(t, "Close", second.Close(), nil)
		_, err = os.Lstat(path)
		want(t, "Lstat", err, os.ErrNotExist)
		return nil
	})
}

// Errors name the operation and the address.
func TestPacketErrors(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		taken := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:53"))(t)
		defer taken.Close()
		for _, c := range []struct{ call, network, address, text string }{
			{"listen", "tcp", "127.0.0.1:1", "listen tcp: unknown network tcp"},
			{"dial", "udp", "127.0.0.1", "dial udp: address 127.0.0.1: missing port in address"},
			{"listen", "udp4", "[::1]:1", "listen udp4: address ::1: no suitable address found"},
			{"listen", "udp", "127.0.0.1:53", "listen udp 127.0.0.1:53: bind: address already in use"},
			{"dial", "udp", "nowhere:53", "dial udp nowhere:53: lookup nowhere: no such host"},
			{"dial", "unixgram", "/nowhere", "dial unixgram /nowhere: connect: no such file or directory"},
			{"listen", "unixgram", "", "listen unixgram: missing address"},
		} {
			open := netio.ListenPacket
			if c.call == "dial" {
				open = netio.DialPacket
			}
			_, err := open(ctx, c.network, c.address)
			if _, ok := err.(*net.OpError); !ok || err.Error() != c.text {
				t.Errorf("%s %s %q: %v, want %s", c.call, c.network, c.address, err, c.text)
			}
		}
		err := taken.Send(ctx, netio.Packet{Data: []byte("x")})
		want(t, "Send without an address", err, syscall.EDESTADDRREQ)
		err = taken.Send(ctx, netio.Packet{Data: make([]byte, 1<<16), Addr: netip.MustParseAddrPort("127.0.0.1:1")})
		want(t, "Send of a datagram that is too long", err, syscall.EMSGSIZE)
		if text := fmt.Sprint(err); text != "write udp 127.0.0.1:53->127.0.0.1:1: sendto: message too long" {
			t.Error(text)
		}
		named := must(netio.DialPacket(ctx, "udp", "localhost:53"))(t)
		defer named.Close()
	})
}

// A network in memory loses, duplicates and reorders datagrams. The seed decides which.
func TestPacketFaultsReplay(t *testing.T) {
	const all = 400
	for _, c := range []struct {
		what                   string
		faults                 virtual.Faults
		fewer, more, unordered bool
	}{
		{"none", virtual.Faults{}, false, false, false},
		{"delay", virtual.Faults{Delay: time.Second}, false, false, false},
		{"loss", virtual.Faults{Loss: 0.3}, true, false, false},
		{"double", virtual.Faults{Double: 0.3}, false, true, false},
		{"jitter", virtual.Faults{Jitter: 5 * time.Millisecond}, false, false, true},
	} {
		var runs [2][]byte
		for i := range runs {
			sim.Config{Seed: 7, Network: virtual.Config{Faults: c.faults}}.Test(t, func(ctx context.Context, t *testing.T) {
				server := must(netio.PacketConfig{ReadTimeout: time.Minute}.Listen(ctx, "udp", "127.0.0.1:9"))(t)
				defer server.Close()
				client := must(netio.DialPacket(ctx, "udp", "127.0.0.1:9"))(t)
				defer client.Close()
				task.Go(ctx, func(ctx context.Context) error {
					for n := range all {
						want(t, "Send", client.Send(ctx, netio.Packet{Data: []byte{byte(n >> 8), byte(n)}}), nil)
						want(t, "sleep", sleep(ctx, time.Millisecond), nil)
					}
					return nil
				})
				for {
					p, err := server.Receive(ctx, make([]byte, 8))
					if errors.Is(err, os.ErrDeadlineExceeded) {
						return
					}
					want(t, "Receive", err, nil)
					runs[i] = append(runs[i], p.Data...)
				}
			})
		}
		if !slices.Equal(runs[0], runs[1]) {
			t.Errorf("%s: two runs with the same seed differ", c.what)
		}
		var numbers []int
		for i := 0; i < len(runs[0]); i += 2 {
			numbers = append(numbers, int(runs[0][i])<<8|int(runs[0][i+1]))
		}
		if fewer, more := len(numbers) < all, len(numbers) > all; fewer != c.fewer || more != c.more {
			t.Errorf("%s: received %d of %d datagrams", c.what, len(numbers), all)
		}
		if slices.IsSorted(numbers) == c.unordered {
			t.Errorf("%s: out of order is %v", c.what, !c.unordered)
		}
	}
}

// Sending and receiving a datagram does not allocate, even if the calls wait and have timeouts.
func TestPacketDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "portable" {
			return // package net allocates
		}
		server, client := w.packets(ctx, t)
		defer client.Close()
		task.Go(ctx, func(ctx context.Context) error {
			buf := make([]byte, 64)
			for {
				p, err := server.Receive(ctx, buf)
				if err != nil {
					return nil
				}
				if err := server.Send(ctx, p); err != nil {
					return err
				}
			}
		})
		packet, buf := to(server, "hello"), make([]byte, 64)
		exchange := func() {
			want(t, "Send", client.Send(ctx, packet), nil)
			_, err := client.Receive(ctx, buf)
			want(t, "Receive", err, nil)
		}
		for _, timeout := range []time.Duration{0, time.Minute} {
			client.SetReadTimeout(timeout)
			client.SetWriteTimeout(timeout)
			exchange()
			if n := testing.AllocsPerRun(200, exchange); n != 0 {
				t.Errorf("%v allocations per datagram and answer with the timeout %v, want 0", n, timeout)
			}
		}
		server.Close()
	})
}

// Every UDP socket may broadcast.
func TestPacketBroadcast(t *testing.T) {
	for _, c := range []struct{ poller, to string }{
		{"virtual", "255.255.255.255"}, {"epoll", "127.255.255.255"}, {"portable", "127.255.255.255"},
	} {
		if c.poller != "virtual" && runtime.GOOS != "linux" {
			continue // only Linux has this address of the loopback
		}
		t.Run(c.poller, func(t *testing.T) {
			world{c.poller, "udp"}.run(t, func(ctx context.Context, t *testing.T) {
				server := must(netio.ListenPacket(ctx, "udp", ":0"))(t)
				defer server.Close()
				client := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
				defer client.Close()
				port := uint16(server.LocalAddr().(*net.UDPAddr).Port)
				to := netip.AddrPortFrom(netip.MustParseAddr(c.to), port)
				want(t, "Send", client.Send(ctx, netio.Packet{Data: []byte("all"), Addr: to}), nil)
				p, err := server.Receive(ctx, make([]byte, 8))
				want(t, "Send of the answer", server.Send(ctx, p), nil)
				must(client.Receive(ctx, make([]byte, 8)))(t)
				if want(t, "Receive", err, nil); string(p.Data) != "all" || p.Addr.Port() != uint16(client.LocalAddr().(*net.UDPAddr).Port) {
					t.Errorf("received %q from %v", p.Data, p.Addr)
				}
			})
		})
	}
}
