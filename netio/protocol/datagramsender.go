// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"errors"
	"net"
	"syscall"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/netio"
)

// Send sends a datagram to p.Addr, or on a UNIX socket to p.Name. It never waits. If the kernel
// does not accept the datagram at once, the transport sends a copy later, in order. On a connected
// socket, the address must be empty or the peer's; otherwise the error is net.ErrWriteToConnected.
// After Close the error is net.ErrClosed. Both come in a [*net.OpError]. Errors of sending go to
// ErrorReceived.
func (t *DatagramTransport) Send(p netio.Packet) error {
	t.checkHeld("Send")
	if t.closing {
		return t.socket.OpError("write", &p, net.ErrClosed)
	}
	if err := t.socket.Check(&p); err != nil {
		return err
	}
	t.sender.enqueue(p)
	if t.loop.Driver().InCallback() && len(t.sender.failed) == 0 {
		t.callDue()
	} else {
		t.queue()
	}
	return nil
}

// WriteBufferSize returns how many bytes wait to be sent.
func (t *DatagramTransport) WriteBufferSize() int {
	t.checkHeld("WriteBufferSize")
	return t.sender.size
}

// A datagramSender sends the datagrams of a transport in order.
type datagramSender struct {
	transport *DatagramTransport
	op        poll.Op
	packets   []netio.Packet // of op, at most one
	waiting   []netio.Packet // copies of the datagrams to send
	first     [1]netio.Packet
	buf       []byte // the data of the first one
	size      int    // bytes in waiting
	inFlight  bool   // op is in flight
	pausing   bool   // the queue of the socket was full; timer is set
	timer     loop.Timer
	failed    []failure // not yet passed to ErrorReceived
}

// A failure is a datagram that could not be sent.
type failure struct {
	packet netio.Packet // without its data
	err    error
}

func (s *datagramSender) init(t *DatagramTransport) {
	s.transport = t
	s.op = poll.Op{Kind: poll.Send, Handle: t.socket.Handle, Owner: s, Packets: &s.packets}
	s.timer.Target = s
}

// enqueue sends a copy of p, at once if nothing waits. Only a datagram that waits behind others
// costs an allocation.
func (s *datagramSender) enqueue(p netio.Packet) {
	if len(s.waiting) == 0 {
		s.buf = append(s.buf[:0], p.Data...)
		p.Data, s.waiting = s.buf, s.first[:0]
	} else {
		p.Data = bytes.Clone(p.Data)
	}
	s.waiting = append(s.waiting, p)
	s.size += len(p.Data)
	s.flush()
}

// flush sends what waits, unless a datagram is in flight.
func (s *datagramSender) flush() {
	for !s.inFlight && !s.pausing && len(s.waiting) > 0 {
		s.packets = append(s.packets[:0], s.waiting[0])
		if !s.transport.loop.Driver().Submit(&s.op) {
			s.inFlight = true
			return
		}
		s.takeResult()
	}
}

// takeResult takes the result of the operation.
func (s *datagramSender) takeResult() {
	t, err := s.transport, s.op.Err
	clear(s.packets)
	switch {
	case t.closed:
		return
	case err != nil && t.socket.Network() == "unixgram" && errors.Is(err, syscall.EAGAIN):
		s.pausing = true
		t.loop.Driver().StartTimer(&s.timer, saturate.Add(t.loop.Time(), retryDelay))
		return
	case err != nil && !isTransient(err):
		t.abort(t.socket.OpError("write", &s.waiting[0], err))
		return
	case err != nil:
		p := s.waiting[0]
		p.Data = nil
		s.failed = append(s.failed, failure{p, err})
		t.queue()
	}
	s.size -= len(s.waiting[0].Data)
	s.waiting[0] = netio.Packet{}
	if s.waiting = s.waiting[1:]; len(s.waiting) == 0 {
		s.waiting = nil
		if t.closing {
			t.closeHandle()
		}
	}
}

// drop drops what is not sent.
func (s *datagramSender) drop() {
	s.waiting, s.size, s.pausing = nil, 0, false
	s.transport.loop.Driver().StopTimer(&s.timer)
}

// Complete takes the result of the operation, and sends on. Only the loop may call it.
func (s *datagramSender) Complete(*poll.Op) {
	s.inFlight = false
	s.takeResult()
	s.flush()
	s.transport.queue()
}

// Wake tries again after a full queue. Only the loop may call it.
func (s *datagramSender) Wake() {
	s.pausing = false
	s.flush()
	s.transport.queue()
}
