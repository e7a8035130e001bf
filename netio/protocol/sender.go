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

// Send sends a datagram to p.Addr, or on a UNIX socket to p.Name, and never waits: what
// the kernel does not take at once is copied and sent later, in order. On a connected
// socket both may be empty, and are otherwise the peer, or the error is
// net.ErrWriteToConnected. After Close the error is net.ErrClosed. Both come in a
// [*net.OpError]. ErrorReceived gets the errors of sending.
func (t *DatagramTransport) Send(p netio.Packet) error {
	t.held("Send")
	if t.closing {
		return t.socket.OpError("write", &p, net.ErrClosed)
	}
	if err := t.socket.Check(&p); err != nil {
		return err
	}
	t.sender.push(p)
	if t.loop.Driver().InCallback() && len(t.sender.failed) == 0 {
		t.tell()
	} else {
		t.queue()
	}
	return nil
}

// WriteBufferSize returns how many bytes wait to be sent.
func (t *DatagramTransport) WriteBufferSize() int {
	t.held("WriteBufferSize")
	return t.sender.size
}

// A sender sends datagrams in order. It is part of a transport.
type sender struct {
	transport *DatagramTransport
	op        poll.Op
	packets   []netio.Packet // those of op, one at most
	waiting   []netio.Packet // to be sent, copies
	first     [1]netio.Packet
	buf       []byte // of the first one
	size      int    // bytes of waiting
	flying    bool   // op is in flight
	pausing   bool   // the timer is set
	timer     loop.Timer
	failed    []failure // that ErrorReceived has not got yet
}

// A failure is a datagram that could not be sent.
type failure struct {
	packet netio.Packet // without its data
	err    error
}

func (s *sender) init(t *DatagramTransport) {
	s.transport = t
	s.op = poll.Op{Kind: poll.Send, Handle: t.socket.Handle, Owner: s, Packets: &s.packets}
	s.timer.Target = s
}

// push sends a copy of p: now, if nothing waits, or later. Only what has to wait behind
// others costs an allocation.
func (s *sender) push(p netio.Packet) {
	if len(s.waiting) == 0 {
		s.buf = append(s.buf[:0], p.Data...)
		p.Data, s.waiting = s.buf, s.first[:0]
	} else {
		p.Data = bytes.Clone(p.Data)
	}
	s.waiting = append(s.waiting, p)
	s.size += len(p.Data)
	s.kick()
}

// kick sends what there is, unless something is in flight.
func (s *sender) kick() {
	for !s.flying && !s.pausing && len(s.waiting) > 0 {
		s.packets = append(s.packets[:0], s.waiting[0])
		if !s.transport.loop.Driver().Submit(&s.op) {
			s.flying = true
			return
		}
		s.took()
	}
}

// took takes the result of the operation.
func (s *sender) took() {
	t, err := s.transport, s.op.Err
	clear(s.packets)
	switch {
	case t.closed:
		return
	case err != nil && t.socket.Network() == "unixgram" && errors.Is(err, syscall.EAGAIN):
		s.pausing = true
		t.loop.Driver().StartTimer(&s.timer, saturate.Add(t.loop.Time(), retry))
		return
	case err != nil && !isPassing(err):
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
			t.shut()
		}
	}
}

// drop gives up what is not sent.
func (s *sender) drop() {
	s.waiting, s.size, s.pausing = nil, 0, false
	s.transport.loop.Driver().StopTimer(&s.timer)
}

// Complete goes on sending. It is the loop's to call.
func (s *sender) Complete(*poll.Op) {
	s.flying = false
	s.took()
	s.kick()
	s.transport.queue()
}

// Wake tries a full queue again. It is the loop's to call.
func (s *sender) Wake() {
	s.pausing = false
	s.kick()
	s.transport.queue()
}
