// SPDX-License-Identifier: Apache-2.0

// Package relay passes control between goroutines, one of which runs at a time. It
// knows the entries of a loop's ready queue, and no tasks, contexts or errors.
//
// A [Relay] belongs to one loop and has a pool of goroutines, its workers. Package task
// gives each worker a [Seat], which runs tasks on it. A worker that runs gives control
// away by [Worker.Leave], until its own entry is next; in between others run. Control
// goes straight from one worker to the next, without the loop's own goroutine, as long
// as the loop allows it: see loop.Driver.Take.
//
// How control passes is behind one small interface, with an implementation for
// channels and one for the runtime's coroutines.
package relay

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"baton/internal/gid"
	"baton/internal/holder"
	"baton/loop"
)

// maxIdle is how many workers without a task a relay keeps. The rest of a burst is
// given back, with the stacks.
const maxIdle = 1024

// A Relay is the goroutines among which control of one loop passes. It belongs to the
// goroutine that has control, except where a method says otherwise.
type Relay struct {
	// Labels has the pprof labels with which workers begin. It is set before Start.
	Labels context.Context

	loop       *loop.Driver
	word       *holder.Word
	hand       handoff
	newWorker  func() (*Worker, TaskRunner)
	loopWorker *Worker // the loop's own goroutine

	// All workers that live but home, in no order. NameOf reads the list on another
	// goroutine, so writing it takes the lock; the owner reads it without.
	workers []*Worker
	listing sync.Mutex

	idle []*Worker // those without a task; the last one is used first

	stackOf    *Worker // who is to answer question: see Stack
	writeStack func()
	stackFor   *Worker
}

// New makes a relay for l. It starts no goroutine: each begins when control first
// passes to it. seats makes a worker together with its seat.
func New(l *loop.Loop, coroutine bool, newWorker func() (*Worker, TaskRunner)) *Relay {
	r := &Relay{loop: l.Driver(), word: l.Driver().Holder(), newWorker: newWorker}
	if coroutine {
		r.hand = &coroutines{}
	} else {
		r.hand = &channels{}
	}
	r.loopWorker = &Worker{relay: r, started: true, ch: make(chan struct{})}
	return r
}

// Start runs a step that is the first of a task, on a worker, and returns when the
// loop's own goroutine has control again. By then other steps may have run. The loop's
// own goroutine calls it.
func (r *Relay) Start(first loop.Runner) { r.run(r.assign(first)) }

// run passes control from the loop's own goroutine to a worker.
func (r *Relay) run(to *Worker) {
	r.loopWorker.g = gid.G()
	r.hand.pass(r.loopWorker, to)
	r.loopWorker.Back()
}

// assign gives a step that is the first of a task to a worker: the one that became idle
// last, or a new one.
func (r *Relay) assign(first loop.Runner) *Worker {
	var w *Worker
	if last := len(r.idle) - 1; last >= 0 {
		w = r.idle[last]
		r.idle[last] = nil
		r.idle = r.idle[:last]
	} else {
		w = r.addWorker()
	}
	w.busy = true
	w.runner.Take(first)
	return w
}

// hire makes a worker. Its goroutine starts when control first passes to it.
func (r *Relay) addWorker() *Worker {
	w, runner := r.newWorker()
	w.relay, w.runner = r, runner
	if _, ok := r.hand.(*channels); ok {
		w.ch = make(chan struct{})
	}
	w.index = int32(len(r.workers))
	r.listing.Lock()
	r.workers = append(r.workers, w)
	r.listing.Unlock()
	return w
}

// forget drops a worker whose goroutine ends. It is not among the idle. The last
// worker takes its place, so workers[w.index] is w for all that are left.
func (r *Relay) forget(w *Worker) {
	r.listing.Lock()
	defer r.listing.Unlock()
	last := r.workers[len(r.workers)-1]
	r.workers[w.index], last.index = last, w.index
	r.workers[len(r.workers)-1] = nil
	r.workers = r.workers[:len(r.workers)-1]
}

// Close ends all goroutines, and returns when they have ended. Every worker must be
// idle. The loop's own goroutine calls it, when the loop does not run.
func (r *Relay) Close() {
	if len(r.idle) != len(r.workers) {
		panic(fmt.Sprintf("relay: Close with %d workers, of which %d are idle", len(r.workers), len(r.idle)))
	}
	r.hand.end(slices.Clone(r.workers))
	r.word.Hold(0)
	r.listing.Lock()
	r.workers, r.idle = nil, nil
	r.listing.Unlock()
}

// NameOf names what runs on the goroutine g, or returns "". It is for the watchdog, and
// safe from every goroutine. A worker's g is read only when the worker says that it has
// begun: it does not change after that.
func (r *Relay) NameOf(g uintptr) string {
	r.listing.Lock()
	defer r.listing.Unlock()
	for _, w := range r.workers {
		if w.begun.Load() && w.g == g {
			return w.runner.Name()
		}
	}
	return ""
}

// Stack returns the stack of a worker that is parked, or of the caller's own. The
// worker is resumed, writes its stack down and parks again: control comes straight
// back, and nothing else runs in between. me is the caller's worker; nil is the loop's
// own goroutine. A stack of all goroutines would stop the world, and not say which is
// which.
func (r *Relay) Stack(me, w *Worker) []byte {
	if me == nil {
		me = r.loopWorker
	}
	if !w.started {
		return nil
	}
	buf := make([]byte, 64<<10)
	write := func() { buf = buf[:runtime.Stack(buf, false)] }
	if w == me {
		write()
		return buf
	}
	r.stackOf, r.writeStack, r.stackFor = w, write, me
	r.hand.pass(me, w)
	r.word.Hold(me.g)
	return buf
}
