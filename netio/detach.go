// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"io"
	"net"
	"slices"

	"baton/loop"
	"baton/loop/poll"
	"baton/netio/internal/record"
	"baton/task"
)

// A Detached is a connection without its stream or transport. [Stream.Detach] and package
// protocol return one. Make another stream or transport of it, or close it, once. It
// belongs to the loop.
type Detached struct {
	Loop   *loop.Loop
	Handle poll.Handle
	Ahead  []byte        // read and not used yet; decrypted if there is TLS
	TLS    *record.Layer // nil without TLS; for this package and package protocol only
}

// Detach takes the connection out of the stream. It closes the stream, and not the
// connection. Bytes that were read ahead move to the result.
//
// Detach first sends what TLS has not sent yet, and reads the rest of a line that was too
// long. It uses both directions of the stream: during a call that reads or writes it
// returns a [*BusyError]. If reading has failed with an error other than io.EOF, Detach
// returns that error, because the kernel reports it only once.
//
// After an error the stream is unchanged, except that a ReadAhead has ended.
func (s *Stream) Detach(ctx context.Context) (*Detached, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.begin(&s.in, r); err != nil {
		return nil, err
	}
	defer s.in.release()
	if err := s.begin(&s.out, r); err != nil {
		return nil, err
	}
	defer s.out.release()
	if s.closed {
		return nil, s.opError("detach", net.ErrClosed)
	}
	if err := s.skipLine(ctx); err != nil {
		return nil, err
	}
	if err := s.cancelEarly(ctx); err != nil {
		return nil, err
	}
	if err := s.in.failed; err != nil && err != io.EOF {
		return nil, err
	}
	d := &Detached{Loop: s.loop, Handle: s.handle}
	if t := s.tls; t != nil {
		if err := t.out.drain(ctx); err != nil {
			return nil, err
		}
		t.layer.Keep(slices.Clone(t.raw.bytes()))
		t.raw.drop(t.raw.len())
		d.TLS = t.layer
	}
	d.Ahead = slices.Clone(s.ahead.bytes())
	s.ahead.drop(s.ahead.len())
	s.closed, s.handle = true, detachedHandle{s.handle}
	s.in.failed, s.out.failed = s.opError("read", net.ErrClosed), s.opError("write", net.ErrClosed)
	return d, nil
}

// A detachedHandle is the handle of a stream after Detach. Its methods fail as if it were
// closed.
type detachedHandle struct{ poll.Handle }

func (detachedHandle) CloseWrite() error           { return net.ErrClosed }
func (detachedHandle) SetNoDelay(bool) error       { return net.ErrClosed }
func (detachedHandle) Control(func(uintptr)) error { return net.ErrClosed }

// Stream returns a stream of the connection.
func (d *Detached) Stream(c StreamConfig) *Stream {
	s := newStream(d.Loop, d.take("Detached.Stream"), c)
	if d.TLS != nil {
		s.tls = &streamTLS{stream: s, layer: d.TLS, raw: s.ahead}
		s.ahead = buffer{provided: true, lender: &buffers}
		s.tls.out = newPump(s)
		d.TLS.SetWire(s.tls)
	}
	if len(d.Ahead) > 0 {
		s.ahead.data, s.ahead.end = d.Ahead, len(d.Ahead)
	}
	return s
}

// Close closes the connection.
func (d *Detached) Close() error { return d.take("Detached.Close").Close() }

// Take returns the handle, once. It is for packages that read and write the handle
// themselves.
func (d *Detached) Take() poll.Handle { return d.take("Detached.Take") }

func (d *Detached) take(call string) poll.Handle {
	h := d.Handle
	if h == nil {
		misuse("%s of a connection that was already taken; take or close a Detached once", call)
	}
	mustHold(d.Loop, call, d)
	d.Handle = nil
	return h
}

// String returns both addresses. A pipe has only one name.
func (d *Detached) String() string {
	switch {
	case d.Handle == nil:
		return "a connection that was already taken"
	case d.Handle.LocalAddr() == d.Handle.RemoteAddr():
		return name(d.Handle.LocalAddr())
	}
	return name(d.Handle.LocalAddr()) + "->" + name(d.Handle.RemoteAddr())
}
