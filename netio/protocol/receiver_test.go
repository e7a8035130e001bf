// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"baton/await"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// One Receive runs at a time, and its data stays unchanged while it switches. The checker checks
// both.
func TestReceiveIsOneAtATime(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				c := &protocoltest.Checker{T: t}
				c.OnReceive = func(ctx context.Context, _ []byte) error {
					for range 3 {
						must(t, task.Yield(ctx))
					}
					return nil
				}
				s, _ := securePair(ctx, t, secure, c.Task())
				want := pattern(200_000, 4)
				for rest := want; len(rest) > 0; {
					n := min(3000, len(rest))
					write(ctx, t, s, rest[:n])
					rest = rest[n:]
				}
				must(t, s.CloseWrite())
				must(t, c.UntilLost(ctx))
				if !bytes.Equal(c.Data, want) || c.Err != nil {
					t.Errorf("a wrong byte at %d, %v", differ(c.Data, want), c.Err)
				}
				s.Close()
			})
		})
	}
}

// The end of the connection cancels the ctx of Receive. ConnectionLost comes after Receive has
// returned.
func TestEndOfTheConnectionCancelsReceive(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(*protocol.Transport)
		cause error
	}{
		{"Close", (*protocol.Transport).Close, net.ErrClosed},
		{"Abort", (*protocol.Transport).Abort, net.ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				c := &protocoltest.Checker{T: t}
				ended := false
				c.OnReceive = func(ctx context.Context, _ []byte) error {
					err := await.Forever(ctx)
					wantErr(t, "the cause", context.Cause(ctx), test.cause)
					shielded, release := task.Shield(ctx, -1)
					defer release()
					turns(shielded, t, 5)
					ended = true
					return err
				}
				c.OnLost = func() {
					if !ended {
						t.Error("ConnectionLost before the end of Receive")
					}
				}
				s, tr := pair(ctx, t, protocol.Config{}, c.Task())
				write(ctx, t, s, []byte("x"))
				must(t, c.UntilData(ctx, 1))
				turns(ctx, t, 3)
				test.end(tr)
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
				s.Close()
			})
		})
	}
}

// The cause of the cancel is the error that has ended the connection.
func TestCauseOfReceiveIsWhatEndedTheConnection(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		c.OnReceive = func(ctx context.Context, _ []byte) error {
			err := await.Forever(ctx)
			if cause := context.Cause(ctx); !errors.Is(cause, syscall.ECONNRESET) && !errors.Is(cause, syscall.EPIPE) {
				t.Errorf("the cause is %v", cause)
			}
			return err
		}
		s, tr := pair(ctx, t, protocol.Config{}, c.Task())
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilData(ctx, 1))
		crowd(ctx, t, tr)
		must(t, s.Abort())
		must(t, c.UntilLost(ctx))
		if !errors.Is(c.Err, syscall.ECONNRESET) && !errors.Is(c.Err, syscall.EPIPE) {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
	})
}

func TestErrorOfReceiveAborts(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		c.OnReceive = func(context.Context, []byte) error { return errBoom }
		s, tr := pair(ctx, t, protocol.Config{}, c.Task())
		crowd(ctx, t, tr)
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilLost(ctx))
		if c.Err != errBoom {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
		if _, err := s.ReadAll(ctx, 64<<20); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the peer read to %v", err)
		}
		s.Close()
	})
}

// After Close within Receive, the transport sends what was written. A later error of Receive is
// passed to ConnectionLost.
func TestCloseWithinReceiveSendsWhatWasWritten(t *testing.T) {
	for _, test := range []struct {
		name string
		err  func(ctx context.Context, tr *protocol.Transport) error
		want error
	}{
		{"nil", func(context.Context, *protocol.Transport) error { return nil }, nil},
		{"its cancel", func(ctx context.Context, _ *protocol.Transport) error { return await.Forever(ctx) }, nil},
		{"net.ErrClosed", func(_ context.Context, tr *protocol.Transport) error {
			_, err := tr.Write([]byte("x"))
			return err
		}, nil},
		{"the error of Receive", func(context.Context, *protocol.Transport) error { return errBoom }, errBoom},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				c := &protocoltest.Checker{T: t}
				var sent []byte
				c.OnReceive = func(ctx context.Context, _ []byte) error {
					sent = crowd(ctx, t, c.Transport)
					c.Transport.Close()
					return test.err(ctx, c.Transport)
				}
				s, _ := pair(ctx, t, protocol.Config{}, c.Task())
				write(ctx, t, s, []byte("x"))
				must(t, c.Until(ctx, func() bool { return c.Transport.IsClosing() }))
				readAll(ctx, t, s, sent)
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, test.want)
				s.Close()
			})
		})
	}
}

// If the transport was closed or paused, or has another protocol, a Receive that has not begun is
// not called.
func TestReceiveThatHasNotBegun(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			for _, test := range []struct {
				name string
				then func(ctx context.Context, t *testing.T, c, other *protocoltest.Checker)
				want string // what the first and the second protocol receive
			}{
				{"Close", func(ctx context.Context, t *testing.T, c, _ *protocoltest.Checker) {
					c.Transport.Close()
				}, "|"},
				{"PauseReading", func(ctx context.Context, t *testing.T, c, _ *protocoltest.Checker) {
					c.Transport.PauseReading()
					before := len(c.Data) // a late poller may have changed the order
					turns(ctx, t, 10)
					if len(c.Data) > before {
						t.Errorf("%q while reading is paused", c.Data)
					}
					c.Transport.ResumeReading()
				}, "data|"},
				{"SetProtocol, plain", func(_ context.Context, _ *testing.T, c, other *protocoltest.Checker) {
					c.Transport.SetProtocol(other.Plain())
				}, "|data"},
				{"SetProtocol, buffered", func(_ context.Context, _ *testing.T, c, other *protocoltest.Checker) {
					c.Transport.SetProtocol(other.Buffered())
				}, "|data"},
				{"SetProtocol, task", func(_ context.Context, _ *testing.T, c, other *protocoltest.Checker) {
					c.Transport.SetProtocol(other.Task())
				}, "|data"},
				{"Detach", func(ctx context.Context, t *testing.T, c, other *protocoltest.Checker) {
					d, err := c.Transport.Detach(ctx)
					must(t, err)
					_, err = protocol.Attach(ctx, d, other.Plain())
					must(t, err)
				}, "|data"},
			} {
				t.Run(test.name, func(t *testing.T) {
					eachWorld(t, func(ctx context.Context, t *testing.T) {
						c, other := &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t}
						s, tr := securePair(ctx, t, secure, c.Task())
						tr.PauseReading()
						write(ctx, t, s, []byte("data"))
						turns(ctx, t, 20)
						other.Adopt(tr)
						if test.name == "Detach" {
							other = &protocoltest.Checker{T: t}
						}
						// This callback runs after the transport's own: after the start of the task and before its
						// first step.
						tr.ResumeReading()
						var behind task.Future[bool]
						task.Loop(ctx).CallSoon(func() { behind.Set(true) })
						if test.name == "Detach" || test.name == "PauseReading" {
							_, err := behind.Await(ctx)
							must(t, err)
							test.then(ctx, t, c, other)
						} else {
							inCallback(ctx, t, func() { test.then(ctx, t, c, other) })
						}
						s.CloseWrite()
						until(ctx, t, func() bool { return c.Lost() && test.name != "Detach" || other.Lost() })
						if got := string(c.Data) + "|" + string(other.Data); got != test.want && test.name != "Detach" {
							t.Errorf("received %q, want %q", got, test.want)
						} else if string(c.Data)+string(other.Data) != "data" && test.name == "Detach" {
							t.Errorf("received %q", got)
						}
						s.Close()
					})
				})
			}
		})
	}
}
