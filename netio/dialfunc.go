// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"crypto/tls"
	"net"

	"baton/task"
)

// DialFunc returns a function that dials for a library, such as http.Transport.DialContext
// or a database driver. Any goroutine may call the function, and any task of ctx's loop,
// with its own ctx as for Dial. The ctx of a call limits only the dial.
//
// The function returns connections as [Stream.NetConn] does. ctx is their lifetime: when
// ctx ends, which is with its task at the latest, the loop closes the connections, and the
// function fails.
func (d Dialer) DialFunc(ctx context.Context) func(ctx context.Context, network, address string) (net.Conn, error) {
	return (&dialFunc{lifetime: newLifetime(ctx), Dialer: d}).dial
}

// DialTLSFunc is DialFunc with [Dialer.DialTLS], for http.Transport.DialTLSContext. The
// net.Conns have a method ConnectionState, but are not *tls.Conn: package net/http speaks
// HTTP/1.1 over them.
func (d Dialer) DialTLSFunc(ctx context.Context, config *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	return (&dialFunc{newLifetime(ctx), d, config}).dial
}

// A dialFunc makes net.Conns that own their streams.
type dialFunc struct {
	lifetime
	Dialer
	tls *tls.Config // nil without TLS
}

// dial dials on the running task. For a goroutine outside the loop, a task under the
// lifetime's ctx dials.
func (f *dialFunc) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	if f.life().Err() != nil {
		return nil, f.failed(network, address, f.cause())
	}
	if f.task.Loop().Held() {
		return f.open(ctx, network, address)
	}
	if ctx.Err() != nil {
		return nil, f.failed(network, address, ctx.Err())
	}
	err = net.ErrClosed // if the dial panics
	began := f.forGoroutine(ctx.Done(), func(ctx context.Context) { conn, err = f.open(ctx, network, address) })
	if _, canceled := err.(*task.Canceled); canceled || !began {
		if err = ctx.Err(); err == nil {
			err = f.cause()
		}
		return nil, f.failed(network, address, err)
	}
	return conn, err
}

// open dials on the running task, to which ctx belongs. The end of the lifetime closes the
// stream, even if it came during the dial.
func (f *dialFunc) open(ctx context.Context, network, address string) (net.Conn, error) {
	var s *Stream
	var err error
	if f.tls != nil {
		s, err = f.DialTLS(ctx, network, address, f.tls)
	} else {
		s, err = f.Dial(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	return f.owned(s), nil
}

// failed wraps an error that does not come from the network.
func (f *dialFunc) failed(network, address string, err error) error {
	return f.opError(target{network: network, text: address}, nil, err)
}
