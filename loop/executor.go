// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// An Executor runs functions that block, each on a goroutine or thread that does not hold
// the baton.
type Executor interface {
	// Submit starts fn or queues it. Submit does not block. If fn has not begun, cancel
	// removes it and returns true. The loop calls Submit and cancel while it holds the
	// baton. fn recovers its own panics, but may end by runtime.Goexit.
	Submit(fn func()) (cancel func() bool)

	// Close ends the executor and drops the functions that have not begun. Close waits at
	// most d for running functions, and returns how many still run.
	Close(d time.Duration) (left int)
}

// goroutines is the default executor. It runs each function on its own goroutine, at most
// limit at a time. Further functions wait in order of arrival.
//
// The semaphore could queue the waiting functions itself, but each would need a blocked
// goroutine, and none could be removed. Here the semaphore only counts the slots, and lets
// Close wait for all of them with a time limit.
type goroutines struct {
	slots *semaphore.Weighted
	limit int64

	mu      sync.Mutex
	running int           // slots in use; Close returns it
	waiting []*queuedFunc // empty unless all slots are in use
	closed  bool          // no function starts any more
}

// A queuedFunc is a submitted function. It is a struct because remove has to find it, and
// functions cannot be compared.
type queuedFunc struct{ fn func() }

func newGoroutines(limit int) *goroutines {
	return &goroutines{slots: semaphore.NewWeighted(int64(limit)), limit: int64(limit)}
}

// Submit implements [Executor]. A closed executor drops fn.
func (g *goroutines) Submit(fn func()) func() bool {
	t := &queuedFunc{fn}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
	case g.slots.TryAcquire(1):
		g.running++
		go g.run(t)
	default:
		g.waiting = append(g.waiting, t)
	}
	return func() bool { return g.remove(t) }
}

// run calls the function in a slot. next passes on the slot however the function ends.
func (g *goroutines) run(t *queuedFunc) {
	defer g.next()
	t.fn()
}

// next gives the slot of an ended function to the function that has waited longest, or
// releases the slot. The next function gets a new goroutine, because this one may be in
// Goexit.
func (g *goroutines) next() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.running--
		g.slots.Release(1)
		return
	}
	t := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	go g.run(t)
}

// remove removes a waiting function. It returns false if the function has begun or was
// dropped.
func (g *goroutines) remove(t *queuedFunc) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, t)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// Close implements [Executor]. To wait for running functions, it acquires all slots.
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
