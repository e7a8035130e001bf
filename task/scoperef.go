// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A ScopeRef is a handle on a scope, for the tasks and callbacks of its loop.
// It lets a task start work that outlives it, and end the work of others. Its
// methods never switch, and panic on a goroutine that does not hold the baton
// while the loop runs.
type ScopeRef struct{ s *scope }

// ScopeOf returns the scope that Go and Start use under ctx: the innermost one,
// in the calling task or around it. It never switches.
func ScopeOf(ctx context.Context) *ScopeRef { return &ScopeRef{enter(ctx).scope} }

// Go starts fn as a task of the scope, like [Go]. It panics if the scope has
// ended. The task is under the scope's own context, whoever starts it.
func (s *ScopeRef) Go(fn func(ctx context.Context) error) *Ref {
	s.held("Go")
	mustHaveFunc(fn != nil, "ScopeRef.Go")
	t := &background{fn: fn}
	t.ref.body = t
	s.s.adopt(&t.ref, &s.s.node, &s.s.node)
	return &t.ref
}

// Cancel cancels the scope. Scope then returns cause, or nil if that is nil or
// context.Canceled, unless something fails besides. The first cause stays; a
// scope that has ended is not affected.
func (s *ScopeRef) Cancel(cause error) {
	s.held("Cancel")
	if s.s.cause != nil || s.s.failed || s.s.phase == closed {
		return
	}
	if cause == nil {
		cause = context.Canceled
	}
	s.s.cause = cause
	s.s.cancelFor(cause)
}

// Tasks lists the tasks of the scope that have not ended, the oldest first.
// Tasks of scopes inside it are not among them.
func (s *ScopeRef) Tasks() []*Ref {
	s.held("Tasks")
	return s.s.tasks()
}

// Len returns how many tasks Tasks would list.
func (s *ScopeRef) Len() int {
	s.held("Len")
	return s.s.count
}

// String names the scope by its task.
func (s *ScopeRef) String() string { return s.s.String() }

// held panics unless the caller has the baton, or the loop does not run.
func (s *ScopeRef) held(call string) {
	if b := s.s.ref.b; !b.word.Held() && !b.word.Free() {
		misuse("ScopeRef.%s of %v from a goroutine that does not hold the baton; use a Portal", call, s.s)
	}
}
