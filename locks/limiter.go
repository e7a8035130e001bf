// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"cmp"
	"context"
	"slices"

	"baton/task"
)

// A Limiter limits how many borrowers hold a token at the same time. Trio calls this
// CapacityLimiter. Unlike a Semaphore, a Limiter knows its borrowers, and each borrower has
// at most one token. So a task cannot deadlock with itself, a borrower cannot return a
// token that it does not have, and reports list the borrowers. The capacity can change at
// any time. A Limiter costs more than a Semaphore, because it keeps a map.
//
// The zero value has no tokens and is ready to use: Acquire waits until SetCapacity adds
// tokens.
type Limiter struct {
	permits  permits
	capacity int

	// Both are nil until the first call that records a borrower.
	borrowers map[any]bool      // true if the borrower has a token, false if it waits for one
	pending   map[*task.Ref]any // the borrower for which a waiting task acquires
}

// NewLimiter returns a limiter with capacity tokens. It panics if capacity is negative.
func NewLimiter(capacity int) *Limiter {
	l := &Limiter{}
	l.SetCapacity(capacity)
	return l
}

// Acquire takes a token for the calling task, and waits until there is one. It may switch.
// It panics if the task already has a token or waits for one.
func (l *Limiter) Acquire(ctx context.Context) error { return l.AcquireFor(ctx, task.Self(ctx)) }

// AcquireFor is like Acquire, on behalf of borrower. borrower may be any value that can be
// a map key; AcquireFor panics for other values. Any task may return the token with
// ReleaseFor. With an error, borrower has no token. A cancelled call still counts as
// waiting until it returns, and until then another call for the same borrower panics.
func (l *Limiter) AcquireFor(ctx context.Context, borrower any) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	l.mustBeNew(borrower)
	if l.permits.try() {
		l.record(borrower, true)
		return nil
	}
	// Before any change, so that a panic leaves the limiter as it was.
	mustShareLoop(r, l.permits.waiters.First(), "a limiter")
	l.record(borrower, false)
	l.pending[r] = borrower
	if err := l.permits.waiters.Wait(ctx, (*limiterWait)(l)); err != nil {
		delete(l.borrowers, borrower)
		delete(l.pending, r)
		return err
	}
	return nil
}

// TryAcquire takes a token for the calling task if there is one, and reports whether it
// did. It never switches and ignores a cancel of ctx.
func (l *Limiter) TryAcquire(ctx context.Context) bool { return l.TryAcquireFor(task.Self(ctx)) }

// TryAcquireFor is like TryAcquire, on behalf of borrower. It panics in the same cases as
// AcquireFor.
func (l *Limiter) TryAcquireFor(borrower any) bool {
	l.mustBeNew(borrower)
	if !l.permits.try() {
		return false
	}
	l.record(borrower, true)
	return true
}

// Release returns the token of the calling task. It panics if the task has no token. It
// never switches and ignores a cancel of ctx.
func (l *Limiter) Release(ctx context.Context) { l.ReleaseFor(task.Self(ctx)) }

// ReleaseFor returns the token of borrower. The token passes to the task that has waited
// longest, unless more tokens are lent than the capacity. ReleaseFor panics if borrower has
// no token.
func (l *Limiter) ReleaseFor(borrower any) {
	if !l.borrowers[borrower] {
		misuse("Release for %v, which has no token of the limiter; acquire one first", borrower)
	}
	l.permits.add(1, "Release")
	delete(l.borrowers, borrower)
	l.handOut()
}

// SetCapacity changes the number of tokens. If more tokens than that are lent, the limiter
// lends no token until enough have been returned. SetCapacity panics if capacity is
// negative.
func (l *Limiter) SetCapacity(capacity int) {
	if capacity < 0 {
		misuse("a limiter with a capacity of %d; the capacity must not be negative", capacity)
	}
	l.permits.add(capacity-l.capacity, "SetCapacity")
	l.capacity = capacity
	l.handOut()
}

// handOut passes the free tokens to waiting tasks. It records the new borrowers at once,
// before their tasks run. So reports list them, and ReleaseFor works for them, from now on.
func (l *Limiter) handOut() {
	for r := l.permits.next(); r != nil; r = l.permits.next() {
		l.borrowers[l.pending[r]] = true
		delete(l.pending, r)
	}
}

// record records that borrower has a token (has is true) or waits for one.
func (l *Limiter) record(borrower any, has bool) {
	if l.borrowers == nil {
		l.borrowers, l.pending = make(map[any]bool), make(map[*task.Ref]any)
	}
	l.borrowers[borrower] = has
}

// mustBeNew panics if borrower has a token or waits for one: a borrower that waits for a
// second token could wait for itself.
func (l *Limiter) mustBeNew(borrower any) {
	switch has, known := l.borrowers[borrower]; {
	case has:
		misuse("Acquire for %v, which already has a token of the limiter; a borrower can have only one", borrower)
	case known:
		misuse("Acquire for %v, which already waits for a token of the limiter; a borrower can have only one", borrower)
	}
}

// LimiterStats describes a limiter at one moment.
type LimiterStats struct {
	Capacity  int
	Lent      int   // the tokens that borrowers have; may exceed Capacity after SetCapacity
	Waiting   int   // the number of waiting tasks
	Borrowers []any // the borrowers with a token: first tasks, by ID, then others in no order
}

// Stats returns a description of the limiter. Its cost grows with the number of borrowers
// and waiting tasks, so use it for reports.
func (l *Limiter) Stats() LimiterStats {
	stats := LimiterStats{
		Capacity: l.capacity,
		Lent:     l.capacity - l.permits.free,
		Waiting:  l.permits.waiters.Len(),
	}
	for _, r := range l.owners() {
		stats.Borrowers = append(stats.Borrowers, r)
	}
	for borrower, has := range l.borrowers {
		if _, ok := borrower.(*task.Ref); has && !ok {
			stats.Borrowers = append(stats.Borrowers, borrower)
		}
	}
	return stats
}

// owners returns the tasks that have a token, sorted by ID.
func (l *Limiter) owners() []*task.Ref {
	var refs []*task.Ref
	for borrower, has := range l.borrowers {
		if r, ok := borrower.(*task.Ref); has && ok {
			refs = append(refs, r)
		}
	}
	slices.SortFunc(refs, func(a, b *task.Ref) int { return cmp.Compare(a.ID(), b.ID()) })
	return refs
}

// limiterWait is the Reason of waits for a limiter.
type limiterWait Limiter

func (l *limiterWait) Reason() string      { return "a token of a limiter" }
func (l *limiterWait) Owners() []*task.Ref { return (*Limiter)(l).owners() }
