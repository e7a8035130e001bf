// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A server of package net/http serves on its own goroutines. It ends as with a listener of
// package net.
func TestNetListenerHTTP(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		const clients = 8
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		listener := ln.NetListener(ctx)
		if listener.Addr().String() != ln.Addr().String() {
			t.Errorf("Addr is %v, want %v", listener.Addr(), ln.Addr())
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello, ", r.URL.Path)
		})}
		serving := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, outside(ctx, func() error { return srv.Serve(listener) })
		})
		dial := netio.Dialer{}.DialFunc(ctx)
		address := ln.Addr().String()
		client := &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, w.network, address) },
		}}
		want(t, "outside", outside(ctx, func() error {
			errs := make([]error, clients)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() {
					resp, err := client.Get(fmt.Sprint("http://server/", i))
					if err != nil {
						errs[i] = err
						return
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					if string(body) != fmt.Sprint("hello, /", i) {
						err = errors.Join(err, fmt.Errorf("the answer is %q", body))
					}
					errs[i] = err
				})
			}
			all.Wait()
			client.CloseIdleConnections()
			return errors.Join(append(errs, srv.Shutdown(context.Background()))...)
		}), nil)
		_, err := serving.Await(ctx)
		want(t, "Serve", err, http.ErrServerClosed)
		want(t, "Close of the listener", ln.Close(), net.ErrClosed)
	})
}

// Any number of callers accept at the same time: the task of ctx, other tasks and goroutines
// outside. Close ends all their calls and leaves connections open.
func TestNetListenerCallers(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		const each = 3
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		listener := ln.NetListener(ctx)
		accept := func() error {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			_, err = conn.Write([]byte("x"))
			return errors.Join(err, conn.Close())
		}
		var callers []*task.Task[int]
		for range each {
			callers = append(callers, blocked(ctx, func(context.Context) (int, error) { return 0, accept() }),
				blocked(ctx, func(ctx context.Context) (int, error) { return 0, outside(ctx, accept) }))
		}
		dialers := task.Start(ctx, func(ctx context.Context) (int, error) {
			for range 2*each + 1 {
				s, err := netio.Dial(ctx, w.network, ln.Addr().String())
				if err != nil {
					return 0, err
				}
				if b, err := s.ReadAll(ctx, 1); string(b) != "x" || err != nil {
					return 0, fmt.Errorf("read %q, %w", b, err)
				}
				want(t, "Close", s.Close(), nil)
			}
			return 0, nil
		})
		want(t, "Accept on the task of ctx", accept(), nil)
		for _, c := range append(callers, dialers) {
			_, err := c.Await(ctx)
			want(t, "a caller", err, nil)
		}

		first := blocked(ctx, func(context.Context) (int, error) { return 0, accept() })
		want(t, "Yield", errors.Join(task.Yield(ctx), task.Yield(ctx)), nil) // its worker accepts
		_, err := ln.Accept(ctx)
		want(t, "Accept of the listener itself", err, netio.ErrBusy)
		first.Cancel(nil)
		if _, err := first.Await(ctx); !errors.As(err, new(*task.Canceled)) {
			t.Errorf("Accept of a cancelled task = %v", err)
		}
		waiting := []*task.Task[int]{
			blocked(ctx, func(context.Context) (int, error) { return 0, accept() }),
			blocked(ctx, func(ctx context.Context) (int, error) { return 0, outside(ctx, accept) }),
		}
		s := must(netio.Dial(ctx, w.network, ln.Addr().String()))(t)
		defer s.Close()
		_, err = waiting[0].Await(ctx)
		want(t, "Accept", err, nil)
		want(t, "Close, outside", outside(ctx, listener.Close), nil)
		_, err = waiting[1].Await(ctx)
		want(t, "Accept during Close", err, net.ErrClosed)
		want(t, "Accept after Close", outside(ctx, accept), net.ErrClosed)
		want(t, "Close again", outside(ctx, listener.Close), net.ErrClosed)
		if b, err := s.ReadAll(ctx, 1); string(b) != "x" {
			t.Errorf("read %q, %v", b, err)
		}
	})
}

// The end of ctx ends Accept and closes the connections. The listener stays open.
func TestNetListenerLifetime(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		cause := errors.New("the end of a lifetime")
		views := make(chan net.Listener, 1)
		owner := task.Start(ctx, func(ctx context.Context) (int, error) {
			views <- ln.NetListener(ctx)
			return 0, sleep(ctx, time.Hour)
		})
		want(t, "Yield", errors.Join(task.Yield(ctx), task.Yield(ctx)), nil)
		listener := <-views
		accept := func() error {
			_, err := listener.Accept()
			return err
		}
		s := must(netio.Dial(ctx, "tcp", "10.0.0.1:80"))(t)
		defer s.Close()
		want(t, "Accept", outside(ctx, accept), nil)
		inside := blocked(ctx, func(context.Context) (int, error) { return 0, accept() })
		abroad := blocked(ctx, func(ctx context.Context) (int, error) { return 0, outside(ctx, accept) })
		want(t, "sleep", sleep(ctx, time.Second), nil)
		owner.Cancel(cause)
		for what, caller := range map[string]*task.Task[int]{"a task": inside, "outside": abroad} {
			_, err := caller.Await(ctx)
			var dressed *net.OpError
			if !errors.Is(err, cause) || !errors.As(err, &dressed) || dressed.Op != "accept" || dressed.Addr.String() != "10.0.0.1:80" {
				t.Errorf("Accept of %s = %v, want a *net.OpError around the cause", what, err)
			}
		}
		_, _ = owner.Await(ctx)
		if _, err := s.ReadAll(ctx, 1); err != nil {
			t.Errorf("ReadAll = %v, want the end of the connection", err)
		}
		want(t, "Accept", outside(ctx, accept), cause)
		accepted := blocked(ctx, ln.Accept)
		must(netio.Dial(ctx, "tcp", "10.0.0.1:80"))(t)
		must(accepted.Await(ctx))(t)
	})
}

// A connection that arrives while an Accept is cancelled is returned by it, or stays in the queue.
func TestNetListenerCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		listener := ln.NetListener(ctx)
		for range 20 {
			caller := blocked(ctx, func(context.Context) (net.Conn, error) { return listener.Accept() })
			dialed := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
				return netio.Dial(ctx, "tcp", "10.0.0.1:80")
			})
			task.Go(ctx, func(context.Context) error {
				caller.Cancel(nil)
				return nil
			})
			conn, err := caller.Await(ctx)
			if errors.As(err, new(*task.Canceled)) {
				conn, err = listener.Accept()
			}
			want(t, "Accept", err, nil)
			s := must(dialed.Await(ctx))(t)
			write(ctx, t, s, "x")
			must(conn.Read(make([]byte, 1)))(t)
			want(t, "Close", errors.Join(conn.Close(), s.Close()), nil)
		}
	})
}

func TestNetListenerMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		listener := ln.NetListener(ctx)
		var done task.Future[struct{}]
		task.Loop(ctx).CallSoon(func() {
			panics(t, "Accept in a callback", func() { listener.Accept() }, "accept of a net.Listener", "in a callback", "start a task")
			done.Set(struct{}{})
		})
		must(done.Await(ctx))(t)
		return outside(ctx, func() error {
			real(t, func(ctx context.Context) error {
				panics(t, "Accept on another loop", func() { listener.Accept() }, "Portal")
				panics(t, "NetListener on another loop", func() { ln.NetListener(ctx) }, "Portal")
				return nil
			})
			return nil
		})
	})
}

// Package net/http serves on a listener that the loop accepts from.
func ExampleListener_NetListener() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hello")
		})}
		listener := ln.NetListener(ctx)
		serving := task.StartErr(ctx, func(ctx context.Context) error {
			_, err := await.Blocking(ctx, func(context.Context) (int, error) { return 0, srv.Serve(listener) })
			return err
		})
		_, err = await.Blocking(ctx, func(context.Context) (int, error) {
			defer srv.Close()
			resp, err := http.Get("http://" + listener.Addr().String())
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			fmt.Println(string(body))
			return 0, err
		})
		if err != nil {
			return err
		}
		if _, err := serving.Await(ctx); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}
