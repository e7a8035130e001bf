// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// The end of a server and the disconnect of its last client may come in one turn, in either
// order. The end may also come when the handler has returned but the server does not know it
// yet. The server ends at once and does not wait for a connection that is already gone.
func TestCloseOrDisconnect(t *testing.T) {
	orders := map[string]func(disconnect, end func(), returned *task.Future[bool]){
		"end first":        func(disconnect, end func(), _ *task.Future[bool]) { end(); disconnect() },
		"disconnect first": func(disconnect, end func(), _ *task.Future[bool]) { disconnect(); end() },
		"end in between": func(disconnect, end func(), returned *task.Future[bool]) {
			returned.AddDoneCallback(func(*task.Future[bool]) { end() })
			disconnect()
		},
	}
	ends := map[string]func(s *site) error{
		"Server.Close":   func(s *site) error { return s.srv.Close() },
		"Listener.Close": func(s *site) error { return s.ln.Close() },
	}
	for order, play := range orders {
		for name, end := range ends {
			for most := range 2 { // with 1 the server waits for a free slot, with 0 for a connection
				t.Run(fmt.Sprintf("%s, %s, %d", order, name, most), func(t *testing.T) {
					for range 20 { // schedules
						sim.Test(t, func(ctx context.Context, t *testing.T) {
							var returned task.Future[bool]
							s := serve(ctx, t, &netio.Server{MaxConns: most}, func(ctx context.Context, s *netio.Stream) error {
								defer returned.Set(true)
								return hello(ctx, s)
							})
							c := s.greeted(ctx, t)
							start := task.Now(ctx)
							play(
								func() { want(t, "the client's Close", c.Close(), nil) },
								func() { want(t, name, end(s), nil) },
								&returned)
							want(t, "ServeListener", s.end(ctx), nil)
							want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
							if took := task.Now(ctx).Sub(start); took != 0 || len(s.errs) > 0 {
								t.Errorf("the end took %v, reported: %v", took, s.errs)
							}
						})
					}
				})
			}
		}
	}
}

// hello is a handler that says hello and ends when its client does.
func hello(ctx context.Context, s *netio.Stream) error {
	if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
		return err
	}
	_, err := s.ReadLine(ctx)
	return err
}

// A Close and more bytes may come in one turn. A call that collects bytes fails with
// net.ErrClosed, whichever comes first, even if it has collected some.
func TestCloseOrData(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, s *netio.Stream) (int, error){
		"ReadLine": func(ctx context.Context, s *netio.Stream) (int, error) {
			line, err := s.ReadLine(ctx)
			return len(line), err
		},
		"ReadUntil": func(ctx context.Context, s *netio.Stream) (int, error) {
			data, err := s.ReadUntil(ctx, []byte("end"))
			return len(data), err
		},
		"Peek": func(ctx context.Context, s *netio.Stream) (int, error) {
			data, err := s.Peek(ctx, 20)
			return len(data), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // schedules
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
					defer far.Close()
					write(ctx, t, far, "beginning")
					must(near.Peek(ctx, len("beginning")))(t)
					reader := blocked(ctx, func(ctx context.Context) (int, error) { return call(ctx, near) })
					write(ctx, t, far, ", more")
					want(t, "Yield", task.Yield(ctx), nil)
					want(t, "Close", near.Close(), nil)
					n, err := reader.Await(ctx)
					want(t, name, err, net.ErrClosed)
					if n != 0 {
						t.Errorf("%s returned %d bytes from a closed stream", name, n)
					}
				})
			}
		})
	}
}

// A Close and the end of the stream may come in one turn. The Read that waits returns an error
// for either. The next Read returns net.ErrClosed.
func TestCloseOrEnd(t *testing.T) {
	for range 20 { // schedules
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
			defer far.Close()
			read := func(ctx context.Context) (int, error) { return near.Read(ctx, make([]byte, 1)) }
			reader := blocked(ctx, read)
			want(t, "CloseWrite", far.CloseWrite(), nil)
			want(t, "Yield", task.Yield(ctx), nil)
			want(t, "Close", near.Close(), nil)
			if _, err := reader.Await(ctx); err != io.EOF {
				want(t, "Read", err, net.ErrClosed)
			}
			_, err := read(ctx)
			want(t, "Read after Close", err, net.ErrClosed)
		})
	}
}
