// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"crypto/tls"
	"time"

	"baton/netio"
	"baton/task"
)

// A Config holds the choices of Connect, CreateServer and Attach. The zero value is the
// default.
type Config struct {
	// Dialer is for Connect, and Listen for CreateServer. Of the choices for streams in
	// them those of TLS, Nagle and keep-alive count.
	Dialer netio.Dialer
	Listen netio.ListenConfig

	// TLS, unless nil, has the connections shake hands before ConnectionMade. See
	// [netio.Stream.StartTLS].
	TLS *tls.Config

	// HighWater and LowWater are those of SetWriteBufferLimits.
	HighWater, LowWater int

	// CloseTimeout bounds how long Close goes on sending what was written. Default 30 s;
	// negative is none.
	CloseTimeout time.Duration

	// OnError is called with errors of a server that have no caller to go to: of
	// accepting, and of handshakes. It must not switch. Nil means the loop's exception
	// handler.
	OnError func(err error)
}

// Connect connects to an address and makes a protocol for the connection. It is
// Config{}.Connect.
func Connect(ctx context.Context, network, address string, factory Factory) (*Transport, error) {
	return Config{}.Connect(ctx, network, address, factory)
}

// Connect connects to an address as [netio.Dialer] does, shakes hands if there is TLS,
// and calls factory. ConnectionMade has returned when Connect returns. The transport
// belongs to the scope of ctx; the rest of ctx, such as a deadline, counts for Connect
// only. Errors are those of Dial and DialTLS; no protocol was made then. A panic in
// factory passes through. A panic in ConnectionMade is the error.
//
// PEP 3156's create_connection.
func (c Config) Connect(ctx context.Context, network, address string, factory Factory) (*Transport, error) {
	limits(c.HighWater, c.LowWater) // misuse panics before there is a connection
	s, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if s != nil { // factory has panicked, or a cancel has come
			_ = s.Abort()
		}
	}()
	p := factory()
	modeOf(p) // before the stream is given up
	d, err := s.Detach(ctx)
	if err != nil {
		return nil, err
	}
	s = nil
	return newTransport(&c, &choices{c.CloseTimeout, c.Dialer.Stream.TLS}, d, p, groupOf(ctx)).begin(ctx)
}

func (c Config) dial(ctx context.Context, network, address string) (*netio.Stream, error) {
	if c.TLS != nil {
		return c.Dialer.DialTLS(ctx, network, address, c.TLS)
	}
	return c.Dialer.Dial(ctx, network, address)
}

// begin has ConnectionMade called, and waits for that. It returns t, or an error, with
// which t ends.
func (t *Transport) begin(ctx context.Context) (*Transport, error) {
	t.queue()
	for !t.made {
		if err := t.wait(ctx); err != nil {
			t.abort(err)
			return nil, err
		}
	}
	if p, ok := t.news.made.(*task.PanicError); ok {
		return nil, p
	}
	return t, nil
}

// Attach makes a transport of a connection that was detached from a stream or from
// another transport. It is Config{}.Attach.
func Attach(ctx context.Context, d *netio.Detached, p Base) (*Transport, error) {
	return Config{}.Attach(ctx, d, p)
}

// Attach makes a transport of a connection that was detached from a stream or from
// another transport, with the bytes that were read ahead. ConnectionMade has returned
// when Attach returns. The transport belongs to the scope of ctx. Of c only HighWater,
// LowWater, CloseTimeout and Dialer.Stream.TLS count.
func (c Config) Attach(ctx context.Context, d *netio.Detached, p Base) (*Transport, error) {
	modeOf(p)
	limits(c.HighWater, c.LowWater)
	if l := task.Loop(ctx); l != d.Loop {
		misuse("a task of %v attaches a connection of %v; use a Portal between loops", l, d.Loop)
	}
	return newTransport(&c, &choices{c.CloseTimeout, c.Dialer.Stream.TLS}, d, p, groupOf(ctx)).begin(ctx)
}
