// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/examples/compare/proxy"
	"baton/examples/compare/proxy/load"
)

// The proxy chooses the backends in rotation.
func TestRotation(t *testing.T) {
	both(t, 3, proxy.Config{}, nil, func(t *testing.T, s *site) {
		for range 2 {
			for _, b := range s.backends {
				s.dial(t).receives(b.name)
			}
		}
		for i, b := range s.stats().Backends {
			if b.Address != s.backends[i].ln.Addr().String() || !b.Healthy || b.Active != 2 || b.Served != 2 {
				t.Errorf("%+v", b)
			}
		}
	})
}

// Bytes arrive in both directions as they were sent.
func TestBytes(t *testing.T) {
	both(t, 1, proxy.Config{}, nil, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		data := make([]byte, 3<<20)
		for i := range data {
			data[i] = byte(i * 31 >> 3)
		}
		var running sync.WaitGroup
		for _, ends := range [][2]*conn{{client, server}, {server, client}} {
			running.Go(func() {
				if _, err := ends[0].Write(data); err != nil {
					t.Error(err)
				}
				ends[0].CloseWrite()
			})
			running.Go(func() {
				if got, err := io.ReadAll(ends[1].in); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s reads %d bytes, %v", ends[1].name, len(got), err)
				}
			})
		}
		running.Wait()
		s.until(t, "both directions have ended", func(s proxy.Stats) bool { return s.Backends[0].Active == 0 })
	})
}

// Each end may close its writing direction, and still read.
func TestHalfClose(t *testing.T) {
	both(t, 1, proxy.Config{}, nil, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		client.CloseWrite()
		server.ends(nil)
		server.sends("an answer")
		client.receives("an answer")
		server.CloseWrite()
		client.ends(nil)

		client, server = s.pair(t, s.backends[0])
		server.CloseWrite()
		client.ends(nil)
		client.sends("a word more")
		server.receives("a word more")
		client.CloseWrite()
		server.ends(nil)
	})
}

// A reset of one end resets the other end, also if the first end has closed its writing
// direction.
func TestReset(t *testing.T) {
	both(t, 1, proxy.Config{}, nil, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		server.SetLinger(0)
		server.Close()
		client.ends(syscall.ECONNRESET)

		client, server = s.pair(t, s.backends[0])
		client.SetLinger(0)
		client.Close()
		server.ends(syscall.ECONNRESET)

		for range 50 {
			client, server = s.pair(t, s.backends[0])
			client.CloseWrite()
			server.ends(nil)
			server.SetLinger(0)
			server.Close()
			client.ends(syscall.ECONNRESET)
		}
	})
}

// Connections wait if no slot is free. They get slots in the order in which they came.
func TestWait(t *testing.T) {
	for name, cfg := range map[string]proxy.Config{
		"in all":    {MaxConns: 2},
		"a backend": {MaxPerBackend: 1},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, 2, cfg, nil, func(t *testing.T, s *site) {
				a, b := s.backends[0].name, s.backends[1].name
				first := s.dial(t)
				first.receives(a)
				second := s.dial(t)
				second.receives(b)
				var late []*conn
				for i := range 3 {
					late = append(late, s.dial(t))
					s.until(t, "it waits", waiting(i+1))
				}
				second.Close()
				s.until(t, "two wait", waiting(2))
				first.Close()
				s.until(t, "one waits", waiting(1))
				if cfg.MaxConns > 0 { // both backends have free slots, and a is next
					late[0].receives(a)
					late[1].receives(b)
				} else {
					late[0].receives(b)
					late[1].receives(a)
				}
				late[1].Close()
				late[2].receives(a) // in all cases: a is next, or only a has a free slot
			})
		})
	}
}

// If too many connections wait, further connections are closed.
func TestRefuse(t *testing.T) {
	both(t, 1, proxy.Config{MaxConns: 1, MaxWaiting: 1}, nil, func(t *testing.T, s *site) {
		served := s.dial(t)
		served.receives(s.backends[0].name)
		waits := s.dial(t)
		s.until(t, "one waits", waiting(1))
		s.dial(t).ends(nil)
		if got := s.stats().Refused; got != 1 {
			t.Errorf("%d are refused, want 1", got)
		}
		served.Close()
		waits.receives(s.backends[0].name)
	})
}

// A connection that has waited for too long is closed. Another connection may wait in its
// place.
func TestWaitTimeout(t *testing.T) {
	both(t, 1, proxy.Config{MaxConns: 1, MaxWaiting: 1, WaitTimeout: 50 * time.Millisecond}, nil,
		func(t *testing.T, s *site) {
			served := s.dial(t)
			served.receives(s.backends[0].name)
			for i := range 2 {
				s.dial(t).ends(nil)
				if got := s.stats(); got.TimedOut != i+1 || got.Waiting != 0 || got.Refused != 0 {
					t.Errorf("%+v", got)
				}
			}
			served.Close()
			s.until(t, "the slot is free", func(s proxy.Stats) bool { return s.Backends[0].Active == 0 })
			s.dial(t).receives(s.backends[0].name)
		})
}

// If a backend does not accept a connection, the connection goes to the next backend.
func TestRetry(t *testing.T) {
	both(t, 3, proxy.Config{Backoff: time.Millisecond}, nil, func(t *testing.T, s *site) {
		s.backends[0].ln.Close()
		s.backends[1].ln.Close()
		s.dial(t).receives(s.backends[2].name)
		if got := s.stats(); got.Failed != 0 || got.Backends[0].Active != 0 || got.Backends[1].Served != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A connection is closed when all of its dials have failed.
func TestNoBackend(t *testing.T) {
	both(t, 2, proxy.Config{Attempts: 2, Backoff: time.Millisecond}, nil, func(t *testing.T, s *site) {
		s.backends[0].ln.Close()
		s.backends[1].ln.Close()
		s.dial(t).ends(nil)
		if got := s.stats(); got.Failed != 1 || got.Backends[0].Active+got.Backends[1].Active != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// The proxy skips a backend that does not accept, until the backend accepts again. Connections
// wait while no backend is healthy.
func TestHealth(t *testing.T) {
	both(t, 2, proxy.Config{HealthInterval: time.Millisecond}, nil, func(t *testing.T, s *site) {
		healthy := func(want ...bool) func(s proxy.Stats) bool {
			return func(s proxy.Stats) bool {
				return s.Backends[0].Healthy == want[0] && s.Backends[1].Healthy == want[1]
			}
		}
		a, b := s.backends[0], s.backends[1]
		s.until(t, "both are healthy", healthy(true, true))
		a.ln.Close()
		s.until(t, "a is sick", healthy(false, true))
		s.dial(t).receives(b.name)
		s.dial(t).receives(b.name)
		b.ln.Close()
		s.until(t, "both are sick", healthy(false, false))
		first, second := s.dial(t), s.dial(t)
		s.until(t, "they wait", waiting(2))
		listen(t, "the new a", a.ln.Addr().String())
		first.receives("the new a")
		second.receives("the new a")
		s.until(t, "a is healthy", healthy(true, false))
	})
}

// A connection on which no byte moves is reset, also if an end has closed its writing
// direction.
func TestIdle(t *testing.T) {
	both(t, 1, proxy.Config{IdleTimeout: time.Second}, nil, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		client.ends(syscall.ECONNRESET)
		server.ends(syscall.ECONNRESET)
		client, server = s.pair(t, s.backends[0])
		client.CloseWrite()
		server.ends(nil)
		client.ends(syscall.ECONNRESET)
	})
}

// After a cancel, connections with a backend go on. The other connections are closed, and new
// connections are refused.
func TestClose(t *testing.T) {
	both(t, 1, proxy.Config{MaxConns: 1}, nil, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		waits := s.dial(t)
		s.until(t, "one waits", waiting(1))
		s.close()
		waits.ends(nil)
		for { // until the listener is closed
			c, err := net.Dial("tcp", s.addr.String())
			if errors.Is(err, syscall.ECONNREFUSED) {
				break
			}
			if err == nil {
				if got, _ := io.ReadAll(c); len(got) > 0 {
					t.Errorf("a connection after the cancel reads %q", got)
				}
				c.Close()
			}
		}
		client.sends("are you there?")
		server.receives("are you there?")
		server.sends("yes")
		client.receives("yes")
		client.Close()
		server.Close()
		s.ends(t, nil)
	})
}

// After the grace the connections are cut off, and the error of Serve has their number.
func TestCut(t *testing.T) {
	want := &proxy.CutError{Conns: 2}
	both(t, 1, proxy.Config{Grace: 50 * time.Millisecond}, want, func(t *testing.T, s *site) {
		client, server := s.pair(t, s.backends[0])
		s.pair(t, s.backends[0])
		s.close()
		client.ends(syscall.ECONNRESET)
		server.ends(syscall.ECONNRESET)
	})
}

// Serve returns an error if it cannot listen.
func TestListen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			ready := func(net.Addr, func() proxy.Stats) { t.Error("Ready is called") }
			err := v.serve(context.Background(), ln.Addr().String(), nil, proxy.Config{Ready: ready})
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// The load receives all messages back, also if most of its clients have to wait.
func TestLoad(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			address, wait, err := load.Echo(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ready, over := make(chan string), make(chan error)
			cfg := proxy.Config{MaxConns: 3, Ready: func(addr net.Addr, _ func() proxy.Stats) { ready <- addr.String() }}
			go func() { over <- v.serve(ctx, "127.0.0.1:0", []string{address, address}, cfg) }()
			at := <-ready
			got, err := load.Run(ctx, at, load.Config{Clients: 10, Conns: 3, Messages: 20})
			if err != nil || got.Messages != 10*3*20 || got.Latencies[0] <= 0 {
				t.Errorf("%d messages, %v", got.Messages, err)
			}
			release, err := load.Hold(ctx, at, 3)
			if err != nil {
				t.Error(err)
			}
			release()
			cancel()
			if err := <-over; err != nil {
				t.Errorf("Serve: %v", err)
			}
			wait()
		})
	}
}
