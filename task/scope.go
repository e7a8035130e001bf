// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"slices"
)

// A scope owns tasks: it ends when its function and all of them have ended.
type scope struct {
	node
	phase phase
	count int // of live tasks

	failed    bool
	errs      []error // failures, the first first
	unawaited []*Ref  // tasks of Start that failed before anybody awaited them
	cause     error   // of ScopeRef.Cancel
	portals   []*Portal
}

type phase uint8

const (
	open    phase = iota // its function runs
	joining              // the function has returned, tasks still run
	closed
)

// Scope runs fn, and returns when fn and all tasks started under it have ended.
// The first failure, of fn or of a task of Go, cancels all of them with itself
// as the cause and is returned; several different failures are joined, the first
// one first. Cancels that the scope itself caused are no failures. A panic in fn
// passes on after the tasks have ended.
//
// A cancel of ctx reaches fn and the tasks; Scope still waits for them.
func Scope(ctx context.Context, fn func(ctx context.Context) error) error {
	n := enter(ctx, "Scope")
	s := &scope{}
	s.ref, s.scope = n.ref, s
	s.attach(n, ctx)
	if ctx != context.Context(n) {
		defer n.ref.b.foreign.follow(ctx, n, &s.node)()
	}
	return s.run(fn)
}

func (s *scope) run(fn func(ctx context.Context) error) (err error) {
	returned := false
	defer func() {
		if !returned { // a panic or Goexit passes through
			s.fail(errUnwinding)
		}
		s.join()
		s.expire()
		if returned {
			err = s.result()
			s.ref.carry(err)
		}
	}()
	if e := s.own(fn(&s.node)); e != nil {
		s.fail(e)
	}
	returned = true
	return nil
}

// errUnwinding is the cause for which a scope's tasks are cancelled when its
// function panics.
var errUnwinding = errors.New("task: the scope's function panicked or called runtime.Goexit")

// join waits for the tasks. What was started to be awaited and was not is a
// failure of the scope now.
func (s *scope) join() {
	s.phase = joining
	s.blame()
	s.closePortals()
	for s.count > 0 {
		s.ref.wait(&s.node, &s.node, (*join)(s))
	}
	s.blame()        // for those that somebody was to be called back for, and left
	s.closePortals() // those that its tasks have opened since
	s.phase = closed
}

// blame makes the errors that nobody has asked for the scope's.
func (s *scope) blame() {
	for _, r := range s.unawaited {
		if !r.observed {
			s.fail(r.err)
		}
	}
	s.unawaited = nil
}

func (s *scope) closePortals() {
	for _, p := range slices.Clone(s.portals) {
		p.Close()
	}
}

// join is a scope as what its owner waits for: all its tasks. No cancel ends the
// wait; the tasks are cancelled instead.
type join scope

func (j *join) Reason() string   { return "the tasks of its scope" }
func (j *join) Cancel(*Ref) bool { return false }
func (j *join) Owners() []*Ref   { return (*scope)(j).tasks() }

// fail cancels the scope for its first failure, and keeps all different ones.
func (s *scope) fail(err error) {
	if !s.failed {
		s.failed = true
		s.cancel(newCanceled(&s.node, err))
	}
	if !slices.ContainsFunc(s.errs, func(e error) bool { return same(e, err) }) && err != errUnwinding {
		s.errs = append(s.errs, err)
	}
}

func same(a, b error) bool {
	defer func() { recover() }() // errors of types that cannot be compared
	return a == b
}

func (s *scope) result() error {
	switch len(s.errs) {
	case 0:
		if s.cause == context.Canceled {
			return nil
		}
		return s.cause
	case 1:
		return s.errs[0]
	}
	return errors.Join(s.errs...)
}

// own drops from err what is only the echo of this scope's cancel.
func (s *scope) own(err error) error {
	return without(err, s.mine(), func(c *Canceled) bool { return c.origin == &s.node })
}

// adopt makes r a task of the scope, under the context ctx that belongs to n.
func (s *scope) adopt(r *Ref, n *node, ctx context.Context) {
	if s.phase == closed {
		misuse("a task cannot start in %v, which has ended", s)
	}
	b := s.ref.b
	b.lastID++
	r.b, r.id = b, b.lastID
	r.ctx.ref, r.ctx.scope = r, s
	r.ctx.attach(n, ctx)
	s.count++
	if ctx != context.Context(n) {
		r.more().stop = b.foreign.follow(ctx, n, &r.ctx)
	}
	r.ready()
}

// ended is told by a task that it has ended.
func (s *scope) ended(r *Ref) {
	s.count--
	if r.err != nil {
		s.settle(r)
	}
	if s.count == 0 && s.phase == joining && s.ref.state == Parked {
		s.ref.ready()
	}
}

// settle decides whose the error of an ended task is.
func (s *scope) settle(r *Ref) {
	echo := r.ctx.by
	if echo != nil && !s.caused(echo) {
		echo = nil
	}
	err := without(r.err, echo, func(c *Canceled) bool { return s.caused(c) || c.Cause == context.Canceled })
	if err == nil {
		return
	}
	var p *PanicError
	switch {
	case !r.started, errors.As(err, &p), s.phase == joining && !r.observed && !r.expected():
		s.fail(err)
	case !r.observed:
		if len(s.unawaited) == cap(s.unawaited) {
			s.unawaited = slices.DeleteFunc(s.unawaited, func(r *Ref) bool { return r.observed })
		}
		s.unawaited = append(s.unawaited, r)
	}
}

// caused reports whether c is a cancel of the scope itself or of one of its
// tasks: no failure, whichever task brings it.
func (s *scope) caused(c *Canceled) bool {
	n := c.origin
	if n == nil || n == &s.node {
		return n != nil
	}
	return n.scope == s && n.ref != s.ref && n == &n.ref.ctx
}

// tasks lists the live tasks, the oldest first.
func (s *scope) tasks() []*Ref {
	return slices.DeleteFunc(s.ref.b.tasks(), func(r *Ref) bool { return r.ctx.scope != s || r == s.ref.b.root })
}

// A ScopeRef is a handle on a scope, for the tasks and callbacks of its loop. It
// lets a task start work that outlives it, and end the work of others.
type ScopeRef struct{ s *scope }

// ScopeOf returns the scope that Go and Start use under ctx.
func ScopeOf(ctx context.Context) *ScopeRef { return &ScopeRef{enter(ctx, "ScopeOf").scope} }

// Go starts fn as a task of the scope, like [Go]. It panics if the scope has
// ended.
func (s *ScopeRef) Go(fn func(ctx context.Context) error) *Ref {
	s.held("Go")
	t := &background{fn: fn}
	t.ref.body = t
	s.s.adopt(&t.ref, &s.s.node, &s.s.node)
	return &t.ref
}

// Cancel cancels the scope. Scope then returns cause, or nil if that is nil or
// context.Canceled, unless something fails besides.
func (s *ScopeRef) Cancel(cause error) {
	s.held("Cancel")
	if s.s.mine() != nil || s.s.phase == closed {
		return
	}
	if cause == nil {
		cause = context.Canceled
	}
	s.s.cause = cause
	s.s.cancel(newCanceled(&s.s.node, cause))
}

// Tasks lists the tasks of the scope that have not ended, the oldest first.
func (s *ScopeRef) Tasks() []*Ref {
	s.held("Tasks")
	return s.s.tasks()
}

// String names the scope by its task.
func (s *ScopeRef) String() string { return s.s.String() }

func (s *ScopeRef) held(call string) {
	if b := s.s.ref.b; !b.word.Held() && !b.word.Free() {
		misuse("ScopeRef.%s of %v from a goroutine that does not hold the baton; use a Portal", call, s.s)
	}
}
