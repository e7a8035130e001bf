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
			l.RunInExecutor(func() {}, nil) // without a callback
			l.Run()
			if result != 43 {
				t.Errorf("the result is %d, want 43", result)
			}
		})
	}
}

// A clock that jumps stands still while a function runs in the executor. Otherwise every
// timeout would fire at once.
func TestExecutorStopsVirtualClock(t *testing.T) {
	guard(t)
	release := make(chan struct{})
	poller := &waiting{Poller: virtual.New(virtual.Config{}), before: func(d time.Duration) {
		if d > 0 {
			t.Errorf("the loop waits %v for a timer while a function runs", d)
		}
		close(release)
	}}
	l := open(t, loop.Config{Poller: poller})
	start := l.Time()
	timeout := l.CallLater(time.Hour, func() { t.Error("the timeout fired") })
	l.RunInExecutor(func() { <-release }, timeout.Cancel)
	l.Run()
	if passed := l.Time().Sub(start); passed != 0 {
		t.Errorf("%v passed on a clock that stands still", passed)
	}
}

// A waiting poller calls before with the time limit of its first Wait.
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
	for range limit { // this many begin before any function ends
		<-begun
	}
	close(release)
	l.Run()
	close(begun)
	for n := range begun {
		if n > limit {
			t.Errorf("%d functions ran at the same time, the limit is %d", n, limit)
		}
	}
	if ended != jobs {
		t.Errorf("%d functions ended, want %d", ended, jobs)
	}
}

// With one slot, functions begin in the order of their calls.
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
		t.Error("Cancel of a running function returned true")
	}
	if !second.Cancel() || second.Cancel() {
		t.Error("Cancel of a waiting function did not return true first and false second")
	}
	close(release)
	l.Run()
	ran.want(t, "in the run", "first third")
	if first.Cancel() || third.Cancel() {
		t.Error("Cancel of an ended function returned true")
	}
}

// The callback runs however the function ends.
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
			l.RunInExecutor(func() {}, ran.add("next")) // the slot is free again
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
				t.Errorf("the stack does not contain TestJobEnds:\n%s", s)
			}
		})
	}
}

// An abandoned function keeps neither the loop from being idle, nor the clock from jumping,
// nor Close from returning. Its callback runs, unless the loop is closed.
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
			for range 2 { // the second Abandon does nothing
				early.Abandon()
			}
			if !l.Idle() {
				t.Error("an abandoned function keeps the loop from being idle")
			}
			l.CallLater(time.Millisecond, func() {})
			l.Run()
			late := job(func() { t.Error("a callback ran after Close") }, release)
			close(returned)
			l.RunForever() // until the callback of early
			late.Abandon()
			if err := l.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			late.Abandon()
		})
	}
}

// A counter is an executor of one function, which ends after Close has counted it.
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

// If an abandoned function ends while Close counts, Close does not report it as left.
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

// If a function ends after Run has returned, its callback runs in the next Run.
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
			for l.Idle() { // the job has ended, and will soon post its callback
				runtime.Gosched()
			}
			l.Run()
			ran.want(t, "in the next run", "then")
		})
	}
}

// A job that was abandoned and then cancelled is no longer counted: the loop still waits
// for other jobs.
func TestAbandonedJobIsCancelled(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{MaxJobs: 1})
	release := make(chan struct{})
	l.RunInExecutor(func() { <-release }, nil)
	waiting := l.RunInExecutor(func() { t.Error("a cancelled function ran") }, nil)
	waiting.Abandon()
	if !waiting.Cancel() {
		t.Error("Cancel of a waiting function returned false")
	}
	if l.Idle() {
		t.Error("a loop is idle while a function runs")
	}
	close(release)
	l.Run()
}

// Close does not wait for an abandoned function, even if another function has ended and the
// loop has not processed its end yet.
func TestCloseAfterUnprocessedEnd(t *testing.T) {
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
		l.RunInExecutor(func() { close(ended) }, nil).Abandon() // in the slot of the first
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

// Close waits at most Drain, and its error says how many functions still run. A function
// that has not begun never begins.
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
		t.Error("Cancel on a closed loop returned true")
	}
	close(release)
	ended.Wait()
	for !strings.Contains(printed.String(), "too late") {
		runtime.Gosched() // the panic is logged after the function's deferred calls
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

// A lockedBuffer is a buffer that is safe for concurrent use.
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
