// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// An Executor runs functions that block, each on a goroutine or thread that
// does not hold the baton.
type Executor interface {
	// Submit starts fn or queues it. It never waits. The returned function
	// takes fn back and reports true if it has not begun. The loop calls both
	// with its baton. fn recovers its own panics, but may end by Goexit.
	Submit(fn func()) (cancel func() bool)

	// Close ends the executor: functions not yet begun are dropped. It waits at
	// most d for the ones that run and returns how many still do.
	Close(d time.Duration) (left int)
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
	running int       // slots taken; Close tells it
	waiting []*ticket // only while all slots are taken
	closed  bool      // nothing starts any more
}

// A ticket is a function's place in the line. It is a struct so that it has an
// address, by which remove finds it: functions cannot be compared.
type ticket struct{ fn func() }

func newGoroutines(limit int) *goroutines {
	return &goroutines{slots: semaphore.NewWeighted(int64(limit)), limit: int64(limit)}
}

// Submit implements [Executor]. A closed executor drops fn.
func (g *goroutines) Submit(fn func()) func() bool {
	t := &ticket{fn}
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

// run has a slot, which next gives away however fn ends.
func (g *goroutines) run(t *ticket) {
	defer g.next()
	t.fn()
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
	t := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	go g.run(t)
}

// remove takes a function out of the line; false means that it has begun, or
// was dropped.
func (g *goroutines) remove(t *ticket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, t)
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
