// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"slices"
)

// Scope runs fn on the calling task, and returns when fn and all tasks started under it
// have ended. It may switch before it calls fn, and while it waits for the tasks.
//
// A failure of fn, of a task of [Go] or of an unawaited task of [Start] cancels fn and all
// tasks, with the error as the cause. Scope returns the error of the first failure, joined
// with any different errors that follow. A panic in fn continues after the tasks have
// ended, and so does a Goexit.
//
// If ctx is cancelled, fn and the tasks are cancelled too. Scope still waits for them,
// however long their cleanup takes, and returns the cancel if one of them returned it.
//
// Returning only a cancel is not always a failure. fn has not failed if it returns only a
// cancel of the scope itself. A task has not failed if it returns only the cancel of one
// of these:
//
//   - the scope,
//   - a task of the scope,
//   - a timeout block inside the scope, if the task was started in the block,
//   - a context of the standard library inside the scope, if the task was started under it.
//
// An error is only a cancel if it is the *Canceled, its cause, or the error that ctx.Err
// returns for it. An error that wraps only a cancel, or joins only cancels, is only a
// cancel too.
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

// run calls fn in a scope whose node is attached, and ends the scope. The end is in a
// deferred function, which may park, so that the tasks are awaited after a panic or Goexit
// of fn too.
func (s *scope) run(fn func(ctx context.Context) error) (err error) {
	returned := false
	defer func() {
		if !returned { // a panic or Goexit is in progress
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

// errUnwinding is the cause with which the tasks are cancelled when the function of their
// scope panics or calls Goexit. It is not a failure of the scope, because the panic itself
// continues.
var errUnwinding = errors.New("task: the scope's function panicked or called runtime.Goexit")

// join waits for the tasks, after the function of the scope has returned. Failed tasks
// that the function has started and not awaited fail the scope. join checks the count
// again after each wait, because other tasks may start tasks in the scope before the owner
// runs.
//
// The portals are closed before the wait: with an open portal the loop is never idle, and
// a deadlock of the tasks would not be found.
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
	s.closePortals() // those that the tasks have opened since
	s.phase = closed
}

// A join is a scope as a Waiter: its owner waits for all tasks. A cancel does not end the
// wait, but cancels the tasks.
type join scope

func (j *join) Reason() string { return "the tasks of its scope" }

func (j *join) Cancel(*Ref) bool { return false }

func (j *join) Owners() []*Ref { return (*scope)(j).tasks() }

// unbind cancels the daemons when they are the last tasks of the scope.
func (s *scope) unbind() {
	for _, r := range s.tasks() {
		if r.daemon {
			r.ctx.cancel(released)
		}
	}
}

// failUnawaited fails the scope for the tasks of the list that have not been awaited.
func (s *scope) failUnawaited(list []*Ref) {
	for _, r := range list {
		if !r.owned() {
			s.fail(r.err)
		}
	}
}

// closePortals closes all portals. It iterates over a copy, because Close changes the
// list.
func (s *scope) closePortals() {
	for _, p := range slices.Clone(s.portals) {
		p.Close()
	}
}

// fail records a failure, and cancels the scope for the first one. An error that is
// recorded already is not added again, and errUnwinding is never added.
func (s *scope) fail(err error) {
	if !s.failed {
		s.failed = true
		s.cancelFor(err)
	}
	if !slices.ContainsFunc(s.errs, func(e error) bool { return same(e, err) }) && err != errUnwinding {
		s.errs = append(s.errs, err)
	}
}

// result returns what Scope returns. Failures take precedence over the cause of
// ScopeRef.Cancel.
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

// isOwnCancel reports whether err, which the scope's function returned, only says that
// this scope was cancelled. An outer cancel is returned by Scope, because it cancels the
// caller of Scope too.
func (s *scope) isOwnCancel(err error) bool {
	c := s.ownCancel()
	return c != nil && isOnly(err, c.matches)
}

// adopt starts r as a task of the scope, under ctx, which is n or was derived from n. The
// first step of r runs in the next turn. The scope receives the errors of r. From ctx, r
// inherits values, deadlines and cancels; n may belong to a block of another task.
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

// taskEnded is the last step in the end of r. It wakes the owner of the scope if the owner
// is in join and no other task is left.
func (s *scope) taskEnded(r *Ref) {
	s.count--
	if r.err != nil {
		s.assignError(r)
	}
	if x := r.extra.Load(); x != nil { // r has returned without awaiting these
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

// assignError decides who owns the error of r, a task that has ended:
//
//   - A panic, a Goexit, and any error of a task of Go fail the scope.
//   - The error of an awaited task belongs to the task that awaited it. An error that is only a
//     cancel (see isInnerCancel) needs no owner.
//   - The error of a watched task has no owner until the watcher stops: see addWatcher.
//   - The error of a task of Start belongs to the function that called Start. If that function has
//     returned, the error fails the scope. Otherwise r is recorded, and fails the scope if the
//     function returns without awaiting r.
//
// The starter is the scope's function or a task of the scope. When a task ends, the tasks
// that it started move up in the tree and count as tasks of Go from then on: see detach.
func (s *scope) assignError(r *Ref) {
	starter, x := r.ctx.parent.ref, r.extra.Load()
	switch {
	case r.goexit, panicIn(r.err) != nil:
		s.fail(r.err)
	case r.observed, x != nil && x.watchers > 0:
	case !r.started, starter.state == Done, starter == s.ref && s.phase != open:
		s.fail(r.err)
	case starter == s.ref:
		s.unawaited = appendUnowned(s.unawaited, r)
	default:
		x := starter.more()
		x.unawaited = appendUnowned(x.unawaited, r)
	}
}

// addWatcher keeps the error of r from failing the scope until stop is called. The caller,
// await.All or await.Each, may await r until then. If it does not, for example because it
// was cancelled when r ended, stop assigns the error.
func (r *Ref) addWatcher() (stop func()) {
	if r.state == Done { // its error is assigned already
		return nothing
	}
	x := r.more()
	x.watchers++
	return func() {
		if x.watchers--; r.state == Done && !r.observed {
			r.ctx.scope.assignError(r)
		}
	}
}

// owned reports whether r was awaited after it failed.
func (r *Ref) owned() bool { return r.observed }

// panicIn returns the panic that err contains, or nil. A panic that is only the cause of a
// *Canceled does not count: it belongs to the task that panicked.
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

// isInnerCancel reports whether err, which r returned, only says that something inside the
// scope was cancelled: see ownsCancel and isBlockCancel.
func (s *scope) isInnerCancel(r *Ref, err error) bool {
	return isOnly(err, func(err error) bool {
		if c, ok := err.(*Canceled); ok && s.ownsCancel(c) {
			return true
		}
		c := r.canceledBy(err)
		return c != nil && (s.ownsCancel(c) || s.isBlockCancel(c))
	})
}

// ownsCancel reports whether c is a cancel of the scope itself or of one of its tasks.
// Such a cancel is no failure, whichever task returns it: the code that cancelled a task
// knows about it.
func (s *scope) ownsCancel(c *Canceled) bool {
	n := c.origin()
	if n == nil || n == &s.node {
		return n != nil
	}
	return n.scope == s && n.ref != s.ref && n == &n.ref.ctx
}

// isBlockCancel reports whether c, which cancelled a task of the scope, came from a block
// of the scope in which the task was started: from a timeout that passed, a block that
// ended or a context of the standard library. The block itself reports that cancel, so the
// task has not failed. A block inside the task does not cancel the task's own context, so
// its cancels do not get here.
func (s *scope) isBlockCancel(c *Canceled) bool {
	if n := c.origin(); n != nil {
		return n.limit != nil && n.scope == s
	}
	// c is the end of a block, or the cancel of a context of the standard library. If the
	// scope has c too, c came from outside the scope.
	return s.current != c && s.canceled.Load() != c
}

// tasks returns the tasks that have not ended, the oldest first. It walks the whole tree,
// so it is only for reports and ScopeRef.Tasks.
func (s *scope) tasks() []*Ref {
	return slices.DeleteFunc(s.ref.b.tasks(), func(r *Ref) bool { return r.ctx.scope != s || r == s.ref.b.root })
}

// keepPanics records a panic in an error that one of the task's scopes has returned to it.
// If the task's own error does not contain the panic, the end of the task reports it.
func (r *Ref) keepPanics(err error) {
	if p := panicIn(err); p != nil {
		x := r.more()
		x.panics = appendUnowned(x.panics, p)
	}
}
