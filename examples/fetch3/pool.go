// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"time"

	"baton/netio"
)

// A pool keeps one idle connection for each target.
type pool struct {
	tls  *tls.Config // for targets with TLS
	idle map[target]*netio.Stream
}

// A target is a host and port, with TLS or without.
type target struct {
	address string
	tls     bool
}

// get returns a connection to a target, from the pool or a new one.
func (p *pool) get(ctx context.Context, to target) (*netio.Stream, error) {
	say("* Connecting to", to.address)
	if s := p.idle[to]; s != nil {
		delete(p.idle, to)
		if usable(ctx, s) {
			say("* Reusing pooled connection", s)
			return s, nil
		}
		s.Close()
	}
	s, err := p.dial(ctx, to)
	if err != nil {
		return nil, err
	}
	say("* New connection", s)
	return s, nil
}

func (p *pool) dial(ctx context.Context, to target) (*netio.Stream, error) {
	if to.tls {
		return netio.DialTLS(ctx, "tcp", to.address, p.tls)
	}
	return netio.Dial(ctx, "tcp", to.address)
}

// put returns a connection to the pool. The pool closes the connection that it had for the
// target.
func (p *pool) put(to target, s *netio.Stream) {
	if old := p.idle[to]; old != nil {
		old.Close()
	}
	p.idle[to] = s
}

// close closes all connections of the pool.
func (p *pool) close() {
	for _, s := range p.idle {
		s.Close()
	}
}

// usable reports whether an idle connection is open, and no data has arrived on it: reading
// times out. The server may still close the connection later.
func usable(ctx context.Context, s *netio.Stream) bool {
	s.SetReadTimeout(time.Nanosecond)
	defer s.SetReadTimeout(0)
	_, err := s.Peek(ctx, 1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}
