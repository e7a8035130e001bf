// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// openDatagrams opens a socket, with a checker as its protocol.
func openDatagrams(ctx context.Context, t *testing.T, c *protocoltest.Datagrams, network, address string) *protocol.DatagramTransport {
	t.Helper()
	c.T = t
	tr, err := protocol.ListenPacket(ctx, network, address, func() protocol.DatagramProtocol { return c })
	must(t, err)
	return tr
}

// at returns the local address of a UDP transport.
func at(tr *protocol.DatagramTransport) netip.AddrPort {
	return tr.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestDatagramsAreAnswered(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		server := &protocoltest.Datagrams{}
		server.OnReceived = func(p netio.Packet) { must(t, server.Transport.Send(p)) }
		srv := openDatagrams(ctx, t, server, "udp", "127.0.0.1:0")
		client := &protocoltest.Datagrams{T: t}
		tr, err := protocol.DialPacket(ctx, "udp", srv.LocalAddr().String(), func() protocol.DatagramProtocol { return client })
		must(t, err)
		for i, text := range []string{"one", "", "three"} { // an empty datagram is one, too
			must(t, tr.Send(netio.Packet{Data: []byte(text)}))
			must(t, client.Until(ctx, func() bool { return len(client.Received) > i }))
		}
		if !slices.Equal(client.Received, []string{"one", "", "three"}) {
			t.Errorf("received %q", client.Received)
		}
		if err := tr.Send(netio.Packet{Addr: netip.MustParseAddrPort("127.0.0.1:9")}); !errors.Is(err, net.ErrWriteToConnected) {
			t.Errorf("Send to another peer: %v", err)
		}
		tr.Close()
		tr.Close()
		must(t, client.UntilLost(ctx))
		if err := tr.Send(netio.Packet{Data: []byte("late")}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		srv.Abort()
		must(t, server.UntilLost(ctx))
		if client.Err != nil || server.Err != nil {
			t.Error(client.Err, server.Err)
		}
	})
}

func TestRefusedDatagramGoesToErrorReceived(t *testing.T) {
	err := task.Run(t.Context(), func(ctx context.Context) error {
		gone := &protocoltest.Datagrams{}
		srv := openDatagrams(ctx, t, gone, "udp", "127.0.0.1:0")
		address := srv.LocalAddr().String()
		srv.Close()
		must(t, gone.UntilLost(ctx))

		c := &protocoltest.Datagrams{T: t}
		tr, err := protocol.DialPacket(ctx, "udp", address, func() protocol.DatagramProtocol { return c })
		must(t, err)
		must(t, tr.Send(netio.Packet{Data: []byte("anybody?")}))
		must(t, c.Until(ctx, func() bool { return len(c.Errors) > 0 }))
		if !errors.Is(c.Errors[0], syscall.ECONNREFUSED) {
			t.Errorf("error %v", c.Errors[0])
		}
		back := openDatagrams(ctx, t, &protocoltest.Datagrams{}, "udp", address)
		must(t, back.Send(netio.Packet{Data: []byte("here"), Addr: at(tr)}))
		must(t, c.Until(ctx, func() bool { return len(c.Received) > 0 }))
		tr.Close()
		back.Close()
		return nil
	})
	must(t, err)
}

func TestTooLongDatagramGoesToErrorReceived(t *testing.T) {
	err := task.Run(t.Context(), func(ctx context.Context) error {
		c := &protocoltest.Datagrams{}
		tr := openDatagrams(ctx, t, c, "udp", "127.0.0.1:0")
		must(t, tr.Send(netio.Packet{Data: make([]byte, 70_000), Addr: at(tr)}))
		must(t, tr.Send(netio.Packet{Data: make([]byte, 60_000), Addr: at(tr)}))
		must(t, c.Until(ctx, func() bool { return len(c.Received) > 0 }))
		if len(c.Errors) != 1 || !errors.Is(c.Errors[0], syscall.EMSGSIZE) || len(c.Received[0]) != 60_000 {
			t.Errorf("errors %v, %d bytes received", c.Errors, len(c.Received[0]))
		}
		tr.Close()
		return nil
	})
	must(t, err)
}

// The queue of a UNIX socket holds some datagrams. The rest waits in the transport, and pauses the
// writer.
func TestFullReceiverPausesTheWriter(t *testing.T) {
	err := task.Run(t.Context(), func(ctx context.Context) error {
		path := filepath.Join(t.TempDir(), "s")
		conn, err := netio.ListenPacket(ctx, "unixgram", path)
		must(t, err)
		defer conn.Close()
		c := &protocoltest.Datagrams{T: t}
		config := protocol.DatagramConfig{HighWater: 20_000, LowWater: 1}
		tr, err := config.Dial(ctx, "unixgram", path, func() protocol.DatagramProtocol { return c })
		must(t, err)
		sent := 0
		for ; !c.Paused() && sent < 10_000; sent++ {
			must(t, tr.Send(netio.Packet{Data: fmt.Appendf(nil, "%01000d", sent)}))
			must(t, task.Yield(ctx))
		}
		buf := make([]byte, 2000)
		for i := range sent {
			p, err := conn.Receive(ctx, buf)
			must(t, err)
			if want := fmt.Sprintf("%01000d", i); string(p.Data) != want {
				t.Fatalf("datagram %d is %q", i, p.Data)
			}
		}
		must(t, c.Until(ctx, func() bool { return !c.Paused() }))
		tr.Close()
		must(t, c.UntilLost(ctx))
		if want := []string{"ConnectionMade", "PauseWriting", "ResumeWriting", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
			t.Errorf("calls %v, want %v", c.Calls, want)
		}
		return nil
	})
	must(t, err)
}

func TestPanicEndsTheDatagramTransport(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		var reported []loop.Exception
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = append(reported, e) })
		defer task.Loop(ctx).SetExceptionHandler(nil)
		c := &protocoltest.Datagrams{}
		c.OnReceived = func(netio.Packet) { panic("oops") }
		tr := openDatagrams(ctx, t, c, "udp", "127.0.0.1:0")
		must(t, tr.Send(netio.Packet{Data: []byte("x"), Addr: at(tr)}))
		must(t, c.UntilLost(ctx))
		if p, ok := c.Err.(*task.PanicError); !ok || p.Value != "oops" || len(reported) != 1 {
			t.Errorf("ConnectionLost(%v), %d reports", c.Err, len(reported))
		}
	})
}

func TestCancelOfTheScopeAbortsDatagramTransports(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Datagrams{}
		cause := errors.New("enough")
		err := task.Scope(ctx, func(ctx context.Context) error {
			openDatagrams(ctx, t, c, "udp", "127.0.0.1:0")
			task.Go(ctx, func(ctx context.Context) error {
				if err := await.Sleep(ctx, time.Second); err != nil {
					return err
				}
				return cause
			})
			return nil
		})
		if err != cause || !c.Lost() || !errors.Is(c.Err, cause) {
			t.Errorf("Scope %v, ConnectionLost(%v)", err, c.Err)
		}
	})
}
