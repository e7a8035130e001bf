// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A ScopeRef is a handle on a scope, for the tasks and callbacks of its loop. With it a
// task can start tasks that outlive it, and end the tasks of others; a callback can start
// a task. No method switches. The methods panic if the loop runs and the caller is another
// goroutine.
type ScopeRef struct{ s *scope }

// ScopeOf returns the scope in which Go and Start start tasks under ctx. It never
// switches.
func ScopeOf(ctx context.Context) *ScopeRef { return &ScopeRef{enter(ctx).scope} }

// Go starts fn as a background task of the scope, like [Go]. The task runs under the
// scope's own context. Go panics if the scope has ended.
func (s *ScopeRef) Go(fn func(ctx context.Context) error) *Ref {
	s.held("Go")
	mustHaveFunc(fn != nil, "ScopeRef.Go")
	t := &background{fn: fn}
	t.ref.body = t
	s.s.adopt(&t.ref, &s.s.node, &s.s.node)
	return &t.ref
}

// Cancel cancels the scope, with a cause; nil means context.Canceled. [Scope] then returns
// the cause, or nil if it is context.Canceled, unless something fails too. The first cause
// stays. If the scope has ended, Cancel does nothing.
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

// Tasks returns the tasks of the scope that have not ended, the oldest first. Tasks of
// inner scopes are not among them.
func (s *ScopeRef) Tasks() []*Ref {
	s.held("Tasks")
	return s.s.tasks()
}

// Len returns the number of tasks that Tasks would return.
func (s *ScopeRef) Len() int {
	s.held("Len")
	return s.s.count
}

// String names the scope in messages, by the task that created it.
func (s *ScopeRef) String() string { return s.s.String() }

// held panics if the loop runs and the caller does not hold its baton.
func (s *ScopeRef) held(call string) {
	if b := s.s.ref.b; !b.word.Held() && !b.word.Free() {
		misuse("ScopeRef.%s of %v from a goroutine that does not hold the baton; use a task.Portal", call, s.s)
	}
}
