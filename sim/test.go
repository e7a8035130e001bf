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

// Config says how Test runs a test. The zero value is the default.
type Config struct {
	// Seed decides the schedule. Zero takes it from -sim.seed, or draws one.
	Seed uint64

	// FIFO runs ready tasks in the order in which they became ready, for tests
	// that are about this order.
	FIFO bool

	// Handoff is how the baton goes from task to task.
	Handoff task.Handoff

	// Network is the world: its names, and the delays of connecting.
	Network virtual.Config
}

// linger is how long, by its clock, a bubble goes on after its test: what blocks
// outside of the loop, and was left alone there, may end by itself. It is as long as
// a loop waits for functions that were not left alone.
const linger = 5 * time.Second

// seedFlag exists in test binaries only.
var seedFlag = func() *uint64 {
	if !testing.Testing() {
		return new(uint64)
	}
	return flag.Uint64("sim.seed", 0, "the seed of simulated schedules; 0 draws one for each test")
}()

// Test runs fn as the root task of a simulated loop: the clock jumps when
// everybody waits, the network is memory, and between tasks that are ready at
// the same time the seed decides. It runs in a testing/synctest bubble whose
// clock is the loop's, so package time agrees with it, and blocking functions
// and goroutines that fn starts take part. Bubbles forbid t.Run and t.Parallel
// inside.
//
// t.FailNow and t.SkipNow end the calling task, and then the test. A panic, a
// deadlock and an error that nobody handled fail the test, and so does whatever the
// exception handler is told, of callbacks or of the handlers of a server, unless fn
// sets a handler of its own. A panic ends this test only, and not the process. It is
// a deadlock, too, if all tasks wait for the network, or for goroutines, and nobody
// in the bubble will ever do anything: they are cancelled with a
// [*task.DeadlockError] then, two and a half centuries later by the clock. What is
// shielded from the cancel, or blocks a goroutine for ever, makes the bubble end the
// process. So does what still sleeps five seconds after the end of the test, for no
// time passes then: a function that was left to itself by await.Abandon, too.
//
// A timer that starts again and again hides such a deadlock. So a test that goes on
// is ended shortly before the end of go test's -timeout: it fails with the names of
// the tasks that ran last, and with what the others wait for.
//
// A step or callback that blocks stops the loop, and for that the clock in here does
// not stand still. One that holds the baton for 250 ms by that clock fails the test,
// where in the real world the watchdog would report it. The steps of a turn count
// together.
//
// The test is over when fn and all of its tasks have ended; what is left open of the
// network is closed with the loop. Functions of t.Cleanup run after that, too late
// to end a task such as that of a server: fn defers what ends it, or
// task.ScopeOf(ctx).Cancel(nil), which ends all that fn has started.
func Test(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	Config{}.Test(t, fn)
}

// Test is like the function Test, with what the Config says.
func (c Config) Test(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	deadline, _ := t.Deadline()
	c.until(t, deadline, fn)
}

// until is Test for a test that has time until deadline; zero is for ever.
func (c Config) until(t *testing.T, deadline time.Time, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	if c.Seed == 0 {
		c.Seed = *seedFlag
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	passed := false
	t.Cleanup(func() {
		// In a panic, such as that of a deadlocked bubble, t has not failed yet.
		switch {
		case !passed:
			t.Logf("sim: replay this schedule: %s", replay(t, c.Seed))
		case t.Failed():
			t.Logf("sim: the test failed later; replay its schedule: %s", replay(t, c.Seed))
		}
	})
	var bell alarm
	if !deadline.IsZero() {
		bell.start(t, deadline, c.Seed)
	}
	defer bell.stop()
	prepareNet()
	synctest.Test(t, func(t *testing.T) {
		c.run(t, &bell, fn)
		passed = !t.Failed()
	})
}

// run runs fn in the bubble. The numbers that the program draws and the schedule
// come from two streams of the seed, so that drawing one more does not change the
// schedule.
func (c Config) run(t *testing.T, bell *alarm, fn func(ctx context.Context, t *testing.T)) {
	var w watch
	network := c.Network
	network.Bubble = true
	if network.Rand == nil { // a stream of its own, too
		network.Rand = rand.New(rand.NewPCG(c.Seed, 3))
	}
	g := &guard{t: t, alarm: bell, late: w.late, seen: time.Now()}
	if !c.FIFO {
		g.order = &shuffle{rand.New(rand.NewPCG(c.Seed, 2))}
	}
	l, err := loop.New(loop.Config{
		Poller: &world{virtual.New(network), g},
		Order:  g,
		Rand:   rand.New(rand.NewPCG(c.Seed, 1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(linger)
	}()
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Error(e) })
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *task.PanicError, *task.DeadlockError:
			// A panic in a bubble would end the process at once: what the test has
			// logged and the seed would be lost.
			t.Error(v)
		default:
			panic(v)
		}
	}()
	defer w.stop()
	err = task.Runner{Loop: l, Handoff: c.Handoff}.Run(context.Background(), func(ctx context.Context) error {
		task.Self(ctx).SetName(t.Name())
		w.begin(ctx, t)
		fn(ctx, t)
		var deadlock *task.DeadlockError
		if errors.As(context.Cause(ctx), &deadlock) { // fn may have taken it for any other error
			return deadlock
		}
		return nil
	})
	g.look() // at the last turn
	if w.found != nil && errors.Is(err, w.found) {
		return // that is told
	}
	if errors.Is(err, task.ErrGoexit) { // FailNow or SkipNow in another task
		runtime.Goexit()
	}
	if err != nil {
		t.Error(err)
	}
}

// shuffle is an order in which any of the ready tasks may be the next; callbacks
// keep their places, because programs may rely on their order, and none should on
// that of tasks.
type shuffle struct{ rand *rand.Rand }

// Arrange shuffles the steps of a batch among their places, and holds none back.
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
