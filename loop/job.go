// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"log"
	"sync/atomic"
	"time"
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

// The fate of a job is decided once: by the end of its function, by Abandon, or by
// Cancel, which is an end.
const (
	undecided = iota
	ended
	abandoned
)

// RunInExecutor runs fn off the loop, on a goroutine that does not hold the
// baton, and then has then, which may be nil, run as a callback. The loop is not
// idle in between. PEP 3156's run_in_executor.
//
// The callback then runs however fn ends, also by runtime.Goexit. If fn panics, the
// loop first calls the exception handler; a panic value that is an Exception is passed
// to it as it is. If the run ends before fn does, then runs in the next run of the
// loop. Close drops then, and logs a panic of fn.
//
// RunInExecutor itself never waits; if the executor is full, fn waits its turn. fn must
// not use the loop, except for what is safe from every goroutine. It leaves its result
// where then finds it.
func (l *Loop) RunInExecutor(fn, then func()) *Job {
	l.mustHold("RunInExecutor")
	if fn == nil {
		panic("loop: the function for the executor must not be nil")
	}
	j := &Job{loop: l, fn: fn, then: then, site: l.site()}
	l.jobs++
	l.awaited.Add(1)
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
		e, ok := v.(Exception)
		if !ok {
			e = panicked("function in the executor "+nameOf(j.fn, j.site), v)
		}
		j.failure = &e
	}
	j.leave()
	if j.loop.Driver().Post(j) != nil {
		j.drop()
	}
}

// drop is the end of a job whose loop has closed before it took notice.
func (j *Job) drop() {
	if j.failure != nil {
		log.Print(*j.failure)
	}
}

// leave takes a function that runs no more off the counts.
func (j *Job) leave() {
	if j.fate.CompareAndSwap(undecided, ended) {
		j.loop.awaited.Add(-1)
	} else {
		j.loop.abandoned.Add(-1)
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
	j.leave()
	return true
}

// Abandon leaves alone a function that nothing can stop and whose end concerns
// nobody any more, such as a read from a terminal: it does not keep the loop from
// being idle, and Close does not wait where only such functions run. Its callback
// runs all the same, as that of [Loop.RunInExecutor].
func (j *Job) Abandon() {
	if j.loop.closed.Load() {
		return
	}
	j.loop.mustHold("Job.Abandon")
	if !j.finished && j.fate.CompareAndSwap(undecided, abandoned) {
		j.loop.abandoned.Add(1)
		j.loop.awaited.Add(-1)
	}
}

// busy reports whether there are jobs that somebody waits for. Those that have
// ended count until the loop knows.
func (l *Loop) busy() bool { return l.jobs > int(l.abandoned.Load()) }

// drain ends the executor, and returns how many functions that were not abandoned
// still run after d. It does not wait if those that run all were.
func (l *Loop) drain(d time.Duration) (left int) {
	if l.abandoned.Load() == 0 {
		return l.cfg.Executor.Close(d)
	}
	if l.awaited.Load() == 0 {
		l.cfg.Executor.Close(-1)
		return 0 // whatever ends at this moment
	}
	left = l.cfg.Executor.Close(d) - int(l.abandoned.Load())
	return min(left, int(l.awaited.Load())) // one that was abandoned may have ended since
}
