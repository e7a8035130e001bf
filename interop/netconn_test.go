// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/net/nettest"

	"baton/netio"
	"baton/task"
)

// The net.Conns of netio pass the suite of golang.org/x/net/nettest. The suite calls them on its
// own goroutines, outside every loop.
func TestNetConn(t *testing.T) {
	pollers := []string{"portable"}
	if runtime.GOOS == "linux" {
		pollers = append(pollers, "epoll")
	}
	for _, poller := range pollers {
		for _, handoff := range []task.Handoff{task.Channel, task.Coroutine} {
			for _, network := range []string{"tcp", "unix", "tls"} {
				t.Run(fmt.Sprintf("%s %v %s", poller, handoff, network), func(t *testing.T) {
					t.Setenv("BATON_POLLER", poller)
					w := wire{task.Runner{Handoff: handoff}, network, nil}
					if network == "tls" {
						w.network, w.identity = "tcp", newIdentity(t)
					}
					t.Run("one loop", func(t *testing.T) { w.test(t, w.oneLoop) })
					t.Run("two loops", func(t *testing.T) { w.test(t, w.twoLoops) })
					t.Run("package net", func(t *testing.T) { w.test(t, w.packageNet) })
				})
			}
		}
	}
}

// A wire makes connections of one kind.
type wire struct {
	runner   task.Runner
	network  string
	identity *identity // for TLS; nil without TLS
}

// test runs the suite over the connections of connect, which returns both ends and the hosts that
// serve them. A host may have failed.
func (w wire) test(t *testing.T, connect func(t *testing.T) (near, far net.Conn, hosts []*host)) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		near, far, hosts := connect(t)
		stop := func() {
			near.Close() // the suite may have closed it already
			far.Close()
			for _, h := range hosts {
				if err := h.stop(); err != nil {
					t.Error(err)
				}
			}
		}
		return near, far, stop, nil
	})
}

// address returns an address to listen on.
func (w wire) address(t *testing.T) string {
	if w.network == "tcp" {
		return "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "interop") // the path of t.TempDir is too long for a UNIX address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// open opens the dialing end.
func (w wire) open(ctx context.Context, address string) (*netio.Stream, error) {
	if w.identity == nil {
		return netio.Dial(ctx, w.network, address)
	}
	return netio.DialTLS(ctx, w.network, address, w.identity.client())
}

// accept opens the listening end.
func (w wire) accept(ctx context.Context, ln *netio.Listener) (*netio.Stream, error) {
	s, err := ln.Accept(ctx)
	if err == nil && w.identity != nil {
		err = s.AcceptTLS(ctx, w.identity.server())
	}
	return s, err
}

// dial opens one end.
func (w wire) dial(address string) func(ctx context.Context) ([]*netio.Stream, error) {
	return func(ctx context.Context) ([]*netio.Stream, error) {
		s, err := w.open(ctx, address)
		return []*netio.Stream{s}, err
	}
}

// oneLoop opens both ends on the same loop.
func (w wire) oneLoop(t *testing.T) (near, far net.Conn, hosts []*host) {
	address := w.address(t)
	h := newHost(w.runner, func(ctx context.Context) ([]*netio.Stream, error) {
		ln, err := netio.Listen(ctx, w.network, address)
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		accepting := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) { return w.accept(ctx, ln) })
		near, err := w.open(ctx, ln.Addr().String())
		if err != nil {
			return nil, err
		}
		far, err := accepting.Await(ctx)
		return []*netio.Stream{near, far}, err
	})
	conns := h.opened(t)
	return conns[0], conns[1], []*host{h}
}

// twoLoops opens each end on its own loop.
func (w wire) twoLoops(t *testing.T) (near, far net.Conn, hosts []*host) {
	address, listening := w.address(t), make(chan string, 1)
	accepting := newHost(w.runner, func(ctx context.Context) ([]*netio.Stream, error) {
		defer close(listening)
		ln, err := netio.Listen(ctx, w.network, address)
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		listening <- ln.Addr().String()
		s, err := w.accept(ctx, ln)
		return []*netio.Stream{s}, err
	})
	address, ok := <-listening
	if !ok {
		accepting.opened(t) // reports why
	}
	dialing := newHost(w.runner, w.dial(address))
	return dialing.opened(t)[0], accepting.opened(t)[0], []*host{dialing, accepting}
}

// packageNet opens one end with netio and the other with package net.
func (w wire) packageNet(t *testing.T) (near, far net.Conn, hosts []*host) {
	ln, err := net.Listen(w.network, w.address(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := newHost(w.runner, w.dial(ln.Addr().String()))
	far, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if w.identity != nil {
		secure := tls.Server(far, w.identity.server())
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		far = secure
	}
	near = h.opened(t)[0]
	return near, far, []*host{h}
}
