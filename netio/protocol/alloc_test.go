// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"testing"

	"baton/loop/poll"
	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// A plainEcho is a Protocol that sends back what it receives.
type plainEcho struct{ transport *protocol.Transport }

func (e *plainEcho) ConnectionMade(t *protocol.Transport) { e.transport = t }
func (e *plainEcho) ConnectionLost(error)                 {}
func (e *plainEcho) DataReceived(data []byte)             { e.transport.Write(data) }

// A bufferedEcho is a BufferedProtocol that sends back what it receives.
type bufferedEcho struct {
	transport *protocol.Transport
	buf       [256]byte
}

func (e *bufferedEcho) ConnectionMade(t *protocol.Transport) { e.transport = t }
func (e *bufferedEcho) ConnectionLost(error)                 {}
func (e *bufferedEcho) GetBuffer(int) []byte                 { return e.buf[:] }
func (e *bufferedEcho) BufferUpdated(n int)                  { e.transport.Write(e.buf[:n]) }

// A message costs no allocation, for a Protocol and for a BufferedProtocol.
func TestEchoDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	for _, p := range []protocol.Base{&plainEcho{}, &bufferedEcho{}} {
		eachWorld(t, func(ctx context.Context, t *testing.T) {
			if !task.Loop(ctx).Poller().Caps().Has(poll.Provided) {
				return // package net allocates here
			}
			s, _ := pair(ctx, t, protocol.Config{}, p)
			message := []byte("a message of some bytes")
			buf := make([]byte, len(message))
			exchange := func() {
				_, err := s.Write(ctx, message)
				must(t, err)
				_, err = s.ReadFull(ctx, buf)
				must(t, err)
			}
			for range 10 {
				exchange() // the first exchange allocates the buffers
			}
			if n := testing.AllocsPerRun(500, exchange); n != 0 {
				t.Errorf("%T: %v allocations for each message", p, n)
			}
			must(t, s.Close())
		})
	}
}

// A datagram that the kernel accepts at once costs no allocation.
func TestSendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	err := task.Run(t.Context(), func(ctx context.Context) error {
		if !task.Loop(ctx).Poller().Caps().Has(poll.Provided) {
			return nil // package net allocates here
		}
		tr, err := protocol.ListenPacket(ctx, "udp", "127.0.0.1:0", func() protocol.DatagramProtocol { return &stubborn{} })
		must(t, err)
		p := netio.Packet{Addr: at(tr), Data: []byte("a datagram")}
		if n := testing.AllocsPerRun(500, func() { must(t, tr.Send(p)) }); n != 0 {
			t.Errorf("%v allocations for each datagram", n)
		}
		tr.Abort()
		return nil
	})
	must(t, err)
}
