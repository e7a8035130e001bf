// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"log"
	"sync/atomic"
	"time"
)

// A Job is one function that runs in the executor: see [Loop.RunInExecutor]. Only the
// holder may use it.
type Job struct {
	loop     *Loop
	fn, then func()
	site     string      // where it was submitted, in debug mode
	cancel   func() bool // made by the executor
	failure  *Exception  // the panic of fn; set before the Job is posted
	finished bool        // no longer counted in loop.jobs
	outcome  atomic.Int32
}

// The outcome of a job is set once: when its function has ended, by Abandon, or by Cancel.
const (
	undecided = iota
	ended
	abandoned
)

// RunInExecutor runs fn in the executor, on a goroutine that does not hold the baton. When
// fn has ended, then runs as a callback. then may be nil. Until fn has ended, the loop is
// not idle. RunInExecutor is run_in_executor of PEP 3156.
//
// RunInExecutor does not block. If the executor is full, fn waits in its queue. fn must not
// use the loop, except for methods that are safe for concurrent use. fn stores its result
// in a variable that then reads.
//
// then runs however fn ends, also by runtime.Goexit. If fn panics, the loop first calls the
// exception handler; a panic value of type Exception is passed on unchanged. If Run returns
// before fn ends, then runs in the next Run of the loop. Close drops then, and logs a panic
// of fn.
func (l *Loop) RunInExecutor(fn, then func()) *Job {
	l.mustHold("RunInExecutor")
	if fn == nil {
		panic("loop: the function for RunInExecutor is nil; pass a function")
	}
	j := &Job{loop: l, fn: fn, then: then, site: l.callSite()}
	l.jobs++
	l.awaitedJobs.Add(1)
	j.cancel = l.cfg.Executor.Submit(j.run)
	return j
}

// run is the function that the executor calls, on its own goroutine.
func (j *Job) run() {
	defer j.end()
	j.fn()
}

// end posts the job to its loop. run defers the call, so that it also happens in a Goexit.
// If the loop is closed, nothing but the log can report a panic.
func (j *Job) end() {
	if v := recover(); v != nil {
		e, ok := v.(Exception)
		if !ok {
			e = panicked("function in the executor "+nameOf(j.fn, j.site), v)
		}
		j.failure = &e
	}
	j.uncount()
	if j.loop.Driver().Post(j) != nil {
		j.logFailure()
	}
}

// logFailure logs the panic of a job whose loop was closed before it processed the job.
func (j *Job) logFailure() {
	if j.failure != nil {
		log.Print(*j.failure)
	}
}

// uncount removes an ended function from the loop's counts.
func (j *Job) uncount() {
	if j.outcome.CompareAndSwap(undecided, ended) {
		j.loop.awaitedJobs.Add(-1)
	} else {
		j.loop.abandonedJobs.Add(-1)
	}
}

// Wake queues the callback of a finished job. Only the loop calls it.
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

// Cancel removes the function from the executor if it has not begun, and reports whether it
// did so. The callback of a cancelled job never runs. A function that has begun cannot be
// stopped. On a closed loop, Cancel returns false.
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
	j.uncount()
	return true
}

// Abandon declares that the program no longer waits for the function, such as a read from a
// terminal that nothing can stop. An abandoned job does not keep the loop from being idle,
// and Close does not wait if only abandoned jobs run. If the function ends later, its
// callback runs as usual: see [Loop.RunInExecutor]. On a closed loop, Abandon does nothing.
func (j *Job) Abandon() {
	if j.loop.closed.Load() {
		return
	}
	j.loop.mustHold("Job.Abandon")
	if !j.finished && j.outcome.CompareAndSwap(undecided, abandoned) {
		j.loop.abandonedJobs.Add(1)
		j.loop.awaitedJobs.Add(-1)
	}
}

// hasJobs reports whether there are jobs that were not abandoned. An ended job counts until
// the loop has processed its post.
func (l *Loop) hasJobs() bool { return l.jobs > int(l.abandonedJobs.Load()) }

// drain closes the executor. It returns how many functions that were not abandoned still
// run after d. If only abandoned functions run, drain does not wait.
func (l *Loop) drain(d time.Duration) (left int) {
	if l.abandonedJobs.Load() == 0 {
		return l.cfg.Executor.Close(d)
	}
	if l.awaitedJobs.Load() == 0 {
		l.cfg.Executor.Close(-1)
		return 0 // a function that ends at this moment does not count
	}
	left = l.cfg.Executor.Close(d) - int(l.abandonedJobs.Load())
	return min(left, int(l.awaitedJobs.Load())) // an abandoned job may have ended since Close returned
}
