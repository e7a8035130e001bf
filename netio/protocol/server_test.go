// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// A host is an echo server, with the protocols that it has made.
type host struct {
	*protocol.Server
	made []*protocoltest.Checker
}

// echoServer starts an echo server.
func echoServer(ctx context.Context, t *testing.T, config protocol.Config, of sort) *host {
	t.Helper()
	h := &host{}
	srv, err := shrunk(ctx, config).CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base {
		c := &protocoltest.Checker{T: t, Size: 5000}
		c.OnData = func(data []byte) { c.Transport.Write(data) }
		c.OnReceive = func(ctx context.Context, data []byte) error {
			c.Transport.Write(data)
			return c.Transport.Drain(ctx)
		}
		h.made = append(h.made, c)
		return of(c)
	})
	must(t, err)
	h.Server = srv
	return h
}

func (h *host) dial(ctx context.Context, t *testing.T) *netio.Stream {
	t.Helper()
	s, err := shrunk(ctx, protocol.Config{}).Dialer.Dial(ctx, "tcp", h.Addr().String())
	must(t, err)
	return s
}

// exchange sends a message, and fails the test unless the server sends it back.
func exchange(ctx context.Context, t *testing.T, s *netio.Stream, message string) {
	t.Helper()
	write(ctx, t, s, []byte(message))
	got := make([]byte, len(message))
	_, err := s.ReadFull(ctx, got)
	must(t, err)
	if string(got) != message {
		t.Errorf("%q came back, want %q", got, message)
	}
}

// Close refuses new connections and leaves open ones. Wait waits for them.
func TestServerCloseLeavesConnections(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		h := echoServer(ctx, t, protocol.Config{}, of)
		if !h.IsServing() {
			t.Error("the server does not serve")
		}
		waited := false
		wait := goTask(ctx, func(ctx context.Context) error {
			err := h.Wait(ctx)
			waited = true
			return err
		})
		s := h.dial(ctx, t)
		exchange(ctx, t, s, "before")
		h.Close()
		h.Close()
		if h.IsServing() {
			t.Error("the server serves after Close")
		}
		if late, err := netio.Dial(ctx, "tcp", h.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial after Close = %v, %v", late, err)
		}
		exchange(ctx, t, s, "after")
		if waited {
			t.Error("Wait has returned before the last connection has ended")
		}
		must(t, s.Close())
		must(t, wait(ctx))
		must(t, h.Wait(ctx))
		if c := h.made[0]; !c.Lost() || c.Err != nil {
			t.Errorf("lost: %v, %v", c.Lost(), c.Err)
		}
	})
}

func TestServerWaitsForItsClose(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		h := echoServer(ctx, t, protocol.Config{}, sorts[0].of)
		waited := false
		wait := goTask(ctx, func(ctx context.Context) error {
			err := h.Wait(ctx)
			waited = true
			return err
		})
		turns(ctx, t, 10)
		if waited {
			t.Error("Wait has returned before Close, without a client")
		}
		canceled := goTask(ctx, func(ctx context.Context) error {
			task.Self(ctx).Cancel(nil)
			return h.Wait(ctx)
		})
		if _, ok := canceled(ctx).(*task.Canceled); !ok {
			t.Error("Wait under a cancelled ctx")
		}
		h.Close()
		must(t, wait(ctx))
	})
}

// CloseClients sends what was written. AbortClients does not wait for a peer that does not read.
func TestServerEndsItsClients(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		h := echoServer(ctx, t, protocol.Config{}, of)
		other := &protocoltest.Checker{T: t} // belongs to the scope, but not to the server
		far, _ := pair(ctx, t, protocol.Config{}, of(other))
		reads := h.dial(ctx, t)
		exchange(ctx, t, reads, "x")
		full := h.dial(ctx, t)
		exchange(ctx, t, full, "x")
		crowd(ctx, t, h.made[1].Transport)
		_, err := h.made[0].Transport.Write([]byte("last"))
		must(t, err)
		h.Close()
		h.CloseClients()
		must(t, h.made[0].UntilLost(ctx))
		readAll(ctx, t, reads, []byte("last"))
		turns(ctx, t, 5)
		if h.made[1].Lost() {
			t.Error("CloseClients has dropped what was not sent")
		}
		h.AbortClients()
		must(t, h.Wait(ctx))
		for _, c := range h.made {
			if !c.Lost() || c.Err != nil {
				t.Errorf("lost: %v, %v", c.Lost(), c.Err)
			}
		}
		write(ctx, t, far, []byte("fine"))
		must(t, other.UntilData(ctx, 4))
		must(t, far.Close())
		reads.Close()
		full.Close()
	})
}

// A server that listens on a name has all its addresses, with one port.
func TestServerOfSeveralAddresses(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		made := 0
		srv, err := protocol.CreateServer(ctx, "tcp", ":0", func() protocol.Base {
			made++
			return (&protocoltest.Checker{T: t}).Plain()
		})
		must(t, err)
		addrs := srv.Addrs()
		if len(addrs) == 0 || srv.Addr().String() != addrs[0].String() || addrs[0].(*net.TCPAddr).Port == 0 {
			t.Errorf("addresses %v, first %v", addrs, srv.Addr())
		}
		for i, a := range addrs {
			if a.(*net.TCPAddr).Port != addrs[0].(*net.TCPAddr).Port {
				t.Errorf("addresses %v", addrs)
			}
			s, err := netio.Dial(ctx, "tcp", a.String())
			must(t, err)
			must(t, s.Close())
			until(ctx, t, func() bool { return made > i })
		}
		srv.Close()
		must(t, srv.Wait(ctx))
		if len(srv.Addrs()) != len(addrs) {
			t.Errorf("addresses after Close: %v", srv.Addrs())
		}
	})
}

// CreateServer returns the errors of Listen.
func TestCreateServerFails(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		h := echoServer(ctx, t, protocol.Config{}, sorts[0].of)
		_, err := protocol.CreateServer(ctx, "tcp", h.Addr().String(), func() protocol.Base { return nil })
		if e, ok := err.(*net.OpError); !ok || !errors.Is(e, syscall.EADDRINUSE) {
			t.Errorf("CreateServer = %v", err)
		}
		wantPanic(t, "protocol: CreateServer with a nil factory; pass a function", func() { protocol.CreateServer(ctx, "tcp", ":0", nil) })
		h.Close()
		must(t, h.Wait(ctx))
	})
}

// If factory fails, its connection is closed and the failure is reported. The server continues.
func TestFactoryThatFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		factory func() protocol.Base
		want    string
	}{
		{"panic", func() protocol.Base { panic(errBoom) }, "boom"},
		{"no protocol", func() protocol.Base { return nothing{} }, "protocol_test.nothing is no Protocol"},
		{"nil", func() protocol.Base { return nil }, "is no Protocol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				reports := exceptions(ctx)
				failing := true
				c := &protocoltest.Checker{T: t}
				srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base {
					if failing {
						return test.factory()
					}
					return c.Plain()
				})
				must(t, err)
				s, err := netio.Dial(ctx, "tcp", srv.Addr().String())
				must(t, err)
				readAll(ctx, t, s, nil)
				must(t, s.Close())
				failing = false
				s, err = netio.Dial(ctx, "tcp", srv.Addr().String())
				must(t, err)
				write(ctx, t, s, []byte("fine"))
				must(t, c.UntilData(ctx, 4))
				must(t, s.Close())
				srv.Close()
				must(t, srv.Wait(ctx))
				// The report comes in the turn after the end of the connection.
				if len(*reports) != 1 || !strings.Contains((*reports)[0].String(), test.want) {
					t.Errorf("reports %v", *reports)
				}
			})
		})
	}
}

// A scarce is a poller whose first Accepts fail.
type scarce struct {
	poll.Poller
	err  error
	left int
}

func (s *scarce) Submit(op *poll.Op) bool {
	if op.Kind == poll.Accept && s.left > 0 {
		s.left--
		op.Accepted, op.Err = nil, os.NewSyscallError("accept4", s.err)
		return true
	}
	return s.Poller.Submit(op)
}

// A shortage of descriptors is reported once, and the server tries again. Another error of
// accepting fails the scope.
func TestServerThatCannotAccept(t *testing.T) {
	t.Run("for want of descriptors", func(t *testing.T) {
		world := &scarce{Poller: virtual.New(virtual.Config{}), err: syscall.EMFILE, left: 3}
		err := task.Runner{Config: loop.Config{Poller: world}}.Run(t.Context(), func(ctx context.Context) error {
			var reported []error
			h := echoServer(ctx, t, protocol.Config{OnError: func(err error) { reported = append(reported, err) }}, sorts[0].of)
			s := h.dial(ctx, t)
			exchange(ctx, t, s, "served")
			if len(reported) != 1 || !errors.Is(reported[0], syscall.EMFILE) {
				t.Errorf("reported %v", reported)
			}
			h.Close()
			must(t, s.Close())
			return h.Wait(ctx)
		})
		must(t, err)
	})
	t.Run("for good", func(t *testing.T) {
		world := &scarce{Poller: virtual.New(virtual.Config{}), err: syscall.EINVAL, left: 1}
		err := task.Runner{Config: loop.Config{Poller: world}}.Run(t.Context(), func(ctx context.Context) error {
			h := echoServer(ctx, t, protocol.Config{}, sorts[0].of)
			return h.Wait(ctx)
		})
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Run = %v", err)
		}
	})
}

// Hundreds of clients at the same time are served and counted.
func TestManyClients(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		h := echoServer(ctx, t, protocol.Config{}, of)
		must(t, task.Scope(ctx, func(ctx context.Context) error {
			for range 200 {
				task.Go(ctx, func(ctx context.Context) error {
					s := h.dial(ctx, t)
					exchange(ctx, t, s, "hello")
					return s.Close()
				})
			}
			return nil
		}))
		h.Close()
		must(t, h.Wait(ctx))
		lost := 0
		for _, c := range h.made {
			if c.Lost() && c.Err == nil && slices.Equal(c.Calls, []string{"ConnectionMade", "EOFReceived", "ConnectionLost"}) {
				lost++
			}
		}
		if lost != 200 {
			t.Errorf("%d of 200 connections have ended in order", lost)
		}
	})
}

// A server on a UNIX socket removes its file.
func TestUnixServer(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		dir, err := os.MkdirTemp("", "baton")
		must(t, err)
		defer os.RemoveAll(dir)
		path := dir + "/s"
		served := &protocoltest.Checker{T: t}
		srv, err := protocol.CreateServer(ctx, "unix", path, func() protocol.Base { return of(served) })
		must(t, err)
		c := &protocoltest.Checker{T: t}
		tr, err := protocol.Connect(ctx, "unix", path, func() protocol.Base { return of(c) })
		must(t, err)
		_, err = tr.Write([]byte("hello"))
		must(t, err)
		must(t, served.UntilData(ctx, 5))
		_, err = served.Transport.Write([]byte("world"))
		must(t, err)
		served.Transport.Close()
		must(t, c.UntilLost(ctx))
		if string(c.Data) != "world" || c.Err != nil || served.Err != nil {
			t.Errorf("%q, %v, %v", c.Data, c.Err, served.Err)
		}
		srv.Close()
		must(t, srv.Wait(ctx))
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file after Close: %v", err)
		}
	})
}
