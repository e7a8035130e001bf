// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"log"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// A Job is a function in the executor. It belongs to the loop: to the holder of
// its baton. The executor's goroutine writes only failure, before the post that
// lets the loop read it, and fate.
type Job struct {
	loop     *Loop
	fn, then func()
	site     string      // where it was submitted, in debug mode
	cancel   func() bool // the executor's
	failure  *Exception  // the function's panic
	finished bool        // no longer counted among the loop's jobs
	fate     atomic.Int32
}

// The fate of a job is decided once: by the end of its function, or by Abandon.
const (
	undecided = iota
	ended
	abandoned
)

// RunInExecutor runs fn off the loop, on a goroutine that does not hold the
// baton, and then has then, which may be nil, run as a callback. The loop is not
// idle in between. PEP 3156's run_in_executor.
//
// However fn ends, then runs: if fn panicked the exception handler is told
// first, and runtime.Goexit is an end like any other. So whoever waits does not
// wait for ever, and fn leaves its result where then finds it. RunInExecutor
// itself never waits; if the executor is full, fn waits its turn. fn must not
// use the loop, but for what is safe from every goroutine.
func (l *Loop) RunInExecutor(fn, then func()) *Job {
	l.mustHold("RunInExecutor")
	if fn == nil {
		panic("loop: the function for the executor must not be nil")
	}
	j := &Job{loop: l, fn: fn, then: then, site: l.site()}
	l.jobs++
	j.cancel = l.cfg.Executor.Submit(j.run)
	return j
}

// run is what the executor calls, on a goroutine of its own.
func (j *Job) run() {
	defer j.end()
	j.fn()
}

// end tells the loop. One that is closed has given up on the job and has no
// turn left to report a panic in, but it must not vanish. It is deferred, so a
// Goexit of the function's comes through here as well.
func (j *Job) end() {
	if v := recover(); v != nil {
		e := panicked("function in the executor "+nameOf(j.fn, j.site), v)
		j.failure = &e
	}
	if !j.fate.CompareAndSwap(undecided, ended) {
		j.loop.abandoned.Add(-1)
	}
	if j.loop.Post(j) != nil && j.failure != nil {
		log.Print(*j.failure)
	}
}

// Wake queues the callback of a finished job. It is the loop's to call.
func (j *Job) Wake() {
	j.loop.jobs--
	j.finished = true
	if e := j.failure; e != nil {
		j.loop.queue(func() { j.loop.CallExceptionHandler(*e) }, j.fn, j.site)
	}
	if j.then != nil {
		j.loop.queue(j.then, j.then, j.site)
	}
}

// Cancel takes the function back if it has not begun, and reports whether it
// did; then the callback never runs. A function that runs cannot be stopped.
func (j *Job) Cancel() bool {
	if j.loop.closed.Load() {
		return false
	}
	j.loop.mustHold("Job.Cancel")
	if j.finished || !j.cancel() {
		return false
	}
	j.finished = true
	j.loop.jobs--
	return true
}

// Abandon leaves alone a function that nothing can stop and whose end concerns
// nobody any more, such as a read from a terminal: it does not keep the loop from
// being idle, and Close does not wait where only such functions run. If it ends
// while the loop runs, its callback runs all the same.
func (j *Job) Abandon() {
	if j.loop.closed.Load() {
		return
	}
	j.loop.mustHold("Job.Abandon")
	if !j.finished && j.fate.CompareAndSwap(undecided, abandoned) {
		j.loop.abandoned.Add(1)
	}
}

// busy reports whether there are jobs that somebody waits for. Those that have
// ended count until the loop knows.
func (l *Loop) busy() bool { return l.jobs > int(l.abandoned.Load()) }

// drain ends the executor, and returns how many functions that were not abandoned
// still run after d. It does not wait if those that run all were.
func (l *Loop) drain(d time.Duration) (left int) {
	if l.abandoned.Load() > 0 && !l.busy() {
		d = -1
	}
	return l.cfg.Executor.Close(d) - int(l.abandoned.Load())
}

// goroutines is the default executor: a goroutine for each function, so many at
// a time; the others wait in the order in which they came.
//
// The semaphore could keep the line itself, but each function in it would cost
// a waiting goroutine, and none could be taken back. It counts the slots, and
// lets Close wait for all of them with a limit.
type goroutines struct {
	slots *semaphore.Weighted
	limit int64

	mu      sync.Mutex
	running int    // slots taken; Close tells it
	waiting []*job // only while all slots are taken
	closed  bool   // nothing starts any more
}

// A job is a function in the line. It is a struct so that it has an address, by
// which remove finds it: functions cannot be compared.
type job struct{ fn func() }

func newGoroutines(limit int) *goroutines {
	return &goroutines{slots: semaphore.NewWeighted(int64(limit)), limit: int64(limit)}
}

// Submit implements [Executor]. A closed executor drops fn.
func (g *goroutines) Submit(fn func()) func() bool {
	j := &job{fn}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
	case g.slots.TryAcquire(1):
		g.running++
		go g.run(j)
	default:
		g.waiting = append(g.waiting, j)
	}
	return func() bool { return g.remove(j) }
}

// run has a slot, which next gives away however fn ends.
func (g *goroutines) run(j *job) {
	defer g.next()
	j.fn()
}

// next gives the slot of a function that has ended to the one that has waited
// longest, if there is one. That gets a goroutine of its own: this one may be
// in Goexit.
func (g *goroutines) next() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.running--
		g.slots.Release(1)
		return
	}
	j := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	go g.run(j)
}

// remove takes a function out of the line; false means that it has begun, or
// was dropped.
func (g *goroutines) remove(j *job) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, j)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// Close implements [Executor]. It waits until it has all slots itself.
func (g *goroutines) Close(d time.Duration) int {
	g.mu.Lock()
	g.closed, g.waiting = true, nil
	g.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if g.slots.Acquire(ctx, g.limit) == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}
