// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A host is a server that a test plays by hand.
type host struct {
	t       *testing.T
	ln      *netio.Listener
	address string
}

func newHost(ctx context.Context, t *testing.T) *host {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &host{t, ln, ln.Addr().String()}
}

// open makes the pool open a connection, and returns both ends of it.
func (h *host) open(ctx context.Context, p *pool) (client *connection, server *netio.Stream) {
	h.t.Helper()
	opened := p.opened
	client, err := p.get(ctx, target{h.address, false})
	if err != nil {
		h.t.Fatal(err)
	}
	if p.opened != opened+1 {
		h.t.Fatalf("the pool reused %v, want a new connection", client)
	}
	server, err = h.ln.Accept(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return client, server
}

// reuse makes the pool return want, without opening anything.
func (h *host) reuse(ctx context.Context, p *pool, want *connection) {
	h.t.Helper()
	opened := p.opened
	got, err := p.get(ctx, target{h.address, false})
	if err != nil {
		h.t.Fatal(err)
	}
	if got != want || p.opened != opened {
		h.t.Errorf("the pool returned %v, want %v", got, want)
	}
}

func newPool(perHost, total int) *pool {
	return &pool{PerHost: perHost, Total: total, Log: func(string, ...any) {}}
}

// closed reports whether the peer of a server's stream has closed it.
func closed(ctx context.Context, server *netio.Stream) bool {
	_, err := server.Read(ctx, make([]byte, 1))
	return err != nil
}

func TestPoolReuse(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		h, other, p := newHost(ctx, t), newHost(ctx, t), newPool(9, 9)
		defer h.ln.Close()
		defer other.ln.Close()
		first, server := h.open(ctx, p)
		defer server.Close()
		second, server := h.open(ctx, p)
		defer server.Close()
		p.put(first)
		p.put(second)
		third, server := other.open(ctx, p) // not that of another address
		defer server.Close()
		p.put(third)
		if p.last(target{h.address, true}) >= 0 {
			t.Error("the pool takes a connection without TLS for one with it")
		}
		h.reuse(ctx, p, second)
		h.reuse(ctx, p, first)
		p.put(first)
		p.put(second)
		if p.close(); len(p.idle) != 0 || !closed(ctx, server) {
			t.Error("the pool is closed and its connections are not")
		}
	})
}

func TestPoolStale(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		h, p := newHost(ctx, t), newPool(9, 9)
		defer h.ln.Close()
		defer p.close()
		good, server1 := h.open(ctx, p)
		defer server1.Close()
		gone, server2 := h.open(ctx, p)
		loud, server3 := h.open(ctx, p)
		defer server3.Close()
		p.put(good)
		p.put(gone)
		p.put(loud)
		server2.Close()
		if _, err := server3.Write(ctx, []byte("HTTP/1.1 408 Request Timeout\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		h.reuse(ctx, p, good)
		if len(p.idle) != 0 {
			t.Errorf("%d connections in the pool, want the stale ones dropped", len(p.idle))
		}
		if !closed(ctx, server3) {
			t.Error("the connection that was spoken on unasked is still open")
		}
		p.put(good)
		server1.Close()
		fresh, server4 := h.open(ctx, p)
		defer server4.Close()
		fresh.Close()
	})
}

// TestPoolCancel: a page that is cancelled, before or while it looks for a
// connection, leaves them all in the pool.
func TestPoolCancel(t *testing.T) {
	for _, yields := range []int{0, 1} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			h, p := newHost(ctx, t), newPool(9, 9)
			defer h.ln.Close()
			defer p.close()
			first, server := h.open(ctx, p)
			defer server.Close()
			second, server := h.open(ctx, p)
			defer server.Close()
			p.put(first)
			p.put(second)
			search := task.Start(ctx, func(ctx context.Context) (*connection, error) { return p.get(ctx, target{h.address, false}) })
			for range yields {
				if err := task.Yield(ctx); err != nil {
					t.Fatal(err)
				}
			}
			search.Cancel(nil)
			if c, err := search.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("get = %v, %v, want canceled", c, err)
			}
			if len(p.idle) != 2 {
				t.Errorf("%d connections in the pool after a cancel, want 2", len(p.idle))
			}
			h.reuse(ctx, p, second)
			h.reuse(ctx, p, first)
			first.Close()
			second.Close()
		})
	}
}

func TestPoolLimits(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		a, b, p := newHost(ctx, t), newHost(ctx, t), newPool(2, 3)
		defer a.ln.Close()
		defer b.ln.Close()
		var clients []*connection
		var servers []*netio.Stream
		for _, h := range []*host{a, a, b, b, a} {
			client, server := h.open(ctx, p)
			defer server.Close()
			clients, servers = append(clients, client), append(servers, server)
		}
		for i, want := range []int{1, 2, 3, 3, 3} {
			p.put(clients[i])
			if len(p.idle) != want {
				t.Errorf("%d idle connections after %d, want %d", len(p.idle), i+1, want)
			}
		}
		// The fourth was one too many altogether, so the first went; the fifth
		// likewise, though not one too many for its host.
		for i := range 2 {
			if !closed(ctx, servers[i]) {
				t.Errorf("connection %d is still open", i)
			}
		}
		a.reuse(ctx, p, clients[4])
		b.reuse(ctx, p, clients[3])
		p.put(clients[3])
		p.put(clients[4])
		p.close()

		narrow := newPool(1, 9)
		defer narrow.close()
		first, server := a.open(ctx, narrow)
		defer server.Close()
		second, server2 := a.open(ctx, narrow)
		defer server2.Close()
		narrow.put(first)
		narrow.put(second)
		if len(narrow.idle) != 1 || !closed(ctx, server) {
			t.Errorf("%d idle connections to one host, want 1", len(narrow.idle))
		}
	})
}

// TestPoolClose: a connection that the server wants closed is, at once, and does
// not come into the pool.
func TestPoolClose(t *testing.T) {
	for header, idle := range map[string]int{"Connection: close": 0, "Connection: keep-alive": 1} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			h := newHost(ctx, t)
			defer h.ln.Close()
			c := newCrawler(defaults())
			defer c.pool.close()
			task.Go(ctx, func(ctx context.Context) error {
				server, err := h.ln.Accept(ctx)
				if err != nil {
					return err
				}
				defer server.Close()
				_, err = server.Write(ctx, []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"+header+"\r\n\r\n"))
				if err != nil {
					return err
				}
				_, err = server.ReadUntil(ctx, []byte("\r\n\r\n"))
				if err != nil {
					return err
				}
				if idle == 0 && !closed(ctx, server) {
					t.Error("the client speaks on")
				}
				return nil
			})
			u := &url.URL{Scheme: "http", Host: h.address, Path: "/"}
			if _, err := c.get(ctx, &page{URL: u, Tries: 1}); err != nil {
				t.Fatal(err)
			}
			if len(c.pool.idle) != idle {
				t.Errorf("%s: %d connections in the pool, want %d", header, len(c.pool.idle), idle)
			}
		})
	}
}

// TestPoolRetry: a page whose first try has failed gets a new connection.
func TestPoolRetry(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		h, c := newHost(ctx, t), newCrawler(defaults())
		defer h.ln.Close()
		defer c.pool.close()
		idle, server := h.open(ctx, c.pool)
		defer server.Close()
		c.pool.put(idle)
		task.Go(ctx, func(ctx context.Context) error {
			fresh, err := h.ln.Accept(ctx)
			if err != nil {
				return err
			}
			defer fresh.Close()
			_, err = fresh.Write(ctx, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
			return err
		})
		u := &url.URL{Scheme: "http", Host: h.address, Path: "/"}
		if res, err := c.get(ctx, &page{URL: u, Tries: 2}); err != nil || res.Status != 204 {
			t.Errorf("get = %v, %v, want 204", res, err)
		}
		if c.pool.opened != 2 || c.pool.reused != 0 {
			t.Errorf("%d connections opened and %d reused, want 2 and 0", c.pool.opened, c.pool.reused)
		}
	})
}
