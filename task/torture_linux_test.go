// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

var (
	tortureTime = flag.Duration("torture", 400*time.Millisecond, "how long each variant of TestTorture runs programs")
	tortureSeed = flag.Uint64("torture.seed", 0, "the seed of a single program that TestTorture runs")
)

// TestTorture runs random programs of tasks and checks what holds for all of them: one task
// runs at a time, every wait ends, every scope waits for its tasks, and no goroutine or
// descriptor is left. -torture=1m runs more programs. -torture.seed replays the choices of
// one program. The seed does not determine the order of events from outside the loop.
func TestTorture(t *testing.T) {
	worlds := map[string]func() loop.Config{
		"real":    func() loop.Config { return loop.Config{} },
		"virtual": func() loop.Config { return loop.Config{Poller: virtual.New(virtual.Config{})} },
	}
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			eachHandoff(t, func(t *testing.T, r task.Runner) { torture(t, world, r) })
		})
	}
}

func torture(t *testing.T, world func() loop.Config, r task.Runner) {
	// The goroutine of os/signal never ends once it has started.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGUSR1)
	defer signal.Stop(heard)
	before := goleak.IgnoreCurrent()
	// The runtime's network poller also keeps what it opens for the first file.
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	writer.Close()
	open := descriptors(t)

	programs := 0
	for end := time.Now().Add(*tortureTime); programs == 0 || time.Now().Before(end); programs++ {
		seed := *tortureSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		runProgram(t, seed, world(), r)
		if err := goleak.Find(before); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
		if now := descriptors(t); now != open {
			t.Errorf("%d descriptors were open, now %d", open, now)
		}
		if t.Failed() {
			t.Fatalf("program %d has the seed %d; replay it with -torture.seed=%[2]d", programs, seed)
		}
		if *tortureSeed != 0 {
			break
		}
	}
	t.Logf("%d programs", programs)
}

// descriptors counts the open descriptors of the process. It returns 0 if the system has no
// /proc.
func descriptors(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A program is a random tree of tasks. All fields that are not atomic are protected by the
// baton alone, which is what the test checks.
type program struct {
	t    *testing.T
	rng  *rand.Rand
	loop *loop.Loop

	fuel      int // the number of remaining actions; without fuel, the program ends
	counter   int
	inside    bool
	started   int
	ended     int
	scopes    int // the number of running scopes
	refs      []*task.ScopeRef
	queues    [3]task.WaitQueue
	exited    bool // a callback has ended the goroutine of the loop
	touches   atomic.Int64
	outsiders sync.WaitGroup
}

var (
	errFailure = errors.New("torture: failure")
	errCause   = errors.New("torture: cause")
	errBoom    = errors.New("torture: boom")
)

// runProgram runs one program on its own goroutine, because a Goexit may end that
// goroutine.
func runProgram(t *testing.T, seed uint64, cfg loop.Config, r task.Runner) {
	hung := time.AfterFunc(time.Minute, func() {
		buf := make([]byte, 1<<22)
		panic(fmt.Sprintf("torture: the program with the seed %d hangs\n%s", seed, buf[:runtime.Stack(buf, true)]))
	})
	defer hung.Stop()
	l, err := loop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
		if !errors.Is(e.Err, errBoom) && e.Err.Error() != errBoom.Error() {
			t.Errorf("the exception handler received %v", e)
		}
	})
	p := &program{t: t, rng: rand.New(rand.NewPCG(seed, 0)), loop: l}
	p.fuel = 20 + p.rng.IntN(300)
	if err := l.AddBackgroundSignalHandler(syscall.SIGUSR1, p.touch); err != nil {
		t.Fatal(err)
	}
	r.Loop = l
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.outcome()
		if err := r.Run(context.Background(), p.main); err != nil {
			p.judge(err)
		}
	}()
	<-done
	p.outsiders.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if p.started != p.ended || p.scopes != 0 {
		t.Errorf("%d of %d tasks ended, %d scopes still run", p.ended, p.started, p.scopes)
	}
	if int64(p.counter) != p.touches.Load() {
		t.Errorf("the counter is %d after %d touches", p.counter, p.touches.Load())
	}
}

// outcome checks the panic of Run: a task must have caused it.
func (p *program) outcome() {
	switch v := recover().(type) {
	case nil:
	case *task.PanicError:
		p.judge(v)
	default:
		p.t.Errorf("Run panicked with %v", v)
	}
}

// judge fails the test unless a program can cause err.
func (p *program) judge(err error) {
	var deadlock *task.DeadlockError
	var panicked *task.PanicError
	switch {
	case errors.As(err, &deadlock):
		p.t.Errorf("lost wake-up: %v", err)
	case errors.As(err, &panicked) && panicked.Value != any(errBoom):
		p.t.Errorf("a task panicked with %v", err)
	case errors.Is(err, errFailure), errors.Is(err, errCause), errors.Is(err, errBoom), errors.Is(err, task.ErrGoexit),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, task.ErrNotReady),
		errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNREFUSED):
	default:
		p.t.Errorf("unexpected error: %v", err)
	}
}

// touch fails the test if two goroutines call it at the same time.
func (p *program) touch() {
	p.touches.Add(1)
	if p.inside {
		p.t.Error("two goroutines ran at the same time")
	}
	p.inside = true
	was := p.counter
	if was%16 == 0 {
		runtime.Gosched()
	}
	p.counter = was + 1
	p.inside = false
}

func (p *program) main(ctx context.Context) error { return p.task(0)(ctx) }

// task returns the function of a task at this depth of the tree.
func (p *program) task(depth int) func(ctx context.Context) error {
	p.started++
	return p.body(func(ctx context.Context) error { return p.act(ctx, depth) })
}

// body returns fn with its end counted. The caller has counted its start.
func (p *program) body(fn func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		defer func() { p.ended++ }()
		return fn(ctx)
	}
}

// act runs a few actions.
func (p *program) act(ctx context.Context, depth int) error {
	for n := 1 + p.rng.IntN(8); n > 0 && p.fuel > 0; n-- {
		p.fuel--
		p.touch()
		err := p.action()(ctx, depth+1)
		p.touch()
		if err != nil && p.rng.IntN(4) > 0 {
			return err
		}
	}
	if p.rng.IntN(40) == 0 {
		return errFailure
	}
	return nil
}

// An action runs under ctx. What it starts is at depth.
type action = func(ctx context.Context, depth int) error

// action chooses the next action. Actions that end much of the program are rare.
func (p *program) action() action {
	choices := []struct {
		weight int
		do     action
	}{
		{10, p.yield}, {8, p.sleep}, {10, p.queue}, {8, p.future}, {12, p.spawn}, {8, p.start}, {3, p.startReady},
		{6, p.scope}, {3, p.cancelTask}, {2, p.cancelScope}, {4, p.timeout}, {4, p.shield}, {3, p.portal},
		{3, p.executor}, {4, p.callback}, {2, p.signal}, {6, p.standard}, {4, p.socket}, {2, p.inspect},
		{1, p.panic}, {1, p.goexit},
	}
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	n := p.rng.IntN(total)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.do
		}
	}
	panic("unreachable")
}
