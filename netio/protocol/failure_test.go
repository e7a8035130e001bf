// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

var errBoom = errors.New("boom")

// methods are the methods of a protocol: break makes a checker call fn in the method, and provoke
// makes the transport call the method.
var methods = []struct {
	name    string
	sorts   string // the kinds of protocol, by their first letters; "" means all
	arrange func(c *protocoltest.Checker, fn func())
	provoke func(ctx context.Context, t *testing.T, s *netio.Stream, tr *protocol.Transport)
}{
	{"ConnectionMade", "", func(c *protocoltest.Checker, fn func()) { c.OnMade = fn }, nil},
	{"GetBuffer", "b", func(c *protocoltest.Checker, fn func()) { c.OnBuffer = fn }, nil},
	{"bytes", "", func(c *protocoltest.Checker, fn func()) {
		c.OnData = func([]byte) { fn() }
		c.OnReceive = func(context.Context, []byte) error { fn(); return nil }
	}, func(ctx context.Context, t *testing.T, s *netio.Stream, _ *protocol.Transport) {
		write(ctx, t, s, []byte("x"))
	}},
	{"EOFReceived", "", func(c *protocoltest.Checker, fn func()) { c.OnEOF = func() bool { fn(); return true } },
		func(_ context.Context, t *testing.T, s *netio.Stream, _ *protocol.Transport) { must(t, s.CloseWrite()) }},
	{"PauseWriting", "", func(c *protocoltest.Checker, fn func()) { c.OnPause = fn },
		func(ctx context.Context, t *testing.T, _ *netio.Stream, tr *protocol.Transport) {
			crowd(ctx, t, tr)
			tr.SetWriteBufferLimits(-1, 0)
		}},
	{"ResumeWriting", "", func(c *protocoltest.Checker, fn func()) { c.OnResume = fn },
		func(ctx context.Context, t *testing.T, s *netio.Stream, tr *protocol.Transport) {
			crowd(ctx, t, tr)
			tr.SetWriteBufferLimits(-1, 0)
			for until(ctx, t, tr.WritePaused); !tr.IsClosing(); {
				_, err := s.Read(ctx, make([]byte, 64<<10))
				if err != nil {
					return // reads the reset
				}
			}
		}},
	{"ConnectionLost", "", func(c *protocoltest.Checker, fn func()) { c.OnLost = fn },
		func(_ context.Context, _ *testing.T, _ *netio.Stream, tr *protocol.Transport) { tr.Close() }},
}

// A panic in a method is reported once, and ends only its own connection.
func TestPanicInAMethodEndsTheConnection(t *testing.T) {
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			for _, sort := range sorts {
				if m.sorts != "" && m.sorts != sort.name[:1] {
					continue
				}
				t.Run(sort.name, func(t *testing.T) {
					eachWorld(t, func(ctx context.Context, t *testing.T) {
						reports := exceptions(ctx)
						c := &protocoltest.Checker{T: t}
						m.arrange(c, func() { panic(errBoom) })
						breaks(ctx, t, m.name, sort.of(c), m.provoke)
						must(t, c.UntilLost(ctx))
						p, _ := errors.AsType[*task.PanicError](c.Err)
						switch {
						case m.name == "ConnectionLost":
							wantErr(t, m.name, c.Err, nil)
						case p == nil || p.Value != errBoom:
							t.Errorf("ConnectionLost with %v, want the panic", c.Err)
						}
						if len(*reports) != 1 || (*reports)[0].Err != errBoom || (*reports)[0].Stack == nil {
							t.Errorf("reports %v", *reports)
						}
						works(ctx, t, sort.of)
					})
				})
			}
		})
	}
}

// breaks makes a connection whose protocol fails.
func breaks(ctx context.Context, t *testing.T, method string, p protocol.Base, provoke func(context.Context, *testing.T, *netio.Stream, *protocol.Transport)) {
	t.Helper()
	if method != "ConnectionMade" {
		s, tr := pair(ctx, t, protocol.Config{}, p)
		if provoke != nil {
			provoke(ctx, t, s, tr)
		}
		until(ctx, t, tr.IsClosing)
		s.Close()
		return
	}
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	tr, err := protocol.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return p })
	if _, ok := err.(*task.PanicError); !ok || tr != nil {
		t.Errorf("Connect = %v, %v, want the panic", tr, err)
	}
}

// works fails the test unless a new connection works.
func works(ctx context.Context, t *testing.T, of sort) {
	t.Helper()
	c := &protocoltest.Checker{T: t}
	s, _ := pair(ctx, t, protocol.Config{}, of(c))
	write(ctx, t, s, []byte("fine"))
	must(t, c.UntilData(ctx, 4))
	must(t, s.Close())
	must(t, c.UntilLost(ctx))
	wantErr(t, "ConnectionLost", c.Err, nil)
}

// Connect returns a panic of ConnectionMade, but not a panic of a later call.
func TestPanicWithTheFirstBytesIsNoErrorOfConnect(t *testing.T) {
	for _, sort := range sorts {
		t.Run(sort.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				reports := exceptions(ctx)
				c := &protocoltest.Checker{T: t}
				c.OnData = func([]byte) { panic(errBoom) }
				c.OnReceive = func(context.Context, []byte) error { panic(errBoom) }
				near, far := streams(ctx, t)
				write(ctx, t, far, []byte("ahead"))
				_, err := near.Peek(ctx, 5)
				must(t, err)
				d, err := near.Detach(ctx)
				must(t, err)
				_, err = protocol.Attach(ctx, d, sort.of(c))
				wantErr(t, "Attach", err, nil)
				must(t, c.UntilLost(ctx))
				if _, ok := c.Err.(*task.PanicError); !ok || len(*reports) != 1 {
					t.Errorf("ConnectionLost with %v; reports %v", c.Err, *reports)
				}
				far.Close()
			})
		})
	}
}

// A Goexit, as by t.FailNow, ends the program and, in order, the connection.
func TestGoexitInAMethodEndsTheConnection(t *testing.T) {
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			for _, sort := range sorts {
				if m.sorts != "" && m.sorts != sort.name[:1] {
					continue
				}
				t.Run(sort.name, func(t *testing.T) {
					c := &protocoltest.Checker{T: t}
					m.arrange(c, runtime.Goexit)
					returned := error(nil)
					done := make(chan struct{})
					go func() {
						defer close(done)
						returned = task.ErrNotReady // anything but nil
						returned = task.Run(t.Context(), func(ctx context.Context) error {
							config := shrunk(ctx, protocol.Config{})
							ln, err := config.Listen.Listen(ctx, "tcp", "127.0.0.1:0")
							if err != nil {
								return err
							}
							defer ln.Close()
							tr, err := config.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return sort.of(c) })
							if err != nil {
								return err
							}
							s, err := ln.Accept(ctx)
							if err != nil {
								return err
							}
							defer s.Close()
							if m.provoke != nil {
								m.provoke(ctx, t, s, tr)
							}
							return c.UntilLost(ctx)
						})
					}()
					<-done
					inTask := m.name == "bytes" && sort.name == "task"
					switch {
					case inTask && !errors.Is(returned, task.ErrGoexit):
						t.Errorf("Run = %v, want the Goexit", returned)
					case !inTask && returned != task.ErrNotReady:
						t.Errorf("Run = %v, want no return", returned)
					}
					if !c.Lost() {
						t.Fatal("no ConnectionLost")
					}
					want := task.ErrGoexit
					if m.name == "ConnectionLost" {
						want = nil
					}
					wantErr(t, "ConnectionLost", c.Err, want)
				})
			}
		})
	}
}
