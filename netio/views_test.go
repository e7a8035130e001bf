// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"weak"

	"baton/netio"
	"baton/task"
)

// A view may live much longer than its stream. The end of the stream, whoever brings
// it, leaves nothing behind in the ctx of the view.
func TestViewsEnd(t *testing.T) {
	const rounds = 50
	for name, end := range map[string]func(s *netio.Stream, other net.Conn) error{
		"Close":                 func(s *netio.Stream, _ net.Conn) error { return s.Close() },
		"Abort":                 func(s *netio.Stream, _ net.Conn) error { return s.Abort() },
		"Close of another view": func(_ *netio.Stream, other net.Conn) error { return other.Close() },
		"end of the session":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				var kept []weak.Pointer[netio.Stream]
				use := func(s *netio.Stream) net.Conn {
					conn := s.NetConn(ctx)
					kept = append(kept, weak.Make(s))
					want(t, "Write", outside(ctx, func() error { _, err := conn.Write([]byte("x")); return err }), nil)
					return conn
				}
				if end == nil {
					served(ctx, t, w, rounds, use)
				} else {
					for range rounds {
						near, far := w.pair(ctx, t, netio.StreamConfig{})
						conn := use(near)
						want(t, "end", end(near, near.NetConn(ctx)), nil)
						for _, c := range []net.Conn{conn, near.NetConn(ctx)} {
							write := func() error { _, err := c.Write([]byte("x")); return err }
							want(t, "Write afterwards", write(), net.ErrClosed)
							want(t, "Write afterwards, outside", outside(ctx, write), net.ErrClosed)
						}
						far.Close()
					}
				}
				// A stack or a table may still name the last ones.
				if n := alive(kept); n > rounds/5 {
					t.Errorf("%d of %d streams are kept", n, rounds)
				}
			})
		})
	}
}

// served has n streams used that belong to sessions of a server, one after the other.
func served(ctx context.Context, t *testing.T, w world, n int, use func(*netio.Stream) net.Conn) {
	ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
	var session task.Future[*netio.Stream]
	var leave task.Future[struct{}]
	var srv netio.Server
	task.Go(ctx, func(ctx context.Context) error {
		return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
			session.Set(s)
			_, err := leave.Await(ctx)
			return err
		})
	})
	for range n {
		far := must(netio.Dial(ctx, w.network, ln.Addr().String()))(t)
		use(must(session.Await(ctx))(t))
		leave.Set(struct{}{})
		must(io.ReadAll(far.NetConn(ctx)))(t)
		session, leave = task.Future[*netio.Stream]{}, task.Future[struct{}]{}
		far.Close()
	}
	want(t, "Close", srv.Close(), nil)
}

// alive counts those that the collector leaves, after some rounds at most.
func alive(kept []weak.Pointer[netio.Stream]) (n int) {
	for range 10 {
		runtime.GC()
		n = 0
		for _, p := range kept {
			if p.Value() != nil {
				n++
			}
		}
		if n == 0 {
			break
		}
	}
	return n
}
