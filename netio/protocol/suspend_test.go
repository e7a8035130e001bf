// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// Drain in a Receive returns when another task has detached the connection.
func TestDetachEndsDrain(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		var drained error
		c.OnReceive = func(ctx context.Context, _ []byte) error {
			crowd(ctx, t, c.Transport)
			c.Transport.SetWriteBufferLimits(-1, 0)
			drained = c.Transport.Drain(ctx)
			return nil
		}
		s, tr := pair(ctx, t, protocol.Config{}, c.Task())
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilData(ctx, 1))
		until(ctx, t, tr.WritePaused)
		turns(ctx, t, 5) // Drain waits again before Detach waits
		reading := goTask(ctx, func(ctx context.Context) error {
			for {
				if _, err := s.Read(ctx, make([]byte, 64<<10)); err != nil {
					return nil
				}
			}
		})
		d, err := tr.Detach(ctx)
		must(t, err)
		must(t, d.Close())
		must(t, c.UntilLost(ctx))
		wantErr(t, "Drain", drained, protocol.ErrDetached)
		must(t, reading(ctx))
	})
}

// A panic in a callback of the tls.Config ends the transport, which then does not read later bytes
// as plaintext.
func TestPanicInTheHandshakeEndsTheTransport(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		server, client := certificate(t)
		client.VerifyConnection = func(tls.ConnectionState) error { panic(errBoom) }
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		shaking := goTask(ctx, func(ctx context.Context) error { return s.AcceptTLS(ctx, server) })
		func() {
			defer func() {
				if v := recover(); v != errBoom {
					t.Errorf("panic %v", v)
				}
			}()
			tr.StartTLS(ctx, client)
		}()
		if !tr.IsClosing() {
			t.Error("the transport is usable")
		}
		must(t, c.UntilLost(ctx))
		if _, ok := c.Err.(*task.PanicError); !ok && !errors.Is(c.Err, net.ErrClosed) {
			t.Errorf("ConnectionLost: %v", c.Err)
		}
		if len(c.Data) > 0 {
			t.Errorf("the protocol received %d bytes", len(c.Data))
		}
		if shaking(ctx) == nil {
			t.Error("the peer has completed the handshake")
		}
	})
}

// Invalid limits panic before a connection is taken, which would be lost.
func TestInvalidLimitsPanicBeforeTheConnectionIsTaken(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		near, far := streams(ctx, t)
		d, err := near.Detach(ctx)
		must(t, err)
		config := protocol.Config{HighWater: 1, LowWater: 2}
		misused(t, "Attach", func() { config.Attach(ctx, d, (&protocoltest.Checker{T: t}).Plain()) })
		must(t, d.Close()) // d was not used
		must(t, far.Close())
		factory := func() protocol.Base { t.Error("factory is called"); return nil }
		misused(t, "CreateServer", func() { config.CreateServer(ctx, "tcp", "127.0.0.1:0", factory) })
		misused(t, "Connect", func() { config.Connect(ctx, "tcp", "127.0.0.1:9", factory) })
		packets := protocol.DatagramConfig{HighWater: 1, LowWater: 2}
		misused(t, "ListenPacket", func() {
			packets.Listen(ctx, "udp", "127.0.0.1:0", func() protocol.DatagramProtocol { t.Error("factory is called"); return nil })
		})
	})
}

func misused(t *testing.T, what string, fn func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	fn()
}

// The loop goes on if ErrorReceived always sends again.
func TestErrorReceivedMaySendAgain(t *testing.T) {
	err := task.Run(t.Context(), func(ctx context.Context) error {
		p := &stubborn{}
		_, err := protocol.ListenPacket(ctx, "udp", "127.0.0.1:0", func() protocol.DatagramProtocol { return p })
		must(t, err)
		inCallback(ctx, t, p.send)
		until(ctx, t, func() bool { return p.errors >= 10 })
		if p.errors > 100 {
			t.Errorf("%d calls of ErrorReceived while a task waited for 10", p.errors)
		}
		p.transport.Abort()
		return nil
	})
	must(t, err)
}

// A stubborn sends a datagram that is too long again after each error.
type stubborn struct {
	transport *protocol.DatagramTransport
	errors    int
}

func (p *stubborn) send() {
	if p.errors > 1000 {
		panic("the loop does not go on")
	}
	to := p.transport.LocalAddr().(*net.UDPAddr).AddrPort()
	p.transport.Send(netio.Packet{Addr: to, Data: make([]byte, 70_000)})
}

func (p *stubborn) ConnectionMade(t *protocol.DatagramTransport) { p.transport = t }
func (p *stubborn) DatagramReceived(netio.Packet)                {}
func (p *stubborn) ConnectionLost(error)                         {}

func (p *stubborn) ErrorReceived(error) {
	p.errors++
	p.send()
}
