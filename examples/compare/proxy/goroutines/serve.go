// SPDX-License-Identifier: Apache-2.0

// Package goroutines is the proxy with the standard library.
package goroutines

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"baton/examples/compare/proxy"
)

// Serve serves the backends at address. After a cancel of ctx it returns nil, or a
// *proxy.CutError if it had to cut connections off. It returns an error if it cannot listen or
// accept.
func Serve(ctx context.Context, address string, backends []string, cfg proxy.Config) error {
	cfg = cfg.Defaults()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	p := newPool(backends, cfg)
	cfg.Ready(ln.Addr(), p.stats)

	open, shut := context.WithCancel(ctx)
	defer shut()
	context.AfterFunc(open, func() { ln.Close() })
	uncut, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var checks, conns sync.WaitGroup
	for _, b := range p.backends {
		checks.Go(func() { p.check(open, b) })
	}
	for {
		var conn net.Conn
		if conn, err = ln.Accept(); err != nil {
			break
		}
		conns.Go(func() { p.serve(open, uncut, conn.(*net.TCPConn)) })
	}
	shut()
	checks.Wait()

	over := make(chan struct{})
	go func() {
		conns.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(cfg.Grace):
		left := p.taken()
		cut()
		<-over
		return &proxy.CutError{Conns: left}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serve serves a connection. When open ends, serve returns unless the connection has a backend.
// When uncut ends, serve always returns.
func (p *pool) serve(open, uncut context.Context, client *net.TCPConn) {
	defer client.Close()
	server, b := p.connect(open)
	if server == nil {
		return
	}
	defer p.release(b)
	defer server.Close()

	cut := sync.OnceFunc(func() { // a reset shows that data may be missing
		reset(client)
		reset(server)
	})
	defer context.AfterFunc(uncut, cut)()
	idle := time.AfterFunc(p.cfg.IdleTimeout, cut)
	defer idle.Stop()
	half := func(dst, src *net.TCPConn) {
		if forward(dst, src, func() { idle.Reset(p.cfg.IdleTimeout) }) != nil {
			cut()
		}
	}
	var other sync.WaitGroup
	other.Go(func() { half(server, client) })
	half(client, server)
	other.Wait()
}

// forward sends on what src sends, and the end of it. It calls moved after bytes have moved.
func forward(dst, src *net.TCPConn, moved func()) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			moved()
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
			moved()
		}
		if err == io.EOF {
			return dst.CloseWrite()
		}
		if err != nil {
			return err
		}
	}
}

func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// connect connects to a backend. It returns nil if it could not, or if ctx has ended.
func (p *pool) connect(ctx context.Context) (*net.TCPConn, *backend) {
	pause := p.cfg.Backoff
	for attempt := range p.cfg.Attempts {
		if attempt > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil, nil
			}
			pause *= 2
		}
		b := p.acquire(ctx)
		if b == nil {
			return nil, nil
		}
		server, err := p.dial(ctx, b)
		if err == nil {
			p.accepted(b)
			return server.(*net.TCPConn), b
		}
		p.release(b)
	}
	p.gaveUp()
	return nil, nil
}

func (p *pool) dial(ctx context.Context, b *backend) (net.Conn, error) {
	dialer := net.Dialer{Timeout: p.cfg.DialTimeout}
	return dialer.DialContext(ctx, "tcp", b.address)
}

// check checks the health of a backend until ctx ends.
func (p *pool) check(ctx context.Context, b *backend) {
	ticker := time.NewTicker(p.cfg.HealthInterval)
	defer ticker.Stop()
	for {
		conn, err := p.dial(ctx, b)
		if err == nil {
			conn.Close()
		}
		p.checked(b, err == nil)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
