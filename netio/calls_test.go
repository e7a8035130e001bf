// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// Under a cancelled context, every call that may switch returns the *task.Canceled and has no
// effect.
func TestCanceledBefore(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		must(netio.Dial(ctx, "tcp", "10.0.0.1:80"))(t).Close()
		write(ctx, t, far, "x\n")
		calls := map[string]func(ctx context.Context) error{
			"Read":         func(ctx context.Context) error { _, err := near.Read(ctx, make([]byte, 1)); return err },
			"ReadFull":     func(ctx context.Context) error { _, err := near.ReadFull(ctx, make([]byte, 1)); return err },
			"ReadLine":     func(ctx context.Context) error { _, err := near.ReadLine(ctx); return err },
			"ReadUntil":    func(ctx context.Context) error { _, err := near.ReadUntil(ctx, []byte("x")); return err },
			"Peek":         func(ctx context.Context) error { _, err := near.Peek(ctx, 1); return err },
			"ReadAll":      func(ctx context.Context) error { _, err := near.ReadAll(ctx, 1); return err },
			"Copy":         func(ctx context.Context) error { _, err := netio.Copy(ctx, near, near); return err },
			"Write":        func(ctx context.Context) error { _, err := near.Write(ctx, []byte("y")); return err },
			"WriteBuffers": func(ctx context.Context) error { _, err := near.WriteBuffers(ctx, []byte("y")); return err },
			"Accept":       func(ctx context.Context) error { _, err := ln.Accept(ctx); return err },
			"Dial":         func(ctx context.Context) error { _, err := netio.Dial(ctx, "tcp", "10.0.0.1:80"); return err },
			"Listen":       func(ctx context.Context) error { _, err := netio.Listen(ctx, "tcp", ":0"); return err },
			"Serve":        func(ctx context.Context) error { return netio.Serve(ctx, "tcp", ":0", echo) },
			"Shutdown":     func(ctx context.Context) error { return new(netio.Server).Shutdown(ctx) },
			"NetConn.Read": func(ctx context.Context) error { _, err := near.NetConn(ctx).Read(make([]byte, 1)); return err },
		}
		for name, call := range calls {
			canceled := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, call(ctx) })
			canceled.Cancel(nil)
			_, err := canceled.Await(ctx)
			if _, bare := err.(*task.Canceled); !bare {
				t.Errorf("%s: %v, want the bare *task.Canceled", name, err)
			}
		}
		if line, err := near.ReadLine(ctx); line != "x" || err != nil {
			t.Errorf("ReadLine = %q, %v: a cancelled call has read", line, err)
		}
		want(t, "CloseWrite", near.CloseWrite(), nil)
		if got := must(io.ReadAll(far.NetConn(ctx)))(t); len(got) > 0 {
			t.Errorf("%q was written", got)
		}
		must(ln.Accept(ctx))(t).Close() // the connection was not lost
	})
}

// While one task reads, every other reading call returns ErrBusy, and likewise for writing. On a
// closed stream every call returns net.ErrClosed, even before the blocked tasks have returned.
func TestBusyCalls(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		reader := blocked(ctx, near.ReadLine)
		writer := fill(ctx, near)
		calls := map[string]func() error{
			"Read":          func() error { _, err := near.Read(ctx, make([]byte, 1)); return err },
			"ReadFull":      func() error { _, err := near.ReadFull(ctx, make([]byte, 1)); return err },
			"ReadLine":      func() error { _, err := near.ReadLine(ctx); return err },
			"ReadUntil":     func() error { _, err := near.ReadUntil(ctx, []byte("x")); return err },
			"Peek":          func() error { _, err := near.Peek(ctx, 1); return err },
			"ReadAll":       func() error { _, err := near.ReadAll(ctx, 1); return err },
			"Copy":          func() error { _, err := netio.Copy(ctx, far, near); return err },
			"Write":         func() error { _, err := near.Write(ctx, []byte("y")); return err },
			"WriteBuffers":  func() error { _, err := near.WriteBuffers(ctx, []byte("y")); return err },
			"NetConn.Read":  func() error { _, err := near.NetConn(ctx).Read(make([]byte, 1)); return err },
			"NetConn.Write": func() error { _, err := near.NetConn(ctx).Write(make([]byte, 1)); return err },
			"outside": func() error {
				conn := near.NetConn(ctx)
				return outside(ctx, func() error { _, err := conn.Read(make([]byte, 1)); return err })
			},
		}
		for name, call := range calls {
			err := call()
			want(t, name, err, netio.ErrBusy)
			if err != nil && !strings.Contains(err.Error(), "ReadLine") && !strings.Contains(err.Error(), "fill") {
				t.Errorf("%s: %v does not name the call that uses the stream", name, err)
			}
		}
		want(t, "Close", near.Close(), nil)
		calls["CloseWrite"] = near.CloseWrite
		delete(calls, "outside") // because it waits, and the blocked tasks would return meanwhile
		for name, call := range calls {
			want(t, name+" after Close", call(), net.ErrClosed)
		}
		reader.Await(ctx)
		writer.Await(ctx)
	})
}

// A closed stream returns net.ErrClosed even if its deadline has passed, as in package net.
func TestLateAfterClose(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		conn := near.NetConn(ctx)
		want(t, "SetDeadline", conn.SetDeadline(task.Now(ctx).Add(-time.Second)), nil)
		_, err := near.Read(ctx, make([]byte, 1))
		want(t, "Read", err, os.ErrDeadlineExceeded)
		want(t, "Close", near.Close(), nil)
		_, err = near.Read(ctx, make([]byte, 1))
		want(t, "Read after Close", err, net.ErrClosed)
		_, err = near.Write(ctx, []byte("x"))
		want(t, "Write after Close", err, net.ErrClosed)
	})
}

// A parked task reports what it waits for.
func TestReasons(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{MaxConns: 1}, linger(time.Hour))
		client := s.greeted(ctx, t)
		defer client.Close()
		reader := blocked(ctx, client.ReadLine)
		near, far := world{"virtual", "unix"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		writer := fill(ctx, near)
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		acceptor := blocked(ctx, ln.Accept)
		shutdown := blocked(ctx, func(ctx context.Context) (int, error) { return 0, s.srv.Shutdown(ctx) })
		for s.serving.State() != task.Parked { // Shutdown has woken it
			want(t, "Yield", task.Yield(ctx), nil)
		}
		for _, c := range []struct {
			ref    *task.Ref
			reason string
			on     int
		}{
			{&reader.Ref, "bytes from " + s.ln.Addr().String(), 0},
			{&writer.Ref, "space to write to /virtual/socket", 0},
			{&acceptor.Ref, "a connection to 10.0.0.1:80", 0},
			{&shutdown.Ref, "the end of its connections, 1 left", 1},
			{&s.serving.Ref, "the end of its connections, 1 left", 1},
		} {
			if w, _ := c.ref.Waiting(); w.Reason != c.reason || len(w.On) != c.on {
				t.Errorf("%v waits for %q, on %q; want %q, on %d", c.ref, w.Reason, w.On, c.reason, c.on)
			}
		}
		want(t, "Close", s.srv.Close(), nil)
		want(t, "Close", errors.Join(ln.Close(), near.Close()), nil)
		reader.Await(ctx)
		writer.Await(ctx)
		acceptor.Await(ctx)
	})
}

// Buffered, String and CloseWrite work, and SetDeadline fails on a closed stream.
func TestSmallCalls(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{Nagle: true})
		defer far.Close()
		want(t, "SetNoDelay", near.SetNoDelay(true), nil)
		write(ctx, t, far, "abc")
		must(near.Peek(ctx, 3))(t)
		if near.Buffered() != 3 || far.Buffered() != 0 {
			t.Errorf("Buffered = %d and %d, want 3 and 0", near.Buffered(), far.Buffered())
		}
		if s := near.String(); !strings.HasSuffix(s, "->"+near.RemoteAddr().String()) {
			t.Errorf("String = %q", s)
		}
		conn := near.NetConn(ctx).(interface{ CloseWrite() error })
		want(t, "CloseWrite", conn.CloseWrite(), nil)
		_, err := far.Read(ctx, make([]byte, 1))
		want(t, "Read", err, io.EOF)
		want(t, "Close", near.Close(), nil)
		err = near.NetConn(ctx).SetDeadline(time.Time{})
		want(t, "SetDeadline", err, net.ErrClosed)
		if _, bare := err.(*net.OpError); !bare {
			t.Errorf("SetDeadline returned a %T, want a *net.OpError as in package net", err)
		}
	})
}

// An address without a host means this machine.
func TestNoHost(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, network, ":80"))(t)
			defer ln.Close()
			must(netio.Dial(ctx, network, ":80"))(t).Close()
			must(ln.Accept(ctx))(t).Close()
		})
	}
}

// Accept returns a waiting connection at once, whichever of the listener's addresses has it.
func TestAcceptWaiting(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
		defer ln.Close()
		for _, addr := range []string{"[fd00::1]:80", "[fd00::1]:80", "10.0.0.1:80", "[fd00::1]:80"} {
			must(netio.Dial(ctx, "tcp", addr))(t).Close()
			must(ln.Accept(ctx))(t).Close()
		}
	})
}

// If two attempts of one Dial connect at the same time, Dial returns one and closes the other.
func TestLoserConnects(t *testing.T) {
	var log []string
	cfg := hosts([]string{"10.0.0.1", "10.0.0.2"}, map[string]fate{
		"10.0.0.1": {delay: 260 * time.Millisecond}, "10.0.0.2": {delay: 10 * time.Millisecond},
	}, &log)
	cfg.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
		s := must(netio.Dial(ctx, "tcp", "host:80"))(t)
		defer s.Close()
		var open, ended []string
		for range 2 {
			far := must(ln.Accept(ctx))(t)
			far.SetReadTimeout(time.Second)
			if _, err := far.Read(ctx, make([]byte, 1)); err == io.EOF {
				ended = append(ended, far.LocalAddr().String())
			} else {
				open = append(open, far.LocalAddr().String())
			}
			far.Close()
		}
		if !slices.Equal(open, []string{s.RemoteAddr().String()}) || len(ended) != 1 {
			t.Errorf("open %q, closed %q; want one each, open %v", open, ended, s.RemoteAddr())
		}
		ln.Close()
	})
}

// Cancelling Serve's ctx ends a server wherever it waits: for a free slot, for handlers after
// Close, or for a connection.
func TestServeCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		full := serve(ctx, t, &netio.Server{MaxConns: 1, Grace: -1}, linger(time.Hour))
		defer full.greeted(ctx, t).Close()
		closing := serve(ctx, t, &netio.Server{Grace: time.Second}, linger(time.Hour))
		defer closing.greeted(ctx, t).Close()
		want(t, "Close", closing.ln.Close(), nil)
		idle := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, netio.Serve(ctx, "tcp", "10.0.0.1:80", echo)
		})
		want(t, "sleep", sleep(ctx, time.Second), nil)
		for _, s := range []*task.Ref{&full.serving.Ref, &closing.serving.Ref, &idle.Ref} {
			s.Cancel(nil)
		}
		want(t, "a full server", full.end(ctx), context.Canceled)
		want(t, "a server whose listener is closed", closing.end(ctx), context.Canceled)
		_, err := idle.Await(ctx)
		want(t, "an idle server", err, context.Canceled)
	})
}
