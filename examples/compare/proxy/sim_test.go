// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/examples/compare/proxy"
	"baton/examples/compare/proxy/tasks"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// schedules is how many schedules each simulated test tries.
const schedules = 50

// A world is a proxy with tasks in a simulated world, and two backends that can be switched
// off.
type world struct {
	ctx     context.Context
	t       *testing.T
	cfg     proxy.Config
	began   time.Time
	address string
	stats   func() proxy.Stats
	serving *task.Task[struct{}]

	fate map[string]fate // of dials, by address; with the zero fate they succeed
}

// A fate decides what happens to the dials to an address.
type fate struct {
	delay time.Duration
	err   error
}

const proxyAddress, a, b = "127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"

// simulate runs fn in many worlds, each with another schedule. After fn, simulate ends the
// proxy, and fails the test if Serve does not return want.
func simulate(t *testing.T, cfg proxy.Config, want error, fn func(w *world)) {
	for range schedules {
		w := &world{fate: map[string]fate{}}
		network := virtual.Config{Dial: func(addr net.Addr) (time.Duration, error) {
			f := w.fate[addr.String()]
			return f.delay, f.err
		}}
		sim.Config{Network: network}.Test(t, func(ctx context.Context, t *testing.T) {
			w.ctx, w.t, w.cfg, w.began = ctx, t, cfg.Defaults(), task.Now(ctx)
			w.backend(a)
			w.backend(b)
			w.serve(cfg)
			fn(w)
			w.serving.Cancel(nil)
			var cut *proxy.CutError
			if _, err := w.serving.Await(ctx); err != want && (!errors.As(err, &cut) || *cut != *want.(*proxy.CutError)) {
				t.Errorf("Serve: %v, want %v", err, want)
			}
			for _, b := range w.stats().Backends {
				if b.Active != 0 {
					t.Errorf("slots are left: %+v", b)
				}
			}
			task.ScopeOf(ctx).Cancel(nil) // the backends
		})
	}
}

func (w *world) serve(cfg proxy.Config) {
	cfg.Ready = func(addr net.Addr, stats func() proxy.Stats) { w.address, w.stats = addr.String(), stats }
	w.serving = task.StartErr(w.ctx, func(ctx context.Context) error {
		return tasks.Serve(ctx, proxyAddress, []string{a, b}, cfg)
	})
	w.sleep(1)
	w.began = w.began.Add(1)
}

// backend starts a backend. It sends its address, and then sends back what it receives, unless
// that begins with "mute".
func (w *world) backend(address string) {
	task.Go(w.ctx, func(ctx context.Context) error {
		server := netio.Server{Grace: -1}
		return server.Serve(ctx, "tcp", address, func(ctx context.Context, s *netio.Stream) error {
			if _, err := s.Write(ctx, []byte(address+"\n")); err != nil {
				return nil // a health check
			}
			begin, err := s.Peek(ctx, 4)
			if err != nil {
				return nil // a health check, or a client that sends nothing
			}
			if string(begin) == "mute" {
				_, err = netio.Copy(ctx, nowhere{}, s)
			} else {
				_, err = netio.Copy(ctx, s, s)
			}
			return err
		})
	})
}

type nowhere struct{}

func (nowhere) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

func (w *world) sleep(d time.Duration) {
	if err := await.Sleep(w.ctx, d); err != nil {
		w.t.Fatal(err)
	}
}

// at fails the test if the time since the start is not want, and then restarts the clock.
func (w *world) at(what string, want time.Duration) {
	w.t.Helper()
	if got := task.Now(w.ctx).Sub(w.began); got != want {
		w.t.Errorf("%s after %v, want %v", what, got, want)
	}
	w.began = task.Now(w.ctx)
}

func (w *world) dial(ctx context.Context) *netio.Stream {
	w.t.Helper()
	s, err := netio.Dial(ctx, "tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// receives reads a line, and fails the test if it is not want, or if the error is not failure.
func (w *world) receives(s *netio.Stream, want string, failure error) {
	w.t.Helper()
	if got, err := s.ReadLine(w.ctx); got != want || !errors.Is(err, failure) {
		w.t.Errorf("a client receives %q, %v, want %q, %v", got, err, want, failure)
	}
}

// A connection that waits is closed exactly after the timeout.
func TestSimWait(t *testing.T) {
	const timeout = time.Hour
	cfg := proxy.Config{MaxConns: 1, WaitTimeout: timeout, IdleTimeout: 2 * timeout, HealthInterval: timeout}
	simulate(t, cfg, nil, func(w *world) {
		first := w.dial(w.ctx)
		w.receives(first, a, nil)
		second := w.dial(w.ctx)
		w.sleep(1)
		third := w.dial(w.ctx)
		w.sleep(timeout - 2)
		first.Close()
		w.receives(second, b, nil)
		w.at("the second one is served", timeout-1)
		w.receives(third, "", io.EOF)
		w.at("the third one is closed", 2)
		second.Close()
		third.Close()
	})
}

// A slot that becomes free at the moment at which a wait ends is not lost.
func TestSimWaitRace(t *testing.T) {
	const timeout = time.Minute
	simulate(t, proxy.Config{MaxConns: 1, WaitTimeout: timeout}, nil, func(w *world) {
		first := w.dial(w.ctx)
		w.receives(first, a, nil)
		second := w.dial(w.ctx)
		w.sleep(timeout)
		first.Close()
		line, err := second.ReadLine(w.ctx)
		if line != b && err != io.EOF {
			w.t.Errorf("the second client receives %q, %v", line, err)
		}
		w.at("the wait ends", timeout)
		second.Close()
		w.sleep(1)
		third := w.dial(w.ctx)
		if line, err := third.ReadLine(w.ctx); line != a && line != b {
			w.t.Errorf("the third client receives %q, %v", line, err)
		}
		third.Close()
	})
}

// After a dial that fails or has no answer, the proxy pauses and dials the next backend. The
// pauses double.
func TestSimRetry(t *testing.T) {
	const timeout, pause = 2 * time.Second, 50 * time.Millisecond // the defaults
	cfg := proxy.Config{Attempts: 4, HealthInterval: time.Hour, Fall: 10}
	simulate(t, cfg, nil, func(w *world) {
		w.fate[a] = fate{delay: -1}
		w.fate[b] = fate{err: syscall.EHOSTUNREACH}
		s := w.dial(w.ctx)
		w.receives(s, "", io.EOF)
		w.at("all dials have failed", timeout+pause+0+2*pause+timeout+4*pause+0)
		s.Close()
		if got := w.stats().Failed; got != 1 {
			w.t.Errorf("%d have failed, want 1", got)
		}
		w.fate[b] = fate{delay: time.Second}
		s = w.dial(w.ctx)
		w.receives(s, b, nil)
		w.at("the other backend accepts", timeout+pause+time.Second)
		s.Close()
	})
}

// Fall failed checks in a row make a backend sick, and Rise successful checks in a row make it
// healthy. Connections wait for a healthy backend.
func TestSimHealth(t *testing.T) {
	const interval = time.Minute
	cfg := proxy.Config{HealthInterval: interval, WaitTimeout: time.Hour, Rise: 3, Fall: 2}
	simulate(t, cfg, nil, func(w *world) {
		health := func(want ...bool) {
			w.t.Helper()
			var got []bool
			for _, b := range w.stats().Backends {
				got = append(got, b.Healthy)
			}
			if !slices.Equal(got, want) {
				w.t.Errorf("healthy: %v, want %v", got, want)
			}
		}
		refused := fate{err: syscall.ECONNREFUSED}
		w.fate[a] = refused
		w.sleep(interval) // after the second check: a fails once
		delete(w.fate, a)
		w.sleep(interval) // a succeeds
		w.fate[a] = refused
		w.sleep(interval) // a fails once
		health(true, true)
		w.fate[b] = refused
		w.sleep(interval) // a fails twice, b once
		health(false, true)
		w.sleep(interval) // b fails twice
		health(false, false)
		w.at("both are sick", 5*interval)
		s := w.dial(w.ctx)
		delete(w.fate, a)
		delete(w.fate, b)
		w.sleep(2 * interval) // both succeed twice
		health(false, false)
		w.fate[a] = refused
		w.receives(s, b, nil)
		w.at("b is healthy", 3*interval-1)
		health(false, true)
		s.Close()
	})
}

// A connection is reset when it has been idle for the timeout. It is not idle while bytes move
// in one direction.
func TestSimIdle(t *testing.T) {
	const timeout = 5 * time.Minute // the default
	simulate(t, proxy.Config{HealthInterval: time.Hour}, nil, func(w *world) {
		s := w.dial(w.ctx)
		w.receives(s, a, nil)
		for range 10 {
			if _, err := s.Write(w.ctx, []byte("mute")); err != nil {
				w.t.Fatal(err)
			}
			w.sleep(timeout - 1)
		}
		w.sleep(1)
		w.at("the last byte", 10*timeout-9)
		w.receives(s, "", syscall.ECONNRESET)
		w.at("the connection is reset", 0)
		s.Close()
	})
}

// After a cancel, connections have the grace to end. Serve returns when the last connection has
// ended or was cut off.
func TestSimGrace(t *testing.T) {
	const grace = 30 * time.Second // the default
	for late, cut := range map[time.Duration]error{grace - 1: nil, grace + 1: &proxy.CutError{Conns: 1}} {
		simulate(t, proxy.Config{MaxConns: 2}, cut, func(w *world) {
			first, second := w.dial(w.ctx), w.dial(w.ctx)
			for _, s := range []*netio.Stream{first, second} {
				if _, err := s.ReadLine(w.ctx); err != nil {
					w.t.Fatal(err)
				}
			}
			waits := w.dial(w.ctx)
			w.sleep(1)
			w.serving.Cancel(nil)
			w.receives(waits, "", io.EOF)
			w.sleep(grace / 2)
			first.Close()
			waits.Close()
			w.sleep(late - grace/2)
			second.Close()
			w.serving.Await(w.ctx)
		})
	}
}

// The limits hold for random clients at random times, and at the end all slots are free.
func TestSimCrowd(t *testing.T) {
	const clients = 40
	cfg := proxy.Config{
		MaxConns: 5, MaxPerBackend: 3, MaxWaiting: 10, WaitTimeout: 20 * time.Second,
		HealthInterval: 7 * time.Second, Fall: 1, Rise: 1,
	}
	simulate(t, cfg, nil, func(w *world) {
		random := task.Loop(w.ctx).Rand()
		some := func(d time.Duration) time.Duration { // few values, so that events coincide
			return time.Duration(random.IntN(10)) * d / 10
		}
		err := task.Scope(w.ctx, func(ctx context.Context) error {
			for range clients {
				task.Go(ctx, func(ctx context.Context) error {
					w.talk(ctx, some(time.Minute), some(time.Minute))
					return nil
				})
			}
			task.Go(ctx, func(ctx context.Context) error { // makes backends fail and recover
				for range 10 {
					await.Sleep(ctx, some(20*time.Second))
					w.fate[a] = fate{delay: some(5 * time.Second)}
					w.fate[b] = fate{err: []error{nil, syscall.ECONNREFUSED}[random.IntN(2)]}
				}
				clear(w.fate)
				return nil
			})
			return nil
		})
		if err != nil {
			w.t.Error(err)
		}
		w.sleep(time.Minute)
		for range cfg.MaxConns { // all slots are free
			s := w.dial(w.ctx)
			defer s.Close()
			if line, err := s.ReadLine(w.ctx); line != a && line != b {
				w.t.Errorf("a client receives %q, %v", line, err)
			}
		}
	})
}

// talk is a client that waits for late, sends messages for long or until an error, and
// disconnects.
func (w *world) talk(ctx context.Context, late, long time.Duration) {
	await.Sleep(ctx, late)
	s := w.dial(ctx)
	defer s.Close()
	ctx, release := await.WithTimeout(ctx, long)
	defer release()
	_, err := s.ReadLine(ctx)
	for err == nil {
		w.limits()
		await.Sleep(ctx, time.Second)
		if _, err = s.Write(ctx, []byte("ping\n")); err == nil {
			_, err = s.ReadLine(ctx)
		}
	}
	w.limits()
}

// limits fails the test if a limit is exceeded.
func (w *world) limits() {
	s := w.stats()
	active := 0
	for _, b := range s.Backends {
		active += b.Active
		if b.Active > w.cfg.MaxPerBackend {
			w.t.Errorf("a backend has %d connections", b.Active)
		}
	}
	if active > w.cfg.MaxConns || s.Waiting > w.cfg.MaxWaiting {
		w.t.Errorf("%d connections, and %d wait", active, s.Waiting)
	}
}
