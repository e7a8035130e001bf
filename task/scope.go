// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"slices"
)

// Scope runs fn, and returns when fn and all tasks started under it have ended.
// It may switch before it calls fn, and while it waits for the tasks.
//
// The first failure, of fn or of a task of Go, cancels all of them with itself as
// the cause. Scope returns it; several different failures are joined, the first one
// first. fn has not failed if it returns only a cancel of the scope. A task has not
// failed if it returns only a cancel of the scope, of a task of the scope, or of a
// timeout or standard context inside the scope under which it was started. An error is
// only a cancel if it is its *Canceled, its sentinel or its cause, wraps one of those
// singly, or joins only such errors.
//
// A cancel of ctx reaches fn and the tasks; Scope still waits for them, however
// long their cleanup takes. If one of them returns it, so does Scope. A panic in fn
// is passed on after the tasks have ended, and so is a Goexit.
func Scope(ctx context.Context, fn func(ctx context.Context) error) error {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "Scope")
	n.ref.spend()
	s := &scope{}
	s.ref, s.scope = n.ref, s
	s.attach(n, ctx)
	if ctx != context.Context(n) {
		defer n.follow(ctx, &s.node)()
	}
	return s.run(fn)
}

// run is the life of a scope whose node is attached. All of the end is in the
// deferred function, so that a panic or Goexit of fn's waits for the tasks,
// too: it parks in there, which for Go is a deferred call like any other.
func (s *scope) run(fn func(ctx context.Context) error) (err error) {
	returned := false
	defer func() {
		if !returned { // a panic or Goexit passes through
			s.fail(errUnwinding)
		}
		s.join()
		s.end()
		if returned {
			err = s.result()
			s.ref.keepPanics(err)
		}
	}()
	if e := fn(&s.node); e != nil && !s.isOwnCancel(e) {
		s.fail(e)
	}
	returned = true
	return nil
}

// errUnwinding is the cause for which a scope's tasks are cancelled when its
// function panics. It is nobody's failure: what passes through says it all.
var errUnwinding = errors.New("task: the scope's function panicked or called runtime.Goexit")

// join waits for the tasks. The function of the scope has returned: what it has
// started and not awaited fails the scope. Others may start tasks in it between the
// end of the last one and the owner's step, so it counts again.
//
// The portals close before the wait: an open one would keep the loop from being
// idle, and so a deadlock of the tasks from being found.
func (s *scope) join() {
	s.phase = joining
	s.failUnawaited(s.unawaited)
	s.unawaited = nil
	s.closePortals()
	for s.count > 0 {
		if s.count == s.daemons {
			s.unbind()
		}
		s.ref.wait(&s.node, &s.node, (*join)(s))
	}
	s.closePortals() // those that its tasks have opened since
	s.phase = closed
}

// join is a scope as what its owner waits for: all its tasks. No cancel ends the
// wait; the tasks are cancelled instead.
type join scope

func (j *join) Reason() string { return "the tasks of its scope" }

func (j *join) Cancel(*Ref) bool { return false }

func (j *join) Owners() []*Ref { return (*scope)(j).tasks() }

// unbind cancels the tasks of goUnder, when no other task of the scope is left that
// could need them.
func (s *scope) unbind() {
	for _, r := range s.tasks() {
		if r.daemon {
			r.ctx.cancel(released)
		}
	}
}

// blame fails the scope for those tasks of a list that have not been awaited.
func (s *scope) failUnawaited(list []*Ref) {
	for _, r := range list {
		if !r.owned() {
			s.fail(r.err)
		}
	}
}

// closePortals goes through a copy, for each Close takes its portal off the
// list.
func (s *scope) closePortals() {
	for _, p := range slices.Clone(s.portals) {
		p.Close()
	}
}

// fail cancels the scope for its first failure, and keeps all different ones.
// errUnwinding only cancels.
func (s *scope) fail(err error) {
	if !s.failed {
		s.failed = true
		s.cancelFor(err)
	}
	if !slices.ContainsFunc(s.errs, func(e error) bool { return same(e, err) }) && err != errUnwinding {
		s.errs = append(s.errs, err)
	}
}

// result is what Scope returns, after the end. Failures go before the cause of
// a ScopeRef.Cancel, which was only asked for.
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

// isOwn reports whether err, which the scope's function has returned, only says that
// this scope was cancelled. A cancel from further out is reported: the caller of
// Scope is under that cancel as well.
func (s *scope) isOwnCancel(err error) bool {
	c := s.ownCancel()
	return c != nil && isOnly(err, c.matches)
}

// adopt makes r a task of the scope, under the context ctx that belongs to n.
// Its first step is in the next turn. The scope is that of the task's errors; n
// is what it inherits values, deadlines and cancels from, and may lie in
// another task's block.
func (s *scope) adopt(r *Ref, n *node, ctx context.Context) {
	if s.phase == closed {
		misuse("cannot start a task: the scope created by %v has ended", s.ref)
	}
	b := s.ref.b
	b.lastID++
	r.b, r.id = b, b.lastID
	r.ctx.ref, r.ctx.scope = r, s
	r.ctx.attach(n, ctx)
	s.count++
	if ctx != context.Context(n) {
		r.more().stop = n.follow(ctx, &r.ctx)
	}
	r.ready()
}

// ended notes the end of a task: r calls it last. It may wake the scope's owner, but
// only out of join: what else the owner waits for has nothing to do with it.
// canceled says that r has only returned a cancel: see drops.
func (s *scope) taskEnded(r *Ref, canceled bool) {
	s.count--
	if r.err != nil && !canceled {
		s.assignError(r)
	}
	if x := r.extra.Load(); x != nil { // the function of r has returned
		s.failUnawaited(x.unawaited)
		x.unawaited = nil
	}
	if r.daemon {
		s.daemons--
	}
	if s.count == s.daemons && s.phase == joining && s.ref.state == Parked {
		s.ref.ready()
	}
}

// settle decides whose the error of r is, a task that has failed. A panic, a Goexit,
// and any error of a task of Go fail the scope. The error of a task of Start belongs to the
// function that has started it: if that has not awaited the task when it returns, or
// has returned before, the error fails the scope.
//
// The starter is the scope's function or a task of the scope. When a task ends, the
// tasks that it has started move up in the tree, and count as tasks of Go from then
// on: see detach.
func (s *scope) assignError(r *Ref) {
	starter := r.ctx.parent.ref
	switch {
	case r.goexit, panicIn(r.err) != nil:
		s.fail(r.err)
	case r.observed:
	case !r.started, starter.state == Done, starter == s.ref && s.phase != open:
		s.fail(r.err)
	case starter == s.ref:
		s.unawaited = appendUnowned(s.unawaited, r)
	default:
		x := starter.more()
		x.unawaited = appendUnowned(x.unawaited, r)
	}
}

// owned reports whether r has been awaited since it failed.
func (r *Ref) owned() bool { return r.observed }

// panicIn returns the panic that err holds, or nil. A panic that is only the cause of a
// *Canceled belongs to the task that panicked, and does not count.
func panicIn(err error) *PanicError {
	switch e := err.(type) {
	case *PanicError:
		return e
	case *Canceled:
		return nil
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if p := panicIn(inner); p != nil {
				return p
			}
		}
	case interface{ Unwrap() error }:
		return panicIn(e.Unwrap())
	}
	return nil
}

// drops reports whether err, which r returns, only says that something inside the
// scope was cancelled: the scope itself, one of its tasks, or a block or standard
// context in which another task has started r.
func (s *scope) isInnerCancel(r *Ref, err error) bool {
	return isOnly(err, func(err error) bool {
		if c, ok := err.(*Canceled); ok && s.ownsCancel(c) {
			return true
		}
		c := r.canceledBy(err)
		return c != nil && (s.ownsCancel(c) || s.isBlockCancel(c))
	})
}

// caused reports whether c is a cancel of the scope itself or of one of its
// tasks: no failure, whichever task brings it. A task of the scope is cancelled
// by whoever has its Ref, and that is no news to anybody.
func (s *scope) ownsCancel(c *Canceled) bool {
	n := c.origin()
	if n == nil || n == &s.node {
		return n != nil
	}
	return n.scope == s && n.ref != s.ref && n == &n.ref.ctx
}

// enclosed reports whether c, which has cancelled a task of the scope as a
// whole, came from inside the scope: it is the deadline or the end of a block
// there, or a standard context's around the place where the task was started.
// Whoever made that knows, and a block's edge tells it. Blocks of a task's own
// lie below its context and do not cancel that: what it makes of them counts.
func (s *scope) isBlockCancel(c *Canceled) bool {
	if n := c.origin(); n != nil {
		return n.limit != nil && n.scope == s
	}
	// The end of a block, or a standard context. If the scope has it too it came
	// from further out, for all of the scope.
	return s.current != c && s.canceled.Load() != c
}

// tasks lists the live tasks, the oldest first. It walks the whole tree: for
// reports and for ScopeRef.Tasks only.
func (s *scope) tasks() []*Ref {
	return slices.DeleteFunc(s.ref.b.tasks(), func(r *Ref) bool { return r.ctx.scope != s || r == s.ref.b.root })
}

// carry remembers the panics in an error that one of the task's scopes has
// returned to it: if the task drops them, they are reported at its end. What is
// passed on is not reported: the error holds the panic then.
func (r *Ref) keepPanics(err error) {
	if p := panicIn(err); p != nil {
		x := r.more()
		x.panics = appendUnowned(x.panics, p)
	}
}
