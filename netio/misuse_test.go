// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// panics checks that fn panics with a text that contains messages.
func panics(t testing.TB, what string, fn func(), messages ...string) {
	t.Helper()
	defer func() {
		v, _ := recover().(string)
		for _, m := range messages {
			if !strings.Contains(v, m) {
				t.Errorf("%s: panic %q, want %q", what, v, m)
			}
		}
	}()
	fn()
}

// Misuse panics with a message that says what to do.
func TestMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		panics(t, "ReadUntil", func() { near.ReadUntil(ctx, nil) }, "use Read")
		panics(t, "Peek", func() { near.Peek(ctx, -1) }, "-1 bytes")
		no := context.Background()
		panics(t, "Read", func() { near.Read(no, nil) }, "netio: Stream.Read with a context that does not belong")
		panics(t, "Copy", func() { netio.Copy(no, near, near) }, "netio: Copy with a context that does not belong")
		panics(t, "Accept", func() { ln.Accept(no) }, "netio: Listener.Accept with a context that does not belong")
		panics(t, "LookupTXT", func() { netio.Resolver{}.LookupTXT(no, "x") }, "netio: Resolver.LookupTXT with a context that does not belong")
		panics(t, "LookupHost", func() { netio.Resolver{}.LookupHost(no, "x") }, "netio: Resolver.LookupHost with a context that does not belong")
		panics(t, "Dial", func() { netio.Dial(no, "tcp", "127.0.0.1:1") }, "netio: Dial with a context that does not belong")
		return outside(ctx, func() error {
			real(t, func(ctx context.Context) error {
				panics(t, "Read on another loop", func() { near.Read(ctx, nil) }, "use a Portal")
				panics(t, "Write on another loop", func() { near.Write(ctx, nil) }, "use a Portal")
				panics(t, "Accept on another loop", func() { ln.Accept(ctx) }, "use a Portal")
				panics(t, "NetConn on another loop", func() { near.NetConn(ctx) }, "use a Portal")
				return nil
			})
			return nil
		})
	})
}

// Calls of a zero Stream or Listener panic and say how to make one.
func TestMisuseOfZero(t *testing.T) {
	real(t, func(ctx context.Context) error {
		var s netio.Stream
		panics(t, "Read", func() { s.Read(ctx, nil) }, "uses a zero Stream; Dial and Listener.Accept make")
		panics(t, "Write", func() { s.Write(ctx, nil) }, "uses a zero Stream")
		panics(t, "NetConn", func() { s.NetConn(ctx) }, "uses a zero Stream")
		panics(t, "Buffered", func() { s.Buffered() }, "Stream.Buffered of a zero value; Dial and Listener.Accept make")
		panics(t, "Close", func() { s.Close() }, "Stream.Close of a zero value")
		panics(t, "Abort", func() { s.Abort() }, "Stream.Abort of a zero value")
		var ln netio.Listener
		panics(t, "Accept", func() { ln.Accept(ctx) }, "uses a zero Listener", "Listen makes a Listener")
		panics(t, "Close of a Listener", func() { ln.Close() }, "Listener.Close of a zero value")
		return nil
	})
}

// Serving without a handler panics. It opens no listener and does not take one over.
func TestServeNil(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		const address = "127.0.0.1:7000"
		var srv netio.Server
		panics(t, "Serve", func() { netio.Serve(ctx, "tcp", address, nil) }, "needs a handler")
		panics(t, "Server.Serve", func() { srv.Serve(ctx, "tcp", address, nil) }, "needs a handler")
		ln := must(netio.Listen(ctx, "tcp", address))(t)
		panics(t, "ServeListener", func() { srv.ServeListener(ctx, ln, nil) }, "needs a handler")
		want(t, "Close", ln.Close(), nil) // the caller still owns it
		want(t, "Shutdown", srv.Shutdown(ctx), nil)
	})
}

// While the loop runs, only the holder of the baton may make the calls without a ctx.
func TestMisuseWithoutBaton(t *testing.T) {
	var s *netio.Stream
	var ln *netio.Listener
	var srv netio.Server
	calls := map[string]func(){
		"Stream.Close":           func() { s.Close() },
		"Stream.Abort":           func() { s.Abort() },
		"Stream.CloseWrite":      func() { s.CloseWrite() },
		"Stream.Buffered":        func() { s.Buffered() },
		"Stream.SetLineLimit":    func() { s.SetLineLimit(1) },
		"Stream.SetReadTimeout":  func() { s.SetReadTimeout(time.Second) },
		"Stream.SetWriteTimeout": func() { s.SetWriteTimeout(time.Second) },
		"Stream.SetIdleTimeout":  func() { s.SetIdleTimeout(time.Second) },
		"Stream.SetNoDelay":      func() { s.SetNoDelay(false) },
		"Listener.Close":         func() { ln.Close() },
		"Server.Close":           func() { srv.Close() },
	}
	refused := func() {
		for name, call := range calls {
			panics(t, name, call, name+" of 127.0.0.1:", "does not hold the baton", "use a Portal")
		}
	}
	real(t, func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		s, ln = near, must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		serving := blocked(ctx, func(ctx context.Context) (int, error) {
			return 0, srv.ServeListener(ctx, ln, echo)
		})
		want(t, "outside", outside(ctx, func() error {
			refused()
			real(t, func(context.Context) error { refused(); return nil })
			return nil
		}), nil)

		write(ctx, t, far, "still open\n")
		if line, err := s.ReadLine(ctx); line != "still open" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		var done task.Future[struct{}]
		task.Loop(ctx).CallSoon(func() { // a callback holds the baton
			want(t, "Close", srv.Close(), nil)
			s.SetReadTimeout(time.Second)
			done.Set(struct{}{})
		})
		must(done.Await(ctx))(t)
		_, err := serving.Await(ctx)
		return err
	})
	for _, call := range calls {
		call() // allowed, because the loop has stopped
	}
}

func TestNetConnMisuse(t *testing.T) {
	near := func(ctx context.Context) net.Conn {
		s, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		far.Close()
		return s.NetConn(ctx)
	}
	real(t, func(ctx context.Context) error {
		conn := near(ctx)
		defer conn.Close()
		var done task.Future[struct{}]
		task.Loop(ctx).CallSoon(func() {
			panics(t, "Read in a callback", func() { conn.Read(nil) }, "start a task")
			done.Set(struct{}{})
		})
		_, err := done.Await(ctx)
		want(t, "Await", err, nil)
		return outside(ctx, func() error {
			real(t, func(context.Context) error {
				panics(t, "Read on another loop", func() { conn.Read(nil) }, "Portal")
				return nil
			})
			return nil
		})
	})
}
