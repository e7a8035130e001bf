// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// dialFunc is the type of what Dialer.DialFunc returns.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Many tasks and goroutines outside the loop dial and talk at once.
func TestDialFuncFromTasksAndGoroutines(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		var srv netio.Server
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echo) })
		dial := netio.Dialer{}.DialFunc(ctx)
		talk := func(ctx context.Context, text string) error {
			conn, err := dial(ctx, w.network, ln.Addr().String())
			if err != nil {
				return err
			}
			if _, err := io.WriteString(conn, text); err != nil {
				return err
			}
			got := make([]byte, len(text))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
				t.Errorf("read %q, %v, want %q", got, err, text)
			}
			return conn.Close()
		}
		want(t, "the task that called DialFunc", talk(ctx, "own task"), nil)
		for i := range 10 {
			task.Go(ctx, func(ctx context.Context) error { return talk(ctx, fmt.Sprint("task ", i)) })
		}
		want(t, "outside", offload(ctx, func() error {
			errs := make([]error, 20)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() { errs[i] = talk(context.Background(), fmt.Sprint("goroutine ", i)) })
			}
			all.Wait()
			return errors.Join(errs...)
		}), nil)
		want(t, "Shutdown", srv.Shutdown(ctx), nil)
	})
}

// The ctx of a call ends the dial, but not the connection. A goroutine outside gets an error as
// in package net.
func TestDialFuncContextEndsOnlyTheDial(t *testing.T) {
	silent().Test(t, func(ctx context.Context, t *testing.T) {
		dial := dialFunc(netio.Dialer{}.DialFunc(ctx))
		for _, address := range []string{"host:80", "10.0.0.1:80"} {
			want(t, "outside", offload(ctx, func() error {
				start := time.Now()
				std, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := dial(std, "tcp", address)
				wrapped, _ := err.(*net.OpError)
				if wrapped == nil || wrapped.Op != "dial" || !wrapped.Timeout() || wrapped.Addr.String() != address {
					t.Errorf("dial: %v, want a *net.OpError", err)
				}
				if took := time.Since(start); took != time.Second {
					t.Errorf("dial took %v, want 1s", took)
				}
				_, err = dial(std, "tcp", address)
				want(t, "dial under an ended context", err, context.DeadlineExceeded)
				std, cancel = context.WithCancel(context.Background())
				time.AfterFunc(time.Second, cancel)
				_, err = dial(std, "tcp", address)
				want(t, "dial, cancelled", err, context.Canceled)
				return nil
			}), nil)
		}
		cause := errors.New("enough")
		caller := blocked(ctx, func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", "host:80") })
		caller.Cancel(cause)
		if _, err := caller.Await(ctx); !errors.Is(err, cause) {
			t.Errorf("dial of a task = %v", err)
		}
	})
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		std, cancel := context.WithCancel(context.Background())
		dial := netio.Dialer{}.DialFunc(ctx)
		want(t, "outside", offload(ctx, func() error {
			conn, err := dial(std, "tcp", "10.0.0.1:80")
			if err != nil {
				return err
			}
			cancel()
			_, err = conn.Write([]byte("x"))
			return errors.Join(err, conn.Close())
		}), nil)
		must(must(ln.Accept(ctx))(t).ReadFull(ctx, make([]byte, 1)))(t)
	})
}

// A dial that is cancelled while it connects returns the connection or closes it.
func TestDialFuncCancelRacesWithConnect(t *testing.T) {
	cfg := sim.Config{Network: virtual.Config{
		Dial: func(net.Addr) (time.Duration, error) { return time.Second, nil },
	}}
	for _, after := range []time.Duration{time.Second - 1, time.Second, time.Second + 1} {
		cfg.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			defer ln.Close()
			accepting := task.Start(ctx, func(ctx context.Context) (int, error) {
				s, err := ln.Accept(ctx)
				if errors.Is(err, net.ErrClosed) {
					return 0, nil
				}
				defer s.Close()
				_, err = s.Read(ctx, make([]byte, 1))
				want(t, "Read of the server", err, io.EOF)
				return 0, nil
			})
			dial := dialFunc(netio.Dialer{}.DialFunc(ctx))
			want(t, "outside", offload(ctx, func() error {
				std, cancel := context.WithTimeout(context.Background(), after)
				defer cancel()
				conn, err := dial(std, "tcp", "10.0.0.1:80")
				if err == nil {
					return conn.Close()
				}
				want(t, "dial", err, context.DeadlineExceeded)
				return nil
			}), nil)
			want(t, "sleep", sleep(ctx, time.Minute), nil)
			ln.Close()
			must(accepting.Await(ctx))(t)
		})
	}
}

// When the ctx of DialFunc ends, its connections are closed, its dials end, and later dials fail.
func TestDialFuncConnectionsEndWithContext(t *testing.T) {
	cause := errors.New("the end")
	for name, end := range map[string]error{"cancel": cause, "return": nil} {
		t.Run(name, func(t *testing.T) {
			cfg := silent()
			cfg.Network.Dial = func(addr net.Addr) (time.Duration, error) {
				if addr.(*net.TCPAddr).Port == 80 {
					return 0, nil
				}
				return never, nil
			}
			cfg.Test(t, func(ctx context.Context, t *testing.T) {
				ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
				defer ln.Close()
				var dial dialFunc
				var leave task.Future[struct{}]
				owner := blocked(ctx, func(ctx context.Context) (int, error) {
					dial = netio.Dialer{}.DialFunc(ctx)
					_, err := leave.Await(ctx)
					return 0, err
				})
				user := blocked(ctx, func(ctx context.Context) (int, error) {
					return 0, offload(ctx, func() error {
						conn := must(dial(context.Background(), "tcp", "10.0.0.1:80"))(t)
						var all sync.WaitGroup
						all.Go(func() {
							_, err := dial(context.Background(), "tcp", "10.0.0.1:81")
							if _, wrapped := err.(*net.OpError); !wrapped || end != nil && !errors.Is(err, end) {
								t.Errorf("dial during the end = %v", err)
							}
						})
						_, err := conn.Read(make([]byte, 1))
						if _, wrapped := err.(*net.OpError); !wrapped {
							t.Errorf("Read: %v", err)
						}
						_, err = dial(context.Background(), "tcp", "10.0.0.1:80")
						if _, wrapped := err.(*net.OpError); !wrapped || end != nil && !errors.Is(err, end) {
							t.Errorf("dial after the end = %v", err)
						}
						all.Wait()
						return nil // the connection is not closed
					})
				})
				peer := must(ln.Accept(ctx))(t)
				defer peer.Close()
				want(t, "sleep", sleep(ctx, time.Second), nil)
				if end != nil {
					owner.Cancel(end)
				} else {
					leave.Set(struct{}{})
				}
				_, err := owner.Await(ctx)
				want(t, "the owner", err, end)
				_, err = peer.Read(ctx, make([]byte, 1))
				want(t, "Read of the peer", err, io.EOF)
				must(user.Await(ctx))(t)
				_, err = dial(ctx, "tcp", "10.0.0.1:80")
				if _, wrapped := err.(*net.OpError); !wrapped {
					t.Errorf("dial of a task after the end = %v", err)
				}
			})
		})
	}
}

// A forgotten connection, from which a goroutine still reads as pools do, does not keep the
// program from ending.
func TestForgottenConnectionDoesNotKeepProgram(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		defer ln.Close()
		var pool sync.WaitGroup
		want(t, "Scope", task.Scope(ctx, func(ctx context.Context) error {
			dial := netio.Dialer{}.DialFunc(ctx)
			return offload(ctx, func() error {
				conn, err := dial(context.Background(), w.network, ln.Addr().String())
				if err != nil {
					return err
				}
				reading := make(chan struct{})
				pool.Go(func() {
					close(reading)
					for err := error(nil); err == nil; {
						_, err = conn.Read(make([]byte, 1))
					}
				})
				<-reading
				return nil
			})
		}), nil)
		peer := must(ln.Accept(ctx))(t)
		_, err := peer.Read(ctx, make([]byte, 1))
		want(t, "Read of the peer", err, io.EOF)
		want(t, "Close", peer.Close(), nil)
		want(t, "outside", offload(ctx, func() error { pool.Wait(); return nil }), nil)
	})
}

// Once the loop has stopped, the function fails and so do its connections.
func TestDialFuncFailsAfterRun(t *testing.T) {
	l := must(loop.New(loop.Config{}))(t)
	var dial dialFunc
	var conn net.Conn
	want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		dial = netio.Dialer{}.DialFunc(ctx)
		conn = must(dial(ctx, "tcp", ln.Addr().String()))(t)
		return nil
	}), nil)
	for range 2 {
		err := returns(t, "dial", func() error {
			_, err := dial(context.Background(), "tcp", "127.0.0.1:1")
			return err
		})
		if _, wrapped := err.(*net.OpError); !wrapped {
			t.Errorf("dial: %v", err)
		}
		if returns(t, "Read", func() error { _, err := conn.Read(make([]byte, 1)); return err }) == nil {
			t.Error("Read succeeded on a stopped loop")
		}
		returns(t, "Close", conn.Close)
		want(t, "Close", l.Close(), nil)
	}
}

// A closed connection leaves nothing in the ctx of DialFunc, which may live much longer.
func TestDialFuncKeepsNothing(t *testing.T) {
	const rounds = 50
	real(t, func(ctx context.Context) error {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		dial := netio.Dialer{}.DialFunc(ctx)
		var kept []weak.Pointer[net.TCPAddr] // each stream has its own address
		for range rounds {
			conn := must(dial(ctx, "tcp", ln.Addr().String()))(t)
			kept = append(kept, weak.Make(conn.LocalAddr().(*net.TCPAddr)))
			want(t, "Close", conn.Close(), nil)
			must(ln.Accept(ctx))(t).Close()
		}
		runtime.GC()
		runtime.GC() // frees what a sync.Pool has kept in the first one
		n := 0
		for _, addr := range kept {
			if addr.Value() != nil {
				n++
			}
		}
		if n > rounds/5 { // a stack or a table may still name the last ones
			t.Errorf("%d of %d closed streams are still reachable", n, rounds)
		}
		return nil
	})
}

// Simulations with the same seed close the connections in the same turn.
func TestDialFuncReplay(t *testing.T) {
	var turns []int // from the end of the ctx to the end of the stream
	for range 20 {
		sim.Config{Seed: 7}.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			defer ln.Close()
			owner := task.Start(ctx, func(ctx context.Context) (net.Conn, error) {
				return netio.Dialer{}.DialFunc(ctx)(ctx, "tcp", "10.0.0.1:80")
			})
			peer := must(ln.Accept(ctx))(t)
			defer peer.Close()
			must(owner.Await(ctx))(t)
			reader := task.Start(ctx, func(ctx context.Context) (int, error) { return peer.Read(ctx, make([]byte, 1)) })
			n := 0
			for reader.State() != task.Done {
				want(t, "Yield", task.Yield(ctx), nil)
				n++
			}
			_, err := reader.Await(ctx)
			want(t, "Read of the peer", err, io.EOF)
			turns = append(turns, n)
		})
	}
	if slices.Min(turns) != slices.Max(turns) {
		t.Errorf("the streams ended after %v turns, want the same number each time", turns)
	}
}

// dial panics if a task of another loop calls it.
func TestDialFuncOnAnotherLoopPanics(t *testing.T) {
	real(t, func(ctx context.Context) error {
		dial := netio.Dialer{}.DialFunc(ctx)
		return offload(ctx, func() error {
			real(t, func(ctx context.Context) error {
				panics(t, "dial on another loop", func() { dial(ctx, "tcp", "127.0.0.1:1") }, "Portal")
				return nil
			})
			return nil
		})
	})
}
