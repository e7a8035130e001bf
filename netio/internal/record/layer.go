// SPDX-License-Identifier: Apache-2.0

// Package record is crypto/tls without waiting. A [Layer] turns records into bytes and
// bytes into records; its [Wire] moves the records.
//
// A tls.Conn holds its locks while the net.Conn below it waits, and another task that
// waited for those locks would stop the loop. So the net.Conn below it never waits
// after the handshake: its Read returns [ErrNone] when there are no records, which
// tls.Conn passes on without losing what it has of a record, and its Write only hands
// the records on.
package record

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// ErrNone says that there are no records yet. Package crypto/tls makes an error of
// reading permanent unless it is a temporary net.Error.
var ErrNone net.Error = none{}

type none struct{}

func (none) Error() string   { return "netio: no record yet" }
func (none) Timeout() bool   { return false }
func (none) Temporary() bool { return true }

// A Wire moves the records of a Layer. It belongs to one connection.
type Wire interface {
	// ReadRecords reads what has come. It returns ErrNone if that is nothing, and waits
	// only during a handshake. Every other error is the last one, and is returned again.
	ReadRecords(p []byte) (int, error)

	// WriteRecords sends p, or keeps a copy of it.
	WriteRecords(p []byte)

	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

// A Layer is the TLS of a connection. It may stand on another one: TLS inside TLS. It
// belongs to the holder of the baton.
type Layer struct {
	conn  *tls.Conn
	wire  Wire   // of the lowest layer
	lower *Layer // or nil
	ahead []byte // records that were read, and are not yet conn's
	plain []byte // bytes that come before those of conn
	end   error  // what ended the records
	sent  bool   // the close_notify alert is on the way

	state *tls.ConnectionState // nil before the end of the handshake; never changes
}

// A Side is tls.Client or tls.Server.
type Side = func(net.Conn, *tls.Config) *tls.Conn

// New makes the lowest layer of a connection.
func New(wire Wire, side Side, config *tls.Config) *Layer {
	l := &Layer{wire: wire}
	l.conn = side((*below)(l), config)
	return l
}

// Above makes a layer that runs inside of l. Ahead are bytes that were read from l
// already; the new layer keeps them.
func (l *Layer) Above(ahead []byte, side Side, config *tls.Config) *Layer {
	upper := &Layer{lower: l, ahead: ahead}
	upper.conn = side((*below)(upper), config)
	return upper
}

// SetWire has another Wire move the records from now on.
func (l *Layer) SetWire(wire Wire) { l.lowest().wire = wire }

func (l *Layer) lowest() *Layer {
	for l.lower != nil {
		l = l.lower
	}
	return l
}

// Keep gives the lowest layer records that were read and not yet asked for. They come
// before those of the Wire.
func (l *Layer) Keep(records []byte) {
	l = l.lowest()
	l.ahead = append(l.ahead, records...)
}

// Unread has Read return p before what is still to come. The layer keeps p.
func (l *Layer) Unread(p []byte) { l.plain = append(p, l.plain...) }

// Handshake performs the handshake. It waits where ReadRecords does.
func (l *Layer) Handshake(ctx context.Context) error {
	// With a ctx that can end, conn would close itself on another goroutine.
	err := l.conn.HandshakeContext(context.WithoutCancel(ctx))
	if err == nil {
		state := l.conn.ConnectionState()
		l.state = &state
	}
	return err
}

// State describes the connection. It is nil before the end of the handshake.
func (l *Layer) State() *tls.ConnectionState { return l.state }

// Read reads bytes into p. It returns ErrNone if there is no complete record.
func (l *Layer) Read(p []byte) (int, error) {
	if len(l.plain) > 0 {
		n := copy(p, l.plain)
		l.plain = l.plain[n:]
		return n, nil
	}
	n, err := l.conn.Read(p)
	if n > 0 {
		return n, nil // an error beside bytes comes again
	}
	return 0, err
}

// End is what ended the records, or nil. A Read that returns io.EOF before that has
// seen a close_notify alert.
func (l *Layer) End() error { return l.end }

// Write makes records of p and has them sent.
func (l *Layer) Write(p []byte) (int, error) { return l.conn.Write(p) }

// CloseWrite sends the close_notify alert, once. Nothing can be written after it.
func (l *Layer) CloseWrite() {
	if l.state != nil && !l.sent {
		l.sent = true
		_ = l.conn.CloseWrite() // nothing below it fails
	}
}

// Close sends the alert of this layer and of those below.
func (l *Layer) Close() {
	for ; l != nil; l = l.lower {
		l.CloseWrite()
	}
}

// WriteClosed reports whether CloseWrite was called after the handshake.
func (l *Layer) WriteClosed() bool { return l.sent }

// below is a Layer as the net.Conn below its conn.
type below Layer

func (b *below) Read(p []byte) (int, error) {
	switch {
	case len(b.ahead) > 0:
		n := copy(p, b.ahead)
		if b.ahead = b.ahead[n:]; len(b.ahead) == 0 {
			b.ahead = nil
		}
		return n, nil
	case b.end != nil:
		return 0, b.end
	}
	var n int
	var err error
	if b.lower != nil {
		n, err = b.lower.Read(p)
	} else {
		n, err = b.wire.ReadRecords(p)
	}
	if err != nil && err != ErrNone {
		b.end = err
	}
	return n, err
}

func (b *below) Write(p []byte) (int, error) {
	if b.lower != nil {
		return b.lower.Write(p)
	}
	b.wire.WriteRecords(p)
	return len(p), nil
}

func (b *below) LocalAddr() net.Addr  { return (*Layer)(b).lowest().wire.LocalAddr() }
func (b *below) RemoteAddr() net.Addr { return (*Layer)(b).lowest().wire.RemoteAddr() }

// Close and the deadlines do nothing: the owner of the connection has its own.
func (b *below) Close() error                     { return nil }
func (b *below) SetDeadline(time.Time) error      { return nil }
func (b *below) SetReadDeadline(time.Time) error  { return nil }
func (b *below) SetWriteDeadline(time.Time) error { return nil }
