// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

// Config configures Test. The zero value is the default.
type Config struct {
	// Seed decides the schedule. If zero, the seed is the value of the flag -sim.seed, or
	// random without the flag.
	Seed uint64

	// FIFO runs ready tasks in the order in which they became ready. Use it for tests of
	// this order.
	FIFO bool

	// Handoff is the way in which the baton passes from task to task.
	Handoff task.Handoff

	// Network configures the simulated network: its host names, and how long it takes to
	// connect. The network knows the name localhost, the names in Network.Hosts, and all IP
	// addresses.
	Network virtual.Config
}

// drainTime is how long a bubble goes on after its test, on its own clock. In this time,
// functions that the test abandoned may end. A loop's default Drain for functions that were
// not abandoned is as long.
const drainTime = 5 * time.Second

// seedFlag is the flag -sim.seed. It exists in test binaries only.
var seedFlag = func() *uint64 {
	if !testing.Testing() {
		return new(uint64)
	}
	return flag.Uint64("sim.seed", 0, "the seed of simulated schedules; 0 draws one for each test")
}()

// Test runs fn as the root task of a simulated loop. The clock jumps when everything waits,
// the network is in memory, and the seed decides which of the ready tasks runs next.
//
// The loop runs in a testing/synctest bubble. Package time uses the same virtual clock.
// Blocking functions and goroutines that fn starts take part: time passes only while they
// wait too. A bubble forbids t.Run and t.Parallel inside.
//
// The test ends when fn and all its tasks have ended. Then the loop closes, with everything
// that is still open in the network. Functions of t.Cleanup run after that, too late to end
// a task such as a server. To end tasks, let fn defer a call that ends them, or
// task.ScopeOf(ctx).Cancel(nil), which ends all tasks that fn has started.
//
// The test fails if fn or a task panics, if an error has no other owner, or on a deadlock.
// It also fails if the loop's exception handler receives an error, unless fn sets another
// handler. A panic does not end the process. t.FailNow and t.SkipNow end the calling task,
// and then the test.
//
// It is also a deadlock if every task waits for the network, or for goroutines, and nothing
// in the bubble will wake them. Test then cancels the tasks with a [*task.DeadlockError],
// 250 years later on the virtual clock. A task that is shielded from the cancel, and a
// goroutine that blocks forever, make the bubble end the process. So does a function that
// still sleeps five seconds of virtual time after the end of the test, even if it was
// abandoned by await.Abandon: the clock stands still then.
//
// A timer that starts again and again hides a deadlock. Shortly before go test's -timeout,
// Test therefore ends a test that is still running. The test fails with the names of the
// tasks that ran last and with what the others wait for.
//
// A step or callback that blocks stops the loop, while the virtual clock advances. If the
// steps of one turn hold the baton for 250 ms of virtual time together, the test fails. In
// the real world, the watchdog would report such a step.
func Test(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	Config{}.Test(t, fn)
}

// Test is like the function Test, with the configuration c.
func (c Config) Test(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	deadline, _ := t.Deadline()
	c.testUntil(t, deadline, fn)
}

// testUntil is Test for a test that has time until deadline. A zero deadline means no
// limit.
func (c Config) testUntil(t *testing.T, deadline time.Time, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	if c.Seed == 0 {
		c.Seed = *seedFlag
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	passed := false
	t.Cleanup(func() {
		// During a panic, such as the panic of a deadlocked bubble, t has not failed yet.
		switch {
		case !passed:
			t.Logf("sim: to replay this schedule, run: %s", replay(t, c.Seed))
		case t.Failed():
			t.Logf("sim: the test failed after sim.Test had returned; to replay its schedule, run: %s", replay(t, c.Seed))
		}
	})
	var limit timeLimit
	if !deadline.IsZero() {
		limit.start(t, deadline, c.Seed)
	}
	defer limit.stop()
	prepareResolver()
	synctest.Test(t, func(t *testing.T) {
		c.run(t, &limit, fn)
		passed = !t.Failed()
	})
}

// run runs fn in the bubble. The random numbers of the program, of the schedule and of the
// network are separate streams of the seed. So one more draw in a program does not change
// its schedule.
func (c Config) run(t *testing.T, limit *timeLimit, fn func(ctx context.Context, t *testing.T)) {
	var tm terminator
	network := c.Network
	network.Bubble = true
	if network.Rand == nil {
		network.Rand = rand.New(rand.NewPCG(c.Seed, 3))
	}
	n := &inspector{t: t, limit: limit, end: tm.timeOver, seen: time.Now()}
	if !c.FIFO {
		n.order = &shuffle{rand.New(rand.NewPCG(c.Seed, 2))}
	}
	l, err := loop.New(loop.Config{
		Poller: &world{virtual.New(network), n},
		Order:  n,
		Rand:   rand.New(rand.NewPCG(c.Seed, 1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(drainTime)
	}()
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Error(e) })
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *task.PanicError, *task.DeadlockError:
			// A panic in a bubble would end the process at once, and lose the test's log
			// and the seed.
			t.Error(v)
		default:
			panic(v)
		}
	}()
	defer tm.stop()
	err = task.Runner{Loop: l, Handoff: c.Handoff}.Run(context.Background(), func(ctx context.Context) error {
		task.Self(ctx).SetName(t.Name())
		tm.begin(ctx, t)
		fn(ctx, t)
		var deadlock *task.DeadlockError
		if errors.As(context.Cause(ctx), &deadlock) { // fn may have ignored it
			return deadlock
		}
		return nil
	})
	n.inspect() // the last turn
	if tm.found != nil && errors.Is(err, tm.found) {
		return // already reported
	}
	if errors.Is(err, task.ErrGoexit) { // FailNow or SkipNow in another task
		runtime.Goexit()
	}
	if err != nil {
		t.Error(err)
	}
}

// A shuffle is an Order that shuffles the ready tasks. Callbacks keep their places, because
// programs may rely on the order of callbacks, but not on the order of tasks.
type shuffle struct{ rand *rand.Rand }

// Arrange shuffles the steps of a batch among their places. It holds nothing back.
func (s *shuffle) Arrange(batch []loop.Entry) (held int) {
	var steps []int
	for i, e := range batch {
		if e.Step {
			steps = append(steps, i)
		}
	}
	s.rand.Shuffle(len(steps), func(i, j int) {
		a, b := steps[i], steps[j]
		batch[a], batch[b] = batch[b], batch[a]
	})
	return 0
}
