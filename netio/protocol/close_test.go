// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// Close sends what was written, and then calls ConnectionLost once, with nil.
func TestCloseSendsWhatWasWritten(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		sent := append(crowd(ctx, t, tr), "the end"...)
		_, err := tr.Write([]byte("the end"))
		must(t, err)
		tr.Close()
		tr.Close()
		if !tr.IsClosing() || tr.IsReading() {
			t.Error("after Close the transport must be closing, and must not read")
		}
		n, err := tr.Write([]byte("more"))
		if n != 0 {
			t.Errorf("Write after Close accepted %d bytes", n)
		}
		wantErr(t, "Write after Close", err, net.ErrClosed)
		turns(ctx, t, 5)
		if c.Lost() {
			t.Error("ConnectionLost before everything was sent")
		}
		readAll(ctx, t, s, sent)
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}

// Close drops bytes that were read and that the protocol has not received.
func TestCloseEndsReadingAtOnce(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		turns(ctx, t, 3)
		tr.PauseReading()
		write(ctx, t, s, []byte("too late"))
		must(t, s.CloseWrite())
		turns(ctx, t, 5)
		tr.ResumeReading()
		tr.Close()
		tr.ResumeReading()
		must(t, c.UntilLost(ctx))
		if len(c.Data) > 0 || c.Err != nil {
			t.Errorf("%q, %v", c.Data, c.Err)
		}
		s.Close()
	})
}

// Calls after the end of a transport do nothing.
func TestCallsAfterTheEndDoNothing(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		tr.Abort()
		tr.Abort()
		tr.Close()
		for range 2 {
			for range 6 {
				_, err := tr.Write([]byte("x"))
				wantErr(t, "Write", err, net.ErrClosed)
				_, err = tr.WriteBuffers([]byte("x"))
				wantErr(t, "WriteBuffers", err, net.ErrClosed)
			}
			tr.CloseWrite()
			tr.PauseReading()
			tr.ResumeReading()
			tr.SetWriteBufferLimits(1, 0)
			tr.Close()
			tr.Abort()
			_, err := tr.Detach(ctx)
			wantErr(t, "Detach", err, net.ErrClosed)
			wantErr(t, "StartTLS", tr.StartTLS(ctx, nil), net.ErrClosed)
			if tr.WriteBufferSize() != 0 || tr.WritePaused() || tr.IsReading() || !tr.IsClosing() {
				t.Error("the transport is not idle")
			}
			must(t, c.UntilLost(ctx))
			turns(ctx, t, 5)
		}
		wantErr(t, "ConnectionLost", c.Err, nil)
		if want := []string{"ConnectionMade", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
			t.Errorf("calls %v, want %v", c.Calls, want)
		}
		s.Close()
	})
}

// Abort drops what is not sent, also after a Close that cannot send it.
func TestAbortDropsWhatIsNotSent(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "after Close"}[closed], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				sent := crowd(ctx, t, tr)
				if closed {
					tr.Close()
				}
				tr.Abort()
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
				got, err := s.ReadAll(ctx, 64<<20)
				if len(got) >= len(sent) || !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer read %d of %d bytes, %v", len(got), len(sent), err)
				}
				s.Close()
			})
		})
	}
}

func TestCloseTimeout(t *testing.T) {
	for _, test := range []struct {
		timeout, want time.Duration
	}{{0, 30 * time.Second}, {time.Second, time.Second}} {
		for _, sort := range sorts {
			t.Run(test.want.String()+"/"+sort.name, func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					c := &protocoltest.Checker{T: t}
					s, tr := pair(ctx, t, protocol.Config{CloseTimeout: test.timeout}, sort.of(c))
					crowd(ctx, t, tr)
					began := task.Now(ctx)
					tr.Close()
					must(t, c.UntilLost(ctx))
					if took := task.Now(ctx).Sub(began); took != test.want {
						t.Errorf("ConnectionLost after %v, want %v", took, test.want)
					}
					wantErr(t, "ConnectionLost", c.Err, os.ErrDeadlineExceeded)
					s.Close()
				})
			})
		}
	}
	t.Run("none", func(t *testing.T) {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			c := &protocoltest.Checker{T: t}
			s, tr := pair(ctx, t, protocol.Config{CloseTimeout: -1}, c.Plain())
			sent := crowd(ctx, t, tr)
			tr.Close()
			sleep(ctx, t, 24*time.Hour)
			if c.Lost() {
				t.Error("Close has given up")
			}
			readAll(ctx, t, s, sent)
			must(t, c.UntilLost(ctx))
			wantErr(t, "ConnectionLost", c.Err, nil)
			s.Close()
		})
	})
	t.Run("in time", func(t *testing.T) {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			c := &protocoltest.Checker{T: t}
			s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
			sent := crowd(ctx, t, tr)
			tr.Close()
			sleep(ctx, t, 29*time.Second)
			readAll(ctx, t, s, sent)
			must(t, c.UntilLost(ctx))
			wantErr(t, "ConnectionLost", c.Err, nil)
			sleep(ctx, t, time.Minute) // the timer was stopped
			s.Close()
		})
	})
}

// CloseWrite ends the writing direction after everything is sent. Reading goes on.
func TestCloseWriteEndsOneDirection(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(map[bool]string{false: "nothing to send", true: "something to send"}[full], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				c := &protocoltest.Checker{T: t}
				c.OnEOF = func() bool { return true }
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				var sent []byte
				if full {
					sent = crowd(ctx, t, tr)
				}
				tr.CloseWrite()
				tr.CloseWrite()
				_, err := tr.Write([]byte("x"))
				wantErr(t, "Write after CloseWrite", err, syscall.EPIPE)
				readAll(ctx, t, s, sent)
				write(ctx, t, s, []byte("still there"))
				must(t, c.UntilData(ctx, 11))
				if string(c.Data) != "still there" || tr.IsClosing() {
					t.Errorf("%q, closing: %v", c.Data, tr.IsClosing())
				}
				must(t, s.Close())
				must(t, c.Until(ctx, func() bool { return slices.Contains(c.Calls, "EOFReceived") }))
				tr.Close()
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
			})
		})
	}
}

// A protocol whose EOFReceived returns true can go on writing.
func TestEOFReceivedKeepsTheTransportOpen(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		c.OnEOF = func() bool { return true }
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		write(ctx, t, s, []byte("question"))
		must(t, s.CloseWrite())
		must(t, c.Until(ctx, func() bool { return slices.Contains(c.Calls, "EOFReceived") }))
		turns(ctx, t, 5)
		if tr.IsClosing() || tr.IsReading() {
			t.Errorf("closing: %v, reading: %v", tr.IsClosing(), tr.IsReading())
		}
		tr.PauseReading()
		tr.ResumeReading() // a second EOFReceived would fail the test
		turns(ctx, t, 5)
		_, err := tr.Write([]byte("answer"))
		must(t, err)
		tr.Close()
		readAll(ctx, t, s, []byte("answer"))
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}

// A reset by the peer is the error of ConnectionLost, for a read and for a write.
func TestResetIsTheErrorOfConnectionLost(t *testing.T) {
	for _, writing := range []bool{false, true} {
		t.Run(map[bool]string{false: "reading", true: "writing"}[writing], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				if writing {
					tr.PauseReading()
					crowd(ctx, t, tr)
				}
				must(t, s.Abort())
				for writing && !tr.IsClosing() { // also if the kernel has accepted all of it
					_, _ = tr.Write([]byte("x"))
					must(t, task.Yield(ctx))
				}
				must(t, c.UntilLost(ctx))
				e, ok := c.Err.(*net.OpError)
				if !ok || e.Source != tr.LocalAddr() || e.Addr != tr.RemoteAddr() ||
					!errors.Is(e, syscall.ECONNRESET) && !(writing && errors.Is(e, syscall.EPIPE)) {
					t.Errorf("ConnectionLost with %v", c.Err)
				}
				if want := []string{"ConnectionMade", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
					t.Errorf("calls %v, want %v", c.Calls, want)
				}
			})
		})
	}
}

// A reset while the transport sends after Close is the error of ConnectionLost, too.
func TestResetDuringClose(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		crowd(ctx, t, tr)
		tr.Close()
		must(t, s.Abort())
		must(t, c.UntilLost(ctx))
		if !errors.Is(c.Err, syscall.ECONNRESET) && !errors.Is(c.Err, syscall.EPIPE) {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
	})
}

// After Close, the peer read the end of the stream, and no byte twice.
func TestPeerReadsTheEndOfTheStreamAfterClose(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		_, err := tr.WriteBuffers([]byte("a"), nil, []byte("bc"))
		must(t, err)
		tr.Close()
		readAll(ctx, t, s, []byte("abc"))
		if _, err := s.Read(ctx, make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer read %v", err)
		}
		must(t, c.UntilLost(ctx))
		must(t, s.Close())
	})
}

// sleep waits on the loop's clock.
func sleep(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	must(t, await.Sleep(ctx, d))
}
