// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/sim"
	"baton/task"
)

var errOops = errors.New("oops")

// trace runs tasks that record the order in which they run.
func trace(t *testing.T, c sim.Config) (order []int) {
	t.Helper()
	c.Test(t, func(ctx context.Context, t *testing.T) {
		for i := range 8 {
			task.Go(ctx, func(ctx context.Context) error {
				for range 4 {
					order = append(order, i)
					if err := task.Yield(ctx); err != nil {
						return err
					}
				}
				order = append(order, task.Loop(ctx).Rand().IntN(100))
				return task.ParkUntil(ctx, task.Now(ctx).Add(time.Duration(i%3)*time.Second))
			})
		}
	})
	return order
}

// The same seed gives the same schedule and the same random numbers, with both handoffs.
func TestSameSeedSameSchedule(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		want := trace(t, sim.Config{Seed: seed})
		for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
			if got := trace(t, sim.Config{Seed: seed, Handoff: h}); !slices.Equal(got, want) {
				t.Errorf("seed %d with handoff by %v: order %v, want %v", seed, h, got, want)
			}
		}
	}
}

// Different seeds give different schedules.
func TestDifferentSeedsDifferentSchedules(t *testing.T) {
	seen := make(map[string]bool)
	for seed := uint64(1); seed <= 10; seed++ {
		seen[fmt.Sprint(trace(t, sim.Config{Seed: seed}))] = true
	}
	if len(seen) != 10 {
		t.Errorf("10 seeds gave %d schedules", len(seen))
	}
}

// With FIFO, tasks run in the order in which they became ready.
func TestFIFOOrder(t *testing.T) {
	var order []int
	sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
		for i := range 5 {
			task.Go(ctx, func(ctx context.Context) error {
				for range 2 {
					order = append(order, i)
					task.Yield(ctx)
				}
				return nil
			})
		}
	})
	if want := []int{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}; !slices.Equal(order, want) {
		t.Errorf("order = %v, want %v", order, want)
	}
}

// A Yield may return before other ready tasks have run. A sleep returns only when all other
// tasks wait.
func TestSleepReturnsWhenOthersWait(t *testing.T) {
	early := 0
	for seed := uint64(1); seed <= 20; seed++ {
		sim.Config{Seed: seed}.Test(t, func(ctx context.Context, t *testing.T) {
			waiting := 0
			for range 3 {
				task.Go(ctx, func(ctx context.Context) error {
					task.Yield(ctx)
					waiting++
					return task.ParkUntil(ctx, task.Now(ctx).Add(time.Second))
				})
			}
			task.Yield(ctx)
			task.Yield(ctx)
			if waiting < 3 {
				early++
			}
			task.ParkUntil(ctx, task.Now(ctx).Add(1))
			if waiting != 3 {
				t.Errorf("seed %d: %d of 3 tasks waited after a sleep", seed, waiting)
			}
		})
	}
	if early == 0 {
		t.Error("in no schedule, Yield returned before the other tasks had run")
	}
}

// The schedule shuffles tasks only; callbacks keep their order.
func TestCallbacksKeepTheirOrder(t *testing.T) {
	for range 20 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			var order []int
			for i := range 10 {
				task.Loop(ctx).CallSoon(func() { order = append(order, i) })
				task.Go(ctx, func(context.Context) error { return nil })
			}
			task.Yield(ctx)
			task.Yield(ctx)
			if !slices.IsSorted(order) || len(order) != 10 {
				t.Errorf("order = %v", order)
			}
		})
	}
}

// Functions of t.Cleanup run after the last task. A deferred cancel of the scope ends the
// remaining tasks, and does not fail the test.
func TestCleanupRunsAfterTheTasks(t *testing.T) {
	ended, cleaned := false, false
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		t.Cleanup(func() { cleaned = ended })
		defer task.ScopeOf(ctx).Cancel(nil)
		task.Go(ctx, func(ctx context.Context) error {
			err := new(task.WaitQueue).Wait(ctx, task.Text("the end"))
			ended = true
			return err
		})
	})
	if !cleaned {
		t.Error("the cleanup ran before a task had ended")
	}
}

// Time is virtual, jumps when all tasks wait, and is the time of package time.
func TestTimeIsVirtual(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start, wall := task.Now(ctx), time.Now()
		for range 3 {
			task.Go(ctx, func(ctx context.Context) error { return task.ParkUntil(ctx, start.Add(24*time.Hour)) })
		}
		task.ParkUntil(ctx, start.Add(48*time.Hour))
		if passed := task.Now(ctx).Sub(start); passed != 48*time.Hour || time.Since(wall) != passed {
			t.Errorf("%v passed on the loop's clock, %v in package time", passed, time.Since(wall))
		}
	})
}

// Timeouts and timers of the standard library use the virtual clock.
func TestStandardLibraryUsesVirtualTime(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		limited, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		err := task.ParkUntil(limited, start.Add(2*time.Hour))
		if !errors.Is(err, context.DeadlineExceeded) || task.Now(ctx).Sub(start) != time.Hour {
			t.Errorf("%v after %v", err, task.Now(ctx).Sub(start))
		}
		var f task.Future[int]
		l := task.Loop(ctx)
		l.Driver().Open()
		time.AfterFunc(time.Minute, func() {
			l.CallSoonThreadsafe(func() {
				l.Driver().Shut()
				f.Set(1)
			})
		})
		if _, err := f.Await(ctx); err != nil || task.Now(ctx).Sub(start) != time.Hour+time.Minute {
			t.Errorf("%v after %v", err, task.Now(ctx).Sub(start))
		}
	})
}

// A blocking function uses the virtual clock, and time does not jump over it.
func TestBlockingFunctionUsesVirtualTime(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		var f task.Future[time.Time]
		task.Loop(ctx).RunInExecutor(func() { <-time.After(time.Hour) }, func() { f.Set(time.Now()) })
		task.Go(ctx, func(ctx context.Context) error { return task.ParkUntil(ctx, start.Add(time.Minute)) })
		if end, err := f.Await(ctx); err != nil || end.Sub(start) != time.Hour {
			t.Errorf("%v, %v", end.Sub(start), err)
		}
	})
}

// An operation is an operation of the poller that a task waits for.
type operation struct {
	poll.Op
	ref *task.Ref
}

func (o *operation) Reason() string        { return o.Kind.String() }
func (o *operation) Owners() []*task.Ref   { return nil }
func (o *operation) Complete(*poll.Op)     { o.ref.Wake() }
func (o *operation) Cancel(*task.Ref) bool { o.ref.Loop().Poller().Cancel(&o.Op); return false }

// do submits op and waits until it has completed.
func do(ctx context.Context, op poll.Op) (*operation, error) {
	o := &operation{Op: op, ref: task.Self(ctx)}
	o.Owner = o
	if !task.Loop(ctx).Driver().Submit(&o.Op) {
		if err := task.Park(ctx, o); err != nil {
			return o, err
		}
	}
	return o, o.Err
}

// The network is in memory, and the test configures it.
func TestNetworkIsInMemory(t *testing.T) {
	addr := netip.MustParseAddr("10.1.2.3")
	world := virtual.Config{
		Hosts: map[string][]netip.Addr{"example.net": {addr}},
		Dial:  func(net.Addr) (time.Duration, error) { return 3 * time.Second, nil },
	}
	sim.Config{Network: world}.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		o, err := do(ctx, poll.Op{Kind: poll.Lookup, Network: "ip", Host: "example.net"})
		if err != nil || !slices.Contains(o.Addrs, addr) {
			t.Fatalf("lookup = %v, %v", o.Addrs, err)
		}
		ln, err := task.Loop(ctx).Poller().Listen(&net.TCPAddr{IP: addr.AsSlice(), Port: 80}, poll.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		task.Go(ctx, func(ctx context.Context) error {
			o, err := do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
			if err != nil {
				return err
			}
			defer o.Accepted.Close()
			_, err = do(ctx, poll.Op{Kind: poll.Write, Handle: o.Accepted, Buf: []byte("hello")})
			return err
		})
		o, err = do(ctx, poll.Op{Kind: poll.Connect, Addr: ln.LocalAddr()})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Handle.Close()
		o, err = do(ctx, poll.Op{Kind: poll.Read, Handle: o.Handle, Buf: make([]byte, 16)})
		if err != nil || string(o.Buf[:o.N]) != "hello" || task.Now(ctx).Sub(start) != 3*time.Second {
			t.Errorf("read %q, %v after %v", o.Buf[:o.N], err, task.Now(ctx).Sub(start))
		}
	})
}
