// SPDX-License-Identifier: Apache-2.0

// Package tasks is the proxy with Baton.
package tasks

import (
	"context"
	"errors"

	"baton/await"
	"baton/examples/compare/proxy"
	"baton/netio"
	"baton/task"
)

// Serve serves the backends at address. After a cancel of ctx it returns nil, or a
// *proxy.CutError if it had to cut connections off. It returns an error if it cannot listen or
// accept.
func Serve(ctx context.Context, address string, backends []string, cfg proxy.Config) error {
	cfg = cfg.Defaults()
	stream := netio.StreamConfig{IdleTimeout: cfg.IdleTimeout}
	ln, err := netio.ListenConfig{Stream: stream}.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	p := newPool(backends, cfg)
	p.dialer = netio.Dialer{Timeout: cfg.DialTimeout, Stream: stream}
	cfg.Ready(ln.Addr(), p.stats)
	err = task.Scope(ctx, func(ctx context.Context) error {
		for _, b := range p.backends {
			task.Go(ctx, func(ctx context.Context) error { return p.check(ctx, b) })
		}
		return (&netio.Server{Grace: cfg.Grace}).ServeListener(ctx, ln, p.serve)
	})
	if left, ok := errors.AsType[*netio.LeftError](err); ok {
		return &proxy.CutError{Conns: left.Conns}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serve serves a connection.
func (p *pool) serve(ctx context.Context, client *netio.Stream) error {
	server, b := p.connect(ctx)
	if server == nil {
		return nil
	}
	defer p.release(b)
	defer server.Close()
	err := task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return forward(ctx, server, client) })
		return forward(ctx, client, server)
	})
	if err != nil { // a reset shows that data may be missing
		client.Abort()
		server.Abort()
	}
	return nil
}

// forward sends on what src sends, and the end of it.
func forward(ctx context.Context, dst, src *netio.Stream) error {
	if _, err := netio.Copy(ctx, dst, src); err != nil {
		return err
	}
	return dst.CloseWrite()
}

// connect connects to a backend. It returns nil if it could not, or if the server ends.
func (p *pool) connect(ctx context.Context) (*netio.Stream, *backend) {
	ctx, release := netio.UntilShutdown(ctx)
	defer release()
	pause := p.cfg.Backoff
	for attempt := range p.cfg.Attempts {
		if attempt > 0 {
			if err := await.Sleep(ctx, pause); err != nil {
				return nil, nil
			}
			pause *= 2
		}
		b := p.acquire(ctx)
		if b == nil {
			return nil, nil
		}
		server, err := p.dialer.Dial(ctx, "tcp", b.address)
		if err == nil {
			b.served++
			return server, b
		}
		p.release(b)
	}
	p.failed++
	return nil, nil
}

// check checks the health of a backend.
func (p *pool) check(ctx context.Context, b *backend) error {
	ticker := await.NewTicker(ctx, p.cfg.HealthInterval)
	for {
		s, err := p.dialer.Dial(ctx, "tcp", b.address)
		if err == nil {
			s.Close()
		}
		p.checked(b, err == nil)
		if _, err := ticker.Next(ctx); err != nil {
			return err
		}
	}
}
