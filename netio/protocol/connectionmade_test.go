// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
)

type sort = func(*protocoltest.Checker) protocol.Base

func TestConnectionMadeReturnsBeforeConnectAndBeforeTheFirstByte(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		join := goTask(ctx, func(ctx context.Context) error {
			s, err := ln.Accept(ctx)
			must(t, err)
			write(ctx, t, s, []byte("hello"))
			return s.Close()
		})
		c := &protocoltest.Checker{T: t}
		returned := false
		c.OnMade = func() { returned = true }
		_, err = protocol.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return of(c) })
		must(t, err)
		if !returned {
			t.Error("Connect has returned before ConnectionMade")
		}
		must(t, c.UntilLost(ctx))
		if string(c.Data) != "hello" || c.Err != nil {
			t.Errorf("%q, %v", c.Data, c.Err)
		}
		must(t, join(ctx))
		must(t, ln.Close())
	})
}

func TestPauseInConnectionMadeIsRespected(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		c.OnMade = func() { c.Transport.PauseReading() }
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		write(ctx, t, s, []byte("hello"))
		must(t, s.CloseWrite())
		turns(ctx, t, 20)
		if len(c.Data) > 0 || len(c.Calls) > 1 {
			t.Errorf("%q, %v while reading is paused", c.Data, c.Calls)
		}
		tr.ResumeReading()
		must(t, c.UntilLost(ctx))
		if string(c.Data) != "hello" {
			t.Errorf("%q", c.Data)
		}
		must(t, s.Close())
	})
}

// A call that ends the transport within ConnectionMade ends it in a later turn.
func TestEndInConnectionMade(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*protocol.Transport)
		want string
	}{
		{"Abort", (*protocol.Transport).Abort, ""},
		{"Close", (*protocol.Transport).Close, ""},
		{"Write and Close", func(tr *protocol.Transport) { tr.Write([]byte("bye")); tr.Close() }, "bye"},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				c := &protocoltest.Checker{T: t}
				later := false
				c.OnMade = func() {
					c.Transport.Loop().CallSoon(func() { later = true })
					test.end(c.Transport)
				}
				c.OnLost = func() {
					if !later {
						t.Error("ConnectionLost in the turn that ended the transport")
					}
				}
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				must(t, err)
				var s *netio.Stream
				accept := goTask(ctx, func(ctx context.Context) (err error) {
					s, err = ln.Accept(ctx)
					return err
				})
				turns(ctx, t, 20) // so that no reset connection is accepted later
				tr, err := protocol.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return of(c) })
				must(t, err)
				must(t, accept(ctx))
				must(t, ln.Close())
				if !tr.IsClosing() {
					t.Error("the transport is not closing")
				}
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
				got := make([]byte, 4)
				n, err := s.ReadFull(ctx, got)
				if string(got[:n]) != test.want || test.name != "Abort" && err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Errorf("the peer read %q, %v", got[:n], err)
				}
				must(t, s.Close())
				if want := []string{"ConnectionMade", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
					t.Errorf("calls %v, want %v", c.Calls, want)
				}
			})
		})
	}
}

// A call that ends the transport within a call that passes bytes ends it in a later turn.
func TestAbortInACallEndsTheTransportLater(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		later := false
		c.OnData = func([]byte) {
			c.Transport.Loop().CallSoon(func() { later = true })
			c.Transport.Abort()
		}
		c.OnReceive = func(_ context.Context, data []byte) error {
			c.OnData(data)
			return nil
		}
		c.OnLost = func() {
			if !later {
				t.Error("ConnectionLost in the turn that aborted")
			}
		}
		s, _ := pair(ctx, t, protocol.Config{}, of(c))
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}
