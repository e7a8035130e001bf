// SPDX-License-Identifier: Apache-2.0

// Package record runs crypto/tls without waiting. A [Layer] turns records into bytes and
// bytes into records; its [Wire] moves the records.
//
// A tls.Conn holds its locks while the net.Conn below it waits. Another task that waited
// for these locks would stop the loop. So after the handshake the net.Conn below it never
// waits. Its Read returns [ErrNone] if there are no records; tls.Conn passes ErrNone on,
// and keeps an incomplete record. Its Write only passes the records on.
package record

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// ErrNone means that there are no records yet. It is a temporary net.Error, because package
// crypto/tls makes any other error of reading permanent.
var ErrNone net.Error = none{}

type none struct{}

func (none) Error() string   { return "netio: no record yet" }
func (none) Timeout() bool   { return false }
func (none) Temporary() bool { return true }

// A Wire moves the records of a Layer. It belongs to one connection.
type Wire interface {
	// ReadRecords reads the records that have arrived. If there are none, it returns
	// ErrNone; it waits only during a handshake. Every other error is permanent, and later
	// calls return it again.
	ReadRecords(p []byte) (int, error)

	// WriteRecords sends p, or keeps a copy of it.
	WriteRecords(p []byte)

	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

// A Layer is the TLS of a connection. It may run on another Layer: TLS inside TLS. Only the
// holder of the baton may use it.
type Layer struct {
	conn  *tls.Conn
	wire  Wire   // of the lowest layer
	lower *Layer // or nil
	ahead []byte // records that conn has not read yet
	plain []byte // bytes that come before those of conn
	end   error  // what ended the records
	sent  bool   // the close_notify alert was passed to the Wire

	state *tls.ConnectionState // nil before the end of the handshake; never changes then
}

// A Side is tls.Client or tls.Server.
type Side = func(net.Conn, *tls.Config) *tls.Conn

// New returns the lowest layer of a connection.
func New(wire Wire, side Side, config *tls.Config) *Layer {
	l := &Layer{wire: wire}
	l.conn = side((*below)(l), config)
	return l
}

// Above returns a layer that runs inside l. ahead holds bytes that were already read from
// l; the new layer keeps them.
func (l *Layer) Above(ahead []byte, side Side, config *tls.Config) *Layer {
	upper := &Layer{lower: l, ahead: ahead}
	upper.conn = side((*below)(upper), config)
	return upper
}

// SetWire sets the Wire that moves the records from now on.
func (l *Layer) SetWire(wire Wire) { l.lowest().wire = wire }

func (l *Layer) lowest() *Layer {
	for l.lower != nil {
		l = l.lower
	}
	return l
}

// Keep gives records to the lowest layer, which reads them before those of the Wire.
func (l *Layer) Keep(records []byte) {
	l = l.lowest()
	l.ahead = append(l.ahead, records...)
}

// Unread makes Read return p before all other bytes. The layer keeps p.
func (l *Layer) Unread(p []byte) { l.plain = append(p, l.plain...) }

// Handshake does the handshake. It waits where ReadRecords does.
func (l *Layer) Handshake(ctx context.Context) error {
	// If ctx could end, conn would close itself on another goroutine.
	err := l.conn.HandshakeContext(context.WithoutCancel(ctx))
	if err == nil {
		state := l.conn.ConnectionState()
		l.state = &state
	}
	return err
}

// State returns the state of the connection, or nil before the end of the handshake.
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
		return n, nil // the next Read returns the error again
	}
	return 0, err
}

// End returns what ended the records, or nil. If Read returns io.EOF while End is nil, the
// peer has sent a close_notify alert.
func (l *Layer) End() error { return l.end }

// Write encrypts p and writes the records.
func (l *Layer) Write(p []byte) (int, error) { return l.conn.Write(p) }

// CloseWrite sends the close_notify alert, once. Nothing can be written after it.
func (l *Layer) CloseWrite() {
	if l.state != nil && !l.sent {
		l.sent = true
		_ = l.conn.CloseWrite() // the writes below never fail
	}
}

// Close sends the alert of this layer and of the layers below.
func (l *Layer) Close() {
	for ; l != nil; l = l.lower {
		l.CloseWrite()
	}
}

// WriteClosed reports whether the close_notify alert was sent.
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
