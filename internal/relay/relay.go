// SPDX-License-Identifier: Apache-2.0

// Package relay passes control between the goroutines of a loop, so that one of them runs
// at a time. It knows the entries of the loop's ready queue. It does not know tasks,
// contexts or errors.
//
// A [Relay] belongs to one loop and has a pool of goroutines, the workers. Package task
// gives each worker a [TaskRunner], which runs tasks on the worker. A running worker gives
// control away by [Worker.Leave] until its own entry is the next. Meanwhile others run.
// Control passes directly from one worker to the next, without the loop's own goroutine,
// as long as the loop allows it: see loop.Driver.Take.
//
// There are two implementations, for channels and for the runtime's coroutines, behind one
// small interface.
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

// maxIdle is how many idle workers a relay keeps. Further goroutines end, which frees
// their stacks.
const maxIdle = 1024

// A Relay passes control between the goroutines of one loop. Only the goroutine that has
// control may use it, unless a method says otherwise.
type Relay struct {
	// Labels has the pprof labels with which workers begin. It must be set before Start.
	Labels context.Context

	loop       *loop.Driver
	word       *holder.Word
	hand       handoff
	newWorker  func() (*Worker, TaskRunner)
	loopWorker *Worker // the loop's own goroutine

	// All workers that have not ended, except loopWorker, in no order. NameOf reads the list
	// on another goroutine, so the owner takes the lock to write the list, but not to read it.
	workers []*Worker
	listing sync.Mutex

	idle []*Worker // without a task; the last one is used first

	stackOf    *Worker // the worker that must write its stack: see Stack
	writeStack func()  // writes the stack of the calling goroutine
	stackFor   *Worker // the caller of Stack, which gets control back
}

// New makes a relay for l. newWorker makes a worker together with its TaskRunner. New
// starts no goroutine: a worker's goroutine starts when control first passes to it.
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

// Start runs the first step of a task on a worker, and returns when the loop's own
// goroutine has control again. Other steps may have run by then. Only the loop's own
// goroutine may call Start.
func (r *Relay) Start(first loop.Runner) { r.run(r.assign(first)) }

// run passes control from the loop's own goroutine to a worker.
func (r *Relay) run(to *Worker) {
	r.loopWorker.g = gid.G()
	r.hand.pass(r.loopWorker, to)
	r.loopWorker.Back()
}

// assign gives the first step of a task to the worker that became idle last, or to a new
// one.
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

// addWorker makes a worker. Its goroutine starts when control first passes to it.
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

// forget removes a worker, which is not idle, because its goroutine ends. The last worker
// takes its place in workers, so that workers[w.index] is w for all others.
func (r *Relay) forget(w *Worker) {
	r.listing.Lock()
	defer r.listing.Unlock()
	last := r.workers[len(r.workers)-1]
	r.workers[w.index], last.index = last, w.index
	r.workers[len(r.workers)-1] = nil
	r.workers = r.workers[:len(r.workers)-1]
}

// Close ends all goroutines, and returns when they have ended. It panics if a worker is
// not idle. Only the loop's own goroutine may call it, while the loop does not run.
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

// NameOf returns the name of what runs on the goroutine g, or "". It is for the watchdog,
// and safe for concurrent use. It reads g of a worker only if begun is set: g does not
// change after that.
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

// Stack returns the stack of a parked worker w, or of the calling goroutine if w is me. A
// parked worker is resumed, writes its stack and parks again; nothing else runs meanwhile.
// me is the caller's worker, or nil for the loop's own goroutine. The stack of all
// goroutines would be no replacement: it stops the world, and does not say which goroutine
// is which.
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
