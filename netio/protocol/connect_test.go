// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// unmade is a factory that must not be called.
func unmade(t *testing.T) protocol.Factory {
	return func() protocol.Base {
		t.Error("a protocol was made for a connection that was not made")
		return nil
	}
}

// Connect returns the errors of Dial.
func TestConnectThatIsRefused(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		const closedPort = "127.0.0.1:1" // another process may listen on a port that was free before
		tr, err := protocol.Connect(ctx, "tcp", closedPort, unmade(t))
		if e, ok := err.(*net.OpError); !ok || e.Op != "dial" || !errors.Is(e, syscall.ECONNREFUSED) || tr != nil {
			t.Errorf("Connect = %v, %v", tr, err)
		}
		timed, release := context.WithCancel(ctx)
		release()
		if tr, err := protocol.Connect(timed, "tcp", closedPort, unmade(t)); !errors.Is(err, context.Canceled) || tr != nil {
			t.Errorf("Connect under a cancelled ctx = %v, %v", tr, err)
		}
	})
}

// After a failure, Connect tries the next address. It uses the local address of the Dialer.
func TestConnectTriesTheNextAddress(t *testing.T) {
	network := virtual.Config{Hosts: map[string][]netip.Addr{
		"host": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
	}}
	sim.Config{Network: network}.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "10.0.0.2:80")
		must(t, err)
		c := &protocoltest.Checker{T: t}
		var config protocol.Config
		config.Dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9)}
		tr, err := config.Connect(ctx, "tcp", "host:80", func() protocol.Base { return c.Plain() })
		must(t, err)
		if got := tr.RemoteAddr().String(); got != "10.0.0.2:80" {
			t.Errorf("connected to %v", got)
		}
		if got := tr.LocalAddr().(*net.TCPAddr).IP.String(); got != "10.0.0.9" {
			t.Errorf("connected from %v", got)
		}
		must(t, ln.Close())
		_, err = protocol.Connect(ctx, "tcp", "host:80", unmade(t))
		wantErr(t, "Connect", err, syscall.ECONNREFUSED)
		tr.Close()
		must(t, c.UntilLost(ctx))
	})
}

// If factory panics, or returns no protocol, Connect closes the connection and panics.
func TestConnectWithAFactoryThatFails(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		for _, test := range []struct {
			factory protocol.Factory
			want    string
		}{
			{func() protocol.Base { panic("boom") }, "boom"},
			{func() protocol.Base { return nothing{} }, "protocol: protocol_test.nothing is no Protocol, " +
				"BufferedProtocol or Receiver; give it a method DataReceived, BufferUpdated or Receive"},
		} {
			var s *netio.Stream
			accept := goTask(ctx, func(ctx context.Context) (err error) {
				s, err = ln.Accept(ctx)
				return err
			})
			turns(ctx, t, 20) // so that no reset connection is accepted later
			wantPanic(t, test.want, func() { protocol.Connect(ctx, "tcp", ln.Addr().String(), test.factory) })
			must(t, accept(ctx))
			_, err = s.Read(ctx, make([]byte, 1))
			if !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
				t.Errorf("the peer read %v", err)
			}
			must(t, s.Close())
		}
	})
}

// A Connect that fails or is cancelled leaves no descriptor open.
func TestFailedConnectLeavesNoDescriptor(t *testing.T) {
	if descriptors() == 0 {
		return // descriptors cannot be counted here
	}
	must(t, task.Run(t.Context(), func(ctx context.Context) error {
		exceptions(ctx)
		server, client := certificate(t)
		settle := func(n int) {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); descriptors() > n; must(t, task.Yield(ctx)) {
				if time.Now().After(deadline) {
					t.Fatalf("%d descriptors, want at most %d", descriptors(), n)
				}
			}
		}
		works(ctx, t, sorts[0].of) // opens the descriptors that a first connection opens
		h := echoServer(ctx, t, protocol.Config{TLS: server, OnError: func(error) {}}, sorts[0].of)
		before := descriptors()
		for _, fn := range []func(ctx context.Context) error{
			func(ctx context.Context) error {
				_, err := protocol.Connect(ctx, "tcp", "127.0.0.1:1", unmade(t))
				return err
			},
			func(ctx context.Context) error { // the handshake
				_, err := protocol.Config{TLS: server}.Connect(ctx, "tcp", h.Addr().String(), unmade(t))
				return err
			},
			func(ctx context.Context) error { // ConnectionMade
				c := &protocoltest.Checker{T: t, OnMade: func() { panic(errBoom) }}
				_, err := protocol.Config{TLS: client}.Connect(ctx, "tcp", h.Addr().String(), func() protocol.Base { return c.Plain() })
				if p, ok := err.(*task.PanicError); ok {
					return p.Value.(error)
				}
				return err
			},
			func(ctx context.Context) error { // while it connects or performs the handshake
				connect := task.Start(ctx, func(ctx context.Context) (*protocol.Transport, error) {
					c := &protocoltest.Checker{T: t}
					return protocol.Config{TLS: client}.Connect(ctx, "tcp", h.Addr().String(), func() protocol.Base { return c.Plain() })
				})
				turns(ctx, t, 3)
				connect.Cancel(nil)
				tr, err := connect.Await(ctx)
				if tr != nil {
					tr.Abort()
					return errBoom
				}
				return err
			},
		} {
			if fn(ctx) == nil {
				t.Error("no error")
			}
			settle(before)
		}
		h.Close()
		return h.Wait(ctx)
	}))
}

// descriptors returns the number of open descriptors of the process, or 0 if it is unknown.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// String returns both addresses, and Loop the loop.
func TestTransportNamesItsEnds(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		if got, want := tr.String(), tr.LocalAddr().String()+"->"+tr.RemoteAddr().String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		if tr.LocalAddr().String() != s.RemoteAddr().String() || tr.Loop() != task.Loop(ctx) {
			t.Error("wrong addresses or wrong loop")
		}
		if tr.ConnectionState().HandshakeComplete {
			t.Error("TLS without a handshake")
		}
		must(t, s.Close())
		must(t, c.UntilLost(ctx))
		if !slices.Contains(c.Calls, "EOFReceived") || tr.LocalAddr() == nil {
			t.Error("no address after ConnectionLost")
		}
	})
}

// A goroutine without the baton must not use a transport.
func TestGoroutineWithoutTheBatonPanics(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base { return c.Plain() })
		must(t, err)
		for call, fn := range map[string]func(){
			"Transport.Write":     func() { tr.Write([]byte("x")) },
			"Server.IsServing":    func() { srv.IsServing() },
			"Server.Close":        srv.Close,
			"Server.CloseClients": srv.CloseClients,
			"Server.AbortClients": srv.AbortClients,
		} {
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				fn()
			}()
			if v, _ := (<-done).(string); !strings.Contains(v, "protocol: "+call+" of ") || !strings.Contains(v, "use a task.Portal") {
				t.Errorf("panic %v", v)
			}
		}
		srv.Close()
		must(t, s.Close())
		must(t, c.UntilLost(ctx))
	})
}
