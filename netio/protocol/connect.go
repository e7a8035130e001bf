// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"crypto/tls"
	"time"

	"baton/netio"
	"baton/task"
)

// A Config holds the options of Connect, CreateServer and Attach. The zero value is the default.
type Config struct {
	// Connect uses Dialer, and CreateServer uses Listen. Of their options for streams, only those
	// for TLS, Nagle and keep-alive have an effect.
	Dialer netio.Dialer
	Listen netio.ListenConfig

	// TLS, if not nil, encrypts the connections. The handshake comes before ConnectionMade. See
	// [netio.Stream.StartTLS].
	TLS *tls.Config

	// HighWater and LowWater are the arguments of SetWriteBufferLimits.
	HighWater, LowWater int

	// CloseTimeout limits how long a transport goes on sending after Close. The default is 30 s; a
	// negative value means no limit.
	CloseTimeout time.Duration

	// OnError receives the errors of a server that have no caller: those of accepting and of
	// handshakes. It must not switch. Nil means the loop's exception handler.
	OnError func(err error)
}

// Connect connects to an address and makes a protocol for the connection. It calls
// Config{}.Connect.
func Connect(ctx context.Context, network, address string, factory Factory) (*Transport, error) {
	return Config{}.Connect(ctx, network, address, factory)
}

// Connect connects to an address, like [netio.Dialer], performs the TLS handshake if c.TLS is not
// nil, and calls factory. It returns after ConnectionMade. The transport belongs to the scope of
// ctx; the rest of ctx, such as a deadline, affects only Connect. If dialing fails, Connect
// returns the error of Dial or DialTLS, and does not call factory. Connect passes on a panic in
// factory, and returns a panic in ConnectionMade as its error.
//
// In PEP 3156 it is create_connection.
func (c Config) Connect(ctx context.Context, network, address string, factory Factory) (*Transport, error) {
	limits(c.HighWater, c.LowWater) // panics on misuse before there is a connection
	s, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if s != nil { // factory has panicked, or Detach was cancelled
			_ = s.Abort()
		}
	}()
	p := factory()
	modeOf(p) // panics on misuse before the stream is detached
	d, err := s.Detach(ctx)
	if err != nil {
		return nil, err
	}
	s = nil
	return newTransport(&c, &settings{c.CloseTimeout, c.Dialer.Stream.TLS}, d, p, groupOf(ctx)).begin(ctx)
}

func (c Config) dial(ctx context.Context, network, address string) (*netio.Stream, error) {
	if c.TLS != nil {
		return c.Dialer.DialTLS(ctx, network, address, c.TLS)
	}
	return c.Dialer.Dial(ctx, network, address)
}

// begin starts the transport, and waits for ConnectionMade. If it returns an error, t ends.
func (t *Transport) begin(ctx context.Context) (*Transport, error) {
	t.queue()
	for !t.made {
		if err := t.wait(ctx); err != nil {
			t.abort(err)
			return nil, err
		}
	}
	if p, ok := t.waiters.made.(*task.PanicError); ok {
		return nil, p
	}
	return t, nil
}

// Attach makes a transport for a connection that was detached from a stream or from another
// transport. It calls Config{}.Attach.
func Attach(ctx context.Context, d *netio.Detached, p Base) (*Transport, error) {
	return Config{}.Attach(ctx, d, p)
}

// Attach makes a transport for a connection that was detached from a stream or from another
// transport. The protocol receives the bytes that were read ahead. Attach returns after
// ConnectionMade. The transport belongs to the scope of ctx. Attach uses only HighWater, LowWater,
// CloseTimeout and Dialer.Stream.TLS of c.
func (c Config) Attach(ctx context.Context, d *netio.Detached, p Base) (*Transport, error) {
	modeOf(p)
	limits(c.HighWater, c.LowWater)
	if l := task.Loop(ctx); l != d.Loop {
		misuse("a task of %v attaches a connection of %v; use a Portal between loops", l, d.Loop)
	}
	return newTransport(&c, &settings{c.CloseTimeout, c.Dialer.Stream.TLS}, d, p, groupOf(ctx)).begin(ctx)
}
