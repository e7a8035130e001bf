// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

func TestExecutor(t *testing.T) {
	for _, world := range worlds {
		t.Run(world.name, func(t *testing.T) {
			guard(t)
			l := open(t, loop.Config{Poller: world.open()})
			result := 0
			l.RunInExecutor(func() {
				if l.Held() {
					t.Error("a function in the executor holds the baton")
				}
				result = 42
			}, func() {
				if !l.Held() {
					t.Error("the callback runs without the baton")
				}
				result++
			})
			if l.Idle() {
				t.Error("idle with a function in the executor")
			}
			l.RunInExecutor(func() {}, nil) // nobody asks for its end
			l.Run()
			if result != 43 {
				t.Errorf("the result is %d, want 43", result)
			}
		})
	}
}

// A clock that jumps stands still while a function works: otherwise every
// timeout around it would strike.
func TestExecutorStopsVirtualClock(t *testing.T) {
	guard(t)
	release := make(chan struct{})
	poller := &waiting{Poller: virtual.New(virtual.Config{}), before: func(d time.Duration) {
		if d > 0 {
			t.Errorf("the loop waits for a timer, %v away, while a function works", d)
		}
		close(release)
	}}
	l := open(t, loop.Config{Poller: poller})
	start := l.Time()
	timeout := l.CallLater(time.Hour, func() { t.Error("the timeout struck") })
	l.RunInExecutor(func() { <-release }, timeout.Cancel)
	l.Run()
	if passed := l.Time().Sub(start); passed != 0 {
		t.Errorf("%v passed on a clock that stands still", passed)
	}
}

// A waiting poller tells before its first Wait how long that may take.
type waiting struct {
	poll.Poller
	before func(d time.Duration)
}

func (w *waiting) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	if w.before != nil {
		w.before(d)
		w.before = nil
	}
	return w.Poller.Wait(done, d)
}

func TestExecutorLimit(t *testing.T) {
	guard(t)
	const limit, jobs = 3, 20
	l := open(t, loop.Config{MaxJobs: limit})
	var running atomic.Int64
	begun, release := make(chan int64, jobs), make(chan struct{})
	ended := 0
	for range jobs {
		l.RunInExecutor(func() {
			begun <- running.Add(1)
			<-release
			running.Add(-1)
		}, func() { ended++ })
	}
	for range limit { // so many do begin, without anybody's end
		<-begun
	}
	close(release)
	l.Run()
	close(begun)
	for n := range begun {
		if n > limit {
			t.Errorf("%d functions ran at once, the limit is %d", n, limit)
		}
	}
	if ended != jobs {
		t.Errorf("%d functions ended, want %d", ended, jobs)
	}
}

// With one place functions begin in the order of their calls.
func TestExecutorOrder(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{MaxJobs: 1})
	var began, ended []int
	for i := range 100 {
		l.RunInExecutor(func() { began = append(began, i) }, func() { ended = append(ended, i) })
	}
	l.Run()
	for i := range 100 {
		if began[i] != i || ended[i] != i {
			t.Fatalf("functions began in the order %v, ended %v", began, ended)
		}
	}
}

func TestJobCancel(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{MaxJobs: 1})
	begun, release := make(chan struct{}), make(chan struct{})
	var ran notes
	first := l.RunInExecutor(func() { close(begun); <-release }, ran.add("first"))
	second := l.RunInExecutor(func() { t.Error("a cancelled function ran") }, ran.add("second"))
	third := l.RunInExecutor(func() {}, ran.add("third"))
	<-begun
	if first.Cancel() {
		t.Error("Cancel took a function back that runs")
	}
	if !second.Cancel() || second.Cancel() {
		t.Error("Cancel of a waiting function reports the wrong thing")
	}
	close(release)
	l.Run()
	ran.want(t, "in the run", "first third")
	if first.Cancel() || third.Cancel() {
		t.Error("Cancel took a function back that has ended")
	}
}

// Whoever waits for a function does not wait for ever, however it ends.
func TestJobEnds(t *testing.T) {
	broken := errors.New("broken on purpose")
	for _, c := range []struct {
		name    string
		fn      func()
		reports int
	}{
		{"return", func() {}, 0},
		{"Goexit", runtime.Goexit, 0},
		{"panic", func() { panic(broken) }, 1},
		{"panic with nil", func() { panic(nil) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard(t)
			l := open(t, loop.Config{MaxJobs: 1})
			var ran notes
			var reports []loop.Exception
			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
				if !l.Held() {
					t.Error("the exception handler was called without the baton")
				}
				reports = append(reports, e)
				ran.add("handler")()
			})
			l.RunInExecutor(c.fn, ran.add("then"))
			l.RunInExecutor(func() {}, ran.add("next")) // the place is free again
			l.Run()
			if len(reports) != c.reports {
				t.Fatalf("%d exceptions, want %d", len(reports), c.reports)
			}
			if c.reports == 0 {
				ran.want(t, "in the run", "then next")
				return
			}
			ran.want(t, "in the run", "handler then next")
			if c.name == "panic" && !errors.Is(reports[0].Err, broken) {
				t.Errorf("the exception is %v", reports[0].Err)
			}
			if s := string(reports[0].Stack); !strings.Contains(s, "TestJobEnds") {
				t.Errorf("the stack does not show where:\n%s", s)
			}
		})
	}
}

// A function that was left alone keeps nobody: not the loop from being idle, not a
// clock from jumping, and not Close. Its callback runs, if there is a loop then.
func TestAbandonedJob(t *testing.T) {
	for _, world := range worlds {
		t.Run(world.name, func(t *testing.T) {
			guard(t)
			l, err := loop.New(loop.Config{Poller: world.open(), Drain: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			var running sync.WaitGroup
			defer running.Wait()
			release, returned := make(chan struct{}), make(chan struct{})
			defer close(release)
			job := func(then func(), wait <-chan struct{}) *loop.Job {
				running.Add(1)
				began := make(chan struct{})
				j := l.RunInExecutor(func() {
					defer running.Done()
					close(began)
					<-wait
				}, then)
				<-began
				return j
			}
			early := job(l.Stop, returned)
			for range 2 { // the second time does nothing
				early.Abandon()
			}
			if !l.Idle() {
				t.Error("a function that was left alone keeps the loop from being idle")
			}
			l.CallLater(time.Millisecond, func() {})
			l.Run()
			late := job(func() { t.Error("a callback ran after Close") }, release)
			close(returned)
			l.RunForever() // until the callback of the early one
			late.Abandon()
			if err := l.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			late.Abandon()
		})
	}
}

// A counter is an executor of one function, which ends when Close has counted it.
type counter struct{ end, ended chan struct{} }

func (c counter) Submit(fn func()) func() bool {
	go func() {
		defer close(c.ended)
		fn()
	}()
	return func() bool { return false }
}

func (c counter) Close(time.Duration) (left int) {
	close(c.end)
	<-c.ended
	return 1
}

// An abandoned function that ends while Close counts is not taken for another one.
func TestAbandonedJobEndsLate(t *testing.T) {
	c := counter{make(chan struct{}), make(chan struct{})}
	l, err := loop.New(loop.Config{Executor: c})
	if err != nil {
		t.Fatal(err)
	}
	l.RunInExecutor(func() { <-c.end }, nil).Abandon()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// The callback of a function that outlasts the run runs in the next one.
func TestJobOutlastsRun(t *testing.T) {
	guard(t)
	for _, c := range []struct {
		name string
		end  func(l *loop.Loop, j *loop.Job) // how the first run ends
	}{
		{"stopped", func(l *loop.Loop, _ *loop.Job) { l.Stop() }},
		{"abandoned", func(_ *loop.Loop, j *loop.Job) { j.Abandon() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, loop.Config{})
			release, ended := make(chan struct{}), make(chan struct{})
			var ran notes
			j := l.RunInExecutor(func() {
				defer close(ended)
				<-release
			}, ran.add("then"))
			c.end(l, j)
			l.Run()
			ran.want(t, "in the first run", "")
			close(release)
			<-ended
			for l.Idle() { // the job has ended, and the loop is about to hear of it
				runtime.Gosched()
			}
			l.Run()
			ran.want(t, "in the next run", "then")
		})
	}
}

// A function that was abandoned and then taken back is forgotten: the loop waits for
// others as ever.
func TestAbandonedJobTakenBack(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{MaxJobs: 1})
	release := make(chan struct{})
	l.RunInExecutor(func() { <-release }, nil)
	waiting := l.RunInExecutor(func() { t.Error("a cancelled function ran") }, nil)
	waiting.Abandon()
	if !waiting.Cancel() {
		t.Error("Cancel did not take a waiting function back")
	}
	if l.Idle() {
		t.Error("a loop is idle that waits for a function")
	}
	close(release)
	l.Run()
}

// That a function has ended which the loop knows nothing of yet does not have Close
// wait for another one that was abandoned.
func TestCloseAfterAnUnknownEnd(t *testing.T) {
	guard(t)
	for _, first := range []func(*loop.Job){(*loop.Job).Abandon, func(*loop.Job) {}} {
		l, err := loop.New(loop.Config{Drain: time.Hour, MaxJobs: 2})
		if err != nil {
			t.Fatal(err)
		}
		began, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		release, released := make(chan struct{}), make(chan struct{})
		first(l.RunInExecutor(func() { close(began); <-end }, nil))
		l.RunInExecutor(func() { defer close(released); <-release }, nil).Abandon()
		l.RunInExecutor(func() { close(ended) }, nil).Abandon() // in the place of the first
		<-began
		close(end)
		<-ended
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		close(release)
		<-released
	}
}

// Close waits so long and no longer, and says what is left; what had not begun
// never begins.
func TestExecutorDrain(t *testing.T) {
	guard(t)
	var printed lockedBuffer
	defer setLog(&printed)()

	l, err := loop.New(loop.Config{MaxJobs: 2, Drain: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	var begun, ended sync.WaitGroup
	for range 2 {
		begun.Add(1)
		ended.Add(1)
		l.RunInExecutor(func() {
			begun.Done()
			defer ended.Done()
			<-release
			panic("too late")
		}, func() { t.Error("a callback ran after Close") })
	}
	waiting := l.RunInExecutor(func() { t.Error("a function began after Close") }, nil)
	begun.Wait()
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "2 ") {
		t.Errorf("Close with 2 functions that do not end: %v", err)
	}
	if waiting.Cancel() {
		t.Error("Cancel on a closed loop reports that it did something")
	}
	close(release)
	ended.Wait()
	for !strings.Contains(printed.String(), "too late") {
		runtime.Gosched() // the panic is printed after the function's own defers
	}

	l, err = loop.New(loop.Config{})
	if err != nil {
		t.Fatal(err)
	}
	done := false
	l.RunInExecutor(func() { done = true }, nil)
	if err := l.Close(); err != nil {
		t.Errorf("Close with a function that ends: %v", err)
	}
	if !done {
		t.Error("Close did not wait for a function")
	}
}

// A lockedBuffer is written to by several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
