// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"cmp"
	"context"
	"slices"

	"baton/task"
)

// A Limiter bounds how many do something at the same time. Unlike a semaphore
// it knows who holds its tokens: each borrower has at most one, so a task
// cannot deadlock with itself, nobody gives back what it did not take, and
// reports name the borrowers. The capacity can change at any time. Trio's
// CapacityLimiter. It keeps a map for that, where a semaphore has a number.
//
// The zero value has no tokens and is ready to use: whoever comes waits until
// SetCapacity makes some.
type Limiter struct {
	permits  permits
	capacity int

	// Both are nil until the first borrower comes.
	borrowers map[any]bool      // true: has a token; false: waits for one
	pending   map[*task.Ref]any // who a waiting task borrows for
}

// NewLimiter returns a limiter with capacity tokens. A negative number panics.
func NewLimiter(capacity int) *Limiter {
	l := &Limiter{}
	l.SetCapacity(capacity)
	return l
}

// Acquire takes a token for the calling task, waiting until there is one. It may
// switch. A task that has one already, or waits for one, is misuse and panics.
func (l *Limiter) Acquire(ctx context.Context) error { return l.AcquireFor(ctx, task.Self(ctx)) }

// AcquireFor is like Acquire on behalf of borrower: anything that can be a key
// of a map; what cannot panics, as it does there. ReleaseFor gives the token back,
// from any task. With an error borrower has no token. Until the call has returned
// that error, borrower still counts as one that waits, for whom nobody else can
// acquire.
func (l *Limiter) AcquireFor(ctx context.Context, borrower any) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	l.mustBeNew(borrower)
	if l.permits.try() {
		l.note(borrower, true)
		return nil
	}
	meet(r, l.permits.waiters.First(), "a limiter") // before anything is noted
	l.note(borrower, false)
	l.pending[r] = borrower
	if err := l.permits.waiters.Wait(ctx, (*limiterWait)(l)); err != nil {
		delete(l.borrowers, borrower)
		delete(l.pending, r)
		return err
	}
	return nil
}

// TryAcquire takes a token for the calling task if there is one, and reports
// whether it did. It never switches; ctx names the task.
func (l *Limiter) TryAcquire(ctx context.Context) bool { return l.TryAcquireFor(task.Self(ctx)) }

// TryAcquireFor is like TryAcquire on behalf of borrower. It panics where
// AcquireFor does.
func (l *Limiter) TryAcquireFor(borrower any) bool {
	l.mustBeNew(borrower)
	if !l.permits.try() {
		return false
	}
	l.note(borrower, true)
	return true
}

// Release gives the token of the calling task back. A task that has none is
// misuse and panics. It never switches; ctx names the task, and may be
// cancelled.
func (l *Limiter) Release(ctx context.Context) { l.ReleaseFor(task.Self(ctx)) }

// ReleaseFor gives the token of borrower back, for the task that has waited
// longest, unless more tokens are lent than there are. A borrower without one is
// misuse and panics.
func (l *Limiter) ReleaseFor(borrower any) {
	if !l.borrowers[borrower] {
		misuse("Release for %v, which has no token of the limiter", borrower)
	}
	l.permits.add(1, "Release")
	delete(l.borrowers, borrower)
	l.handOut()
}

// SetCapacity changes the number of tokens. If more of them are lent, no new
// one is given out until enough have come back. A negative number panics.
func (l *Limiter) SetCapacity(capacity int) {
	if capacity < 0 {
		misuse("a limiter with a capacity of %d", capacity)
	}
	l.permits.add(capacity-l.capacity, "SetCapacity")
	l.capacity = capacity
	l.handOut()
}

// handOut gives the tokens that are free to those who wait. They are noted as
// borrowers here and not when they run, so that a token can be given back for
// them, and reports name them, at once.
func (l *Limiter) handOut() {
	for r := l.permits.next(); r != nil; r = l.permits.next() {
		l.borrowers[l.pending[r]] = true
		delete(l.pending, r)
	}
}

// note remembers that borrower has a token, or waits for one.
func (l *Limiter) note(borrower any, has bool) {
	if l.borrowers == nil {
		l.borrowers, l.pending = make(map[any]bool), make(map[*task.Ref]any)
	}
	l.borrowers[borrower] = has
}

// mustBeNew panics if borrower has a token or waits for one: with a second one it
// would sooner or later wait for itself.
func (l *Limiter) mustBeNew(borrower any) {
	switch has, known := l.borrowers[borrower]; {
	case has:
		misuse("Acquire for %v, which has a token of the limiter already", borrower)
	case known:
		misuse("Acquire for %v, which waits for a token of the limiter already", borrower)
	}
}

// A LimiterStats describes a limiter at one moment.
type LimiterStats struct {
	Capacity  int
	Lent      int   // may exceed Capacity after SetCapacity
	Waiting   int   // tasks
	Borrowers []any // those with a token; tasks first, by their ID, the rest in no order
}

// Stats describes the limiter. It walks over all borrowers and all who wait, so
// it is for reports.
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

// owners are the tasks that have a token.
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

// limiterWait is a limiter as what tasks wait for.
type limiterWait Limiter

func (l *limiterWait) Reason() string      { return "a token of a limiter" }
func (l *limiterWait) Owners() []*task.Ref { return (*Limiter)(l).owners() }
