// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func port(ln *netio.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// A listener of several addresses uses one port for all and accepts on each.
func TestListenAll(t *testing.T) {
	cfg := sim.Config{Network: virtual.Config{Hosts: map[string][]netip.Addr{
		"host": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.2")},
		"twice": {
			netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("127.0.0.1"),
			netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("fd00::1"),
		},
	}}}
	for _, c := range []struct {
		network, address string
		hosts            []string
	}{
		{"tcp", "host:0", []string{"10.0.0.1", "fd00::1", "10.0.0.2"}},
		{"tcp4", "host:0", []string{"10.0.0.1", "10.0.0.2"}},
		{"tcp6", "host:80", []string{"fd00::1"}},
		{"tcp", ":0", []string{"0.0.0.0", "::"}},
		{"tcp4", ":0", []string{"0.0.0.0"}},
		{"tcp6", ":0", []string{"::"}},
		{"tcp", "localhost:0", []string{"127.0.0.1", "::1"}},
		{"tcp", "twice:0", []string{"127.0.0.1", "fd00::1"}},
		{"tcp", "twice:80", []string{"127.0.0.1", "fd00::1"}},
	} {
		cfg.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, c.network, c.address))(t)
			defer ln.Close()
			var got []string
			for _, addr := range ln.Addrs() {
				host, p, _ := net.SplitHostPort(addr.String())
				if got = append(got, host); p != port(ln) {
					t.Errorf("%s: ports %s and %s, want the same", c.address, port(ln), p)
				}
			}
			if !slices.Equal(got, c.hosts) {
				t.Errorf("Listen(%s, %s) listens on %q, want %q", c.network, c.address, got, c.hosts)
			}
			for range 2 {
				for _, addr := range ln.Addrs() {
					accepted := blocked(ctx, ln.Accept)
					near := must(netio.Dial(ctx, "tcp", addr.String()))(t)
					far := must(accepted.Await(ctx))(t)
					if far.RemoteAddr().String() != near.LocalAddr().String() {
						t.Errorf("accepted a connection from %v, dialed from %v", far.RemoteAddr(), near.LocalAddr())
					}
					near.Close()
					far.Close()
				}
			}
		})
	}
}

// Connections that arrive at several addresses at once are all accepted. A cancelled Accept in
// between loses none.
func TestAcceptOrCancel(t *testing.T) {
	for range 20 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
			defer ln.Close()
			first := blocked(ctx, ln.Accept)
			for _, addr := range []string{"10.0.0.1:80", "[fd00::1]:80", "10.0.0.2:80"} {
				task.Go(ctx, func(ctx context.Context) error {
					s, err := netio.Dial(ctx, "tcp", addr)
					if err != nil {
						return err
					}
					return s.Close()
				})
			}
			task.Go(ctx, func(ctx context.Context) error { first.Cancel(nil); return nil })
			n := 0
			if s, err := first.Await(ctx); err == nil {
				n++
				s.Close()
			}
			for n < 3 {
				must(ln.Accept(ctx))(t).Close()
				n++
			}
			last := blocked(ctx, ln.Accept)
			last.Cancel(nil)
			_, err := last.Await(ctx)
			want(t, "Accept", err, context.Canceled)
		})
	}
}

func TestAcceptBusyAndClosed(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		addr := ln.Addr().String()
		first := blocked(ctx, ln.Accept)
		_, err := ln.Accept(ctx)
		want(t, "a second Accept", err, netio.ErrBusy)
		want(t, "Close", ln.Close(), nil)
		_, err = first.Await(ctx)
		want(t, "the first Accept", err, net.ErrClosed)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "accept" || op.Net != w.network {
			t.Errorf("Accept returned %#v, want a *net.OpError", err)
		}
		_, err = ln.Accept(ctx)
		want(t, "a later Accept", err, net.ErrClosed)
		want(t, "a second Close", ln.Close(), net.ErrClosed)
		if _, err := netio.Dial(ctx, w.network, addr); err == nil {
			t.Error("Dial succeeded after Close")
		}
	})
}

// Close removes the file of a UNIX socket, but no file that another program has made. Listen
// replaces a stale file.
func TestUnixFile(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "unix" || w.poller == "virtual" {
			return
		}
		exists := func(path string) bool {
			_, err := os.Lstat(path)
			return err == nil
		}
		listen := func(path string, c netio.ListenConfig) *netio.Listener {
			t.Helper()
			return must(c.Listen(ctx, "unix", path))(t)
		}

		path := socketPath(t)
		ln := listen(path, netio.ListenConfig{})
		_, err := netio.Listen(ctx, "unix", path)
		want(t, "Listen on a served path", err, syscall.EADDRINUSE)
		must(netio.Dial(ctx, "unix", path))(t).Close() // the path is still served
		must(ln.Accept(ctx))(t).Close()
		want(t, "Close", ln.Close(), nil)
		if exists(path) {
			t.Error("Close did not remove the file")
		}

		want(t, "Close", listen(path, netio.ListenConfig{KeepFile: true}).Close(), nil)
		if !exists(path) {
			t.Error("Close removed the file despite KeepFile")
		}
		ln = listen(path, netio.ListenConfig{}) // replaces the stale file
		want(t, "Remove", os.Remove(path), nil)
		want(t, "WriteFile", os.WriteFile(path, []byte("precious"), 0o600), nil)
		want(t, "Close", ln.Close(), nil)
		if !exists(path) {
			t.Error("Close removed a file that the listener did not make")
		}
		_, err = netio.Listen(ctx, "unix", path)
		want(t, "Listen on a regular file", err, syscall.EADDRINUSE)
		if content, _ := os.ReadFile(path); string(content) != "precious" {
			t.Error("Listen changed the regular file")
		}

		want(t, "Remove", os.Remove(path), nil)
		ln = listen(path, netio.ListenConfig{})
		want(t, "Remove", os.Remove(path), nil)
		want(t, "Close without the file", ln.Close(), nil)
	})
}

func TestUnixAbstract(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // only Linux has these names
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "unix" {
			return
		}
		name := "@" + strings.ReplaceAll(socketPath(t), "/", ".")
		ln := must(netio.Listen(ctx, "unix", name))(t)
		near := must(netio.Dial(ctx, "unix", name))(t)
		far := must(ln.Accept(ctx))(t)
		write(ctx, t, near, "x")
		must(far.Read(ctx, make([]byte, 1)))(t)
		near.Close()
		far.Close()
		want(t, "Close", ln.Close(), nil)
		_, err := netio.Dial(ctx, "unix", name)
		if err == nil {
			t.Error("Dial succeeded after Close")
		}
	})
}

// Accepting a full backlog does not starve other tasks.
func TestAcceptMany(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		const many = 1000
		for range many {
			must(netio.Dial(ctx, "tcp", "10.0.0.1:80"))(t).Close()
		}
		accepted, others := 0, 0
		acceptor := task.Start(ctx, func(ctx context.Context) (int, error) {
			for accepted < many {
				s, err := ln.Accept(ctx)
				if err != nil {
					return accepted, err
				}
				accepted++
				s.Close()
			}
			return accepted, nil
		})
		for !acceptor.Done() {
			others++
			want(t, "Yield", task.Yield(ctx), nil)
		}
		if others < 3 {
			t.Errorf("others ran %d times while %d connections were accepted", others, many)
		}
	})
}

// Close ends connections that arrived together with the one that Accept returned.
func TestCloseLeftOver(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
		accepted := blocked(ctx, ln.Accept)
		var clients []*netio.Stream
		for _, addr := range []string{"10.0.0.1:80", "[fd00::1]:80"} {
			clients = append(clients, must(netio.Dial(ctx, "tcp", addr))(t))
		}
		must(accepted.Await(ctx))(t).Close()
		want(t, "Close", ln.Close(), nil)
		for _, c := range clients {
			c.SetReadTimeout(time.Second)
			_, err := c.Read(ctx, make([]byte, 1))
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v: Read = %v, want the end of the connection", c, err)
			}
			c.Close()
		}
	})
}

// Close also ends connections that arrived while Accept waits, before Accept has returned.
func TestCloseBeforeAccept(t *testing.T) {
	for range 100 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
			accepted := blocked(ctx, ln.Accept)
			var clients []*task.Task[*netio.Stream]
			for _, addr := range []string{"10.0.0.1:80", "[fd00::1]:80"} {
				clients = append(clients, task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
					return netio.Dial(ctx, "tcp", addr)
				}))
			}
			for _, client := range clients {
				for client.State() != task.Parked && !client.Done() {
					want(t, "Yield", task.Yield(ctx), nil)
				}
			}
			want(t, "Close", ln.Close(), nil)
			if s, err := accepted.Await(ctx); err == nil {
				s.Close()
			}
			for _, client := range clients {
				c, err := client.Await(ctx)
				if err != nil {
					continue
				}
				c.SetReadTimeout(time.Second)
				_, err = c.Read(ctx, make([]byte, 1))
				if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v: Read = %v, want the end of the connection", c, err)
				}
				c.Close()
			}
		})
	}
}

// A Listen that fails on one of its addresses leaves none open.
func TestListenFails(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		taken := must(netio.Listen(ctx, "tcp", "[fd00::1]:80"))(t)
		defer taken.Close()
		_, err := netio.Listen(ctx, "tcp", ":80") // 0.0.0.0 is free, :: is not
		want(t, "Listen", err, syscall.EADDRINUSE)
		must(netio.Listen(ctx, "tcp4", ":80"))(t).Close()
	})
}

// If a listener is closed when its Accept has a connection but has not returned, Accept returns
// the connection or net.ErrClosed.
func TestCloseDuringAccept(t *testing.T) {
	for range 20 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			accepted := blocked(ctx, ln.Accept)
			task.Go(ctx, func(ctx context.Context) error {
				s, err := netio.Dial(ctx, "tcp", "10.0.0.1:80")
				if err != nil {
					return nil
				}
				return s.Close()
			})
			for accepted.State() == task.Parked {
				want(t, "Yield", task.Yield(ctx), nil)
			}
			want(t, "Close", ln.Close(), nil)
			s, err := accepted.Await(ctx)
			if err == nil {
				s.Close()
			} else {
				want(t, "Accept", err, net.ErrClosed)
			}
		})
	}
}

// A listener uses its config for the streams that it accepts.
func TestListenStreamConfig(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		_, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{ReadTimeout: time.Hour, LineLimit: 5})
		_, err := far.Read(ctx, make([]byte, 1))
		want(t, "Read", err, os.ErrDeadlineExceeded)
		_, err = far.Peek(ctx, 6)
		want(t, "Peek", err, netio.ErrTooLong)
	})
}
