// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// handlerCase is a handler and what the server reports about it.
type handlerCase struct {
	name     string
	handler  netio.Handler
	reported string // part of the error passed to OnError; "" if none
}

var errBoom = errors.New("boom")

var handlerCases = []handlerCase{
	{"nil", func(context.Context, *netio.Stream) error { return nil }, ""},
	{"error", func(context.Context, *netio.Stream) error { return errBoom }, "boom"},
	{"io.EOF", func(context.Context, *netio.Stream) error { return io.EOF }, ""},
	{"net.ErrClosed", func(context.Context, *netio.Stream) error { return net.ErrClosed }, ""},
	{"io.EOF, wrapped", func(context.Context, *netio.Stream) error { return fmt.Errorf("answer: %w", io.EOF) }, "answer: EOF"},
	{"io.EOF, and an error", func(context.Context, *netio.Stream) error { return errors.Join(io.EOF, errBoom) }, "boom"},
	{"EPIPE, unwrapped", func(context.Context, *netio.Stream) error { return syscall.EPIPE }, "broken pipe"},
	{"ErrShutdown", func(context.Context, *netio.Stream) error { return fmt.Errorf("answer: %w", netio.ErrShutdown) }, ""},
	{"own timeout", func(ctx context.Context, s *netio.Stream) error {
		s.SetReadTimeout(time.Second)
		_, err := s.ReadLine(ctx)
		return err
	}, ""},
	{"own deadline", func(ctx context.Context, s *netio.Stream) error {
		conn := s.NetConn(ctx)
		conn.SetDeadline(task.Now(ctx))
		_, err := conn.Write([]byte("x"))
		return err
	}, ""},
	{"own timeout, wrapped", func(ctx context.Context, s *netio.Stream) error {
		s.SetReadTimeout(time.Second)
		_, err := s.ReadLine(ctx)
		return slowPeer{err}
	}, "slow peer"},
	{"own ETIMEDOUT", func(_ context.Context, s *netio.Stream) error { return gone(s, syscall.ETIMEDOUT) }, ""},
	{"own EHOSTUNREACH", func(_ context.Context, s *netio.Stream) error { return gone(s, syscall.EHOSTUNREACH) }, ""},
	{"own ENETUNREACH", func(_ context.Context, s *netio.Stream) error { return gone(s, syscall.ENETUNREACH) }, ""},
	{"own EACCES", func(_ context.Context, s *netio.Stream) error {
		return gone(s, syscall.EACCES)
	}, "permission denied"},
	{"another's timeout", func(ctx context.Context, s *netio.Stream) error {
		other, err := netio.Dial(ctx, "tcp", s.LocalAddr().String())
		if err != nil {
			return err
		}
		defer other.Close()
		other.SetReadTimeout(time.Second)
		_, err = other.ReadLine(ctx)
		return err
	}, "i/o timeout"},
	{"another's reset", func(ctx context.Context, s *netio.Stream) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		other, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer other.Close()
		peer, err := ln.Accept(ctx)
		if err != nil {
			return err
		}
		peer.Abort()
		_, err = other.ReadLine(ctx)
		return fmt.Errorf("ask: %w", err)
	}, "connection reset"},
	{"another's EPIPE", func(context.Context, *netio.Stream) error {
		return errors.Join(io.EOF, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)})
	}, "broken pipe"},
	{"another's Close", func(ctx context.Context, s *netio.Stream) error {
		other, err := netio.Dial(ctx, "tcp", s.LocalAddr().String())
		if err != nil {
			return err
		}
		other.Close()
		_, err = other.ReadLine(ctx)
		return err
	}, "use of closed"},
	{"own reset", func(_ context.Context, s *netio.Stream) error { return gone(s, syscall.ECONNRESET) }, ""},
	{"own EPIPE", func(_ context.Context, s *netio.Stream) error { return gone(s, syscall.EPIPE) }, ""},
	{"own Close", func(ctx context.Context, s *netio.Stream) error {
		s.Close()
		_, err := s.ReadLine(ctx)
		return err
	}, ""},
	{"another's EHOSTUNREACH", func(context.Context, *netio.Stream) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}
	}, "no route to host"},
	{"timeout without a connection", func(context.Context, *netio.Stream) error { return os.ErrDeadlineExceeded }, "i/o timeout"},
	{"Canceled of another", func(ctx context.Context, s *netio.Stream) error {
		t := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, sleep(ctx, time.Hour) })
		t.Cancel(errBoom)
		_, err := t.Await(ctx)
		return err
	}, "boom"},
	{"panic", func(context.Context, *netio.Stream) error { panic(errBoom) }, "panicked: boom"},
	{"panic with io.EOF", func(context.Context, *netio.Stream) error { panic(io.EOF) }, "panicked: EOF"},
	{"a task fails", func(ctx context.Context, s *netio.Stream) error {
		task.Go(ctx, func(context.Context) error { return errBoom })
		_, err := s.ReadLine(ctx)
		return err
	}, "boom"},
	{"a task panics", func(ctx context.Context, s *netio.Stream) error {
		task.Go(ctx, func(context.Context) error { panic(errBoom) })
		return nil
	}, "panicked: boom"},
	{"closes by itself", func(_ context.Context, s *netio.Stream) error { return s.Close() }, ""},
	{"aborts by itself", func(_ context.Context, s *netio.Stream) error { return s.Abort() }, ""},
}

// A handler's result concerns only its own connection. Each error is reported to the function
// that its documentation names, or to none.
func TestHandlerErrorsAreReported(t *testing.T) {
	for _, c := range handlerCases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var exceptions []loop.Exception
				task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
					exceptions = append(exceptions, e)
				})
				first := true
				s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
					if !first {
						return echo(ctx, s)
					}
					first = false
					return c.handler(ctx, s)
				})
				bad := s.dial(ctx, t)
				if _, err := bad.ReadLine(ctx); err == nil {
					t.Error("the connection is still open")
				}
				bad.Close()
				good := s.dial(ctx, t)
				write(ctx, t, good, "still there\n")
				if line, err := good.ReadLine(ctx); line != "still there" || err != nil {
					t.Errorf("the next connection: %q, %v", line, err)
				}
				good.Close()
				want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
				want(t, "ServeListener", s.end(ctx), nil)
				switch {
				case c.reported == "" && len(s.errs)+len(exceptions) > 0:
					t.Errorf("reported %v and the exceptions %v, want nothing", s.errs, exceptions)
				case c.reported != "" && (len(s.errs) != 1 || !strings.Contains(s.errs[0].Error(), c.reported)):
					t.Errorf("reported %v, want %q", s.errs, c.reported)
				}
				panics := strings.HasPrefix(c.reported, "panicked")
				if panics != (len(exceptions) == 1) || panics && len(exceptions[0].Stack) == 0 {
					t.Errorf("%d exceptions with a stack: %v", len(exceptions), exceptions)
				}
			})
		})
	}
}

// slowPeer is an error by which a handler asks to have a timeout reported.
type slowPeer struct{ error }

func (s slowPeer) Error() string { return "slow peer: " + s.error.Error() }
func (s slowPeer) Unwrap() error { return s.error }

// gone returns the error that a stream returns if the kernel returned err.
func gone(s *netio.Stream, err error) error {
	return &net.OpError{
		Op: "read", Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(),
		Err: os.NewSyscallError("read", err),
	}
}

// A handler that was cancelled may return its cancel in any form: the server does not report it.
// It reports a cancel that came from elsewhere, and every other error.
func TestHandlerCancelIsNotReported(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name     string
		canceled bool // whether the handler is cancelled before it returns
		result   func(ctx context.Context, err error) error
		reported bool
	}{
		{"Canceled", true, func(_ context.Context, err error) error { return err }, false},
		{"ctx.Err()", true, func(ctx context.Context, _ error) error { return ctx.Err() }, false},
		{"context.Cause", true, func(ctx context.Context, _ error) error { return context.Cause(ctx) }, false},
		{"wrapped", true, func(ctx context.Context, _ error) error { return fmt.Errorf("work: %w", ctx.Err()) }, false},
		{"joined", true, func(ctx context.Context, err error) error { return errors.Join(ctx.Err(), err) }, false},
		{"with an end", true, func(ctx context.Context, err error) error { return errors.Join(err, io.EOF) }, true},
		{"with a failure", true, func(ctx context.Context, _ error) error { return errors.Join(ctx.Err(), boom) }, true},
		{"another sentinel", true, func(context.Context, error) error { return context.DeadlineExceeded }, true},
		{"a panic", true, func(ctx context.Context, _ error) error { panic(ctx.Err()) }, true},
		{"without a cancel", false, func(context.Context, error) error { return context.Canceled }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				task.Loop(ctx).SetExceptionHandler(func(*loop.Loop, loop.Exception) {}) // of the panic
				s := serve(ctx, t, &netio.Server{Grace: 2 * time.Second}, func(ctx context.Context, s *netio.Stream) error {
					d := time.Second
					if c.canceled {
						d = time.Hour
					}
					return c.result(ctx, linger(d)(ctx, s))
				})
				defer s.greeted(ctx, t).Close()
				var left *netio.LeftError
				s.srv.Shutdown(ctx)
				if err := s.end(ctx); errors.As(err, &left) != c.canceled {
					t.Errorf("ServeListener: %v", err)
				}
				if (len(s.errs) == 1) != c.reported || len(s.errs) > 1 {
					t.Errorf("reported %v, want an error: %v", s.errs, c.reported)
				}
			})
		})
	}
}

// Without OnError, or if OnError panics, errors go to the exception handler.
func TestErrorsReachExceptionHandler(t *testing.T) {
	for _, onError := range []func(*netio.Stream, error){nil, func(*netio.Stream, error) { panic("on error") }} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			var messages []string
			task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
				messages = append(messages, e.String())
			})
			ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
			srv := &netio.Server{OnError: onError}
			task.Go(ctx, func(ctx context.Context) error {
				return srv.ServeListener(ctx, ln, func(context.Context, *netio.Stream) error { return errors.New("boom") })
			})
			c := must(netio.Dial(ctx, "tcp", ln.Addr().String()))(t)
			_, err := c.ReadLine(ctx)
			want(t, "ReadLine", err, io.EOF)
			wanted := fmt.Sprintf("serving %v->%v: boom", c.RemoteAddr(), c.LocalAddr())
			if onError != nil {
				wanted = "on error"
			}
			c.Close()
			want(t, "Shutdown", srv.Shutdown(ctx), nil)
			if len(messages) != 1 || !strings.Contains(messages[0], wanted) {
				t.Errorf("the exception handler received %q, want %q", messages, wanted)
			}
		})
	}
}

// Close ends even a handler that is in a Write to a peer that does not read.
func TestCloseEndsBlockedWriteOfHandler(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		var handlers []error
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			shielded, release := task.Shield(ctx, -1)
			defer release()
			_, err := s.Write(shielded, bulk[:])
			handlers = append(handlers, err)
			return err
		})
		c := s.dial(ctx, t)
		defer c.Close()
		must(c.Peek(ctx, 1))(t)
		want(t, "Close", s.srv.Close(), nil)
		want(t, "ServeListener", s.end(ctx), nil)
		if !slices.ContainsFunc(handlers, func(err error) bool { return errors.Is(err, net.ErrClosed) }) {
			t.Errorf("the handlers returned %v, want net.ErrClosed", handlers)
		}
	})
}

// FailNow in a handler ends the test, not only the handler.
func TestGoexitInHandlerEndsTheTest(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ctx, release := task.Shield(ctx, time.Minute)
		defer release()
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		task.Go(ctx, func(ctx context.Context) error {
			c, err := netio.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			c.ReadLine(ctx)
			return c.Close()
		})
		return (&netio.Server{}).ServeListener(ctx, ln, func(context.Context, *netio.Stream) error {
			runtime.Goexit()
			return nil
		})
	})
	want(t, "Run", err, task.ErrGoexit)
}
