// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"slices"
)

// A scope owns tasks: it ends when its function and all of them have ended.
// Trio calls it a nursery. It belongs to the holder of the baton.
type scope struct {
	node
	phase phase
	count int // of live tasks
	bound int // of those, the tasks of GoUnder

	failed    bool        // and cancelled for it; errs may be empty all the same
	errs      []error     // failures, the first first
	unawaited []unawaited // of orphans
	cause     error       // of ScopeRef.Cancel; what Scope returns if nothing fails
	portals   []*Portal   // open ones, in the order of OpenPortal
}

// An unawaited is a task of Start that has failed before anybody awaited it, and
// what is the scope's if nobody does: its error less the echoes, which only settle
// can tell.
type unawaited struct {
	ref *Ref
	err error
}

// owned reports whether somebody has asked for the error since.
func (u unawaited) owned() bool { return u.ref.observed }

// A phase is how far a scope has come. It never goes back.
type phase uint8

const (
	open    phase = iota // its function runs
	joining              // the function has returned, tasks still run
	closed               // no task is left, and none can start
)

// Scope runs fn, and returns when fn and all tasks started under it have ended.
// It switches while it has to wait for them, even if fn does not. The first
// failure, of fn or of a task of Go, cancels all of them with itself as the
// cause and is returned; several different failures are joined, the first one
// first. Cancels that the scope itself caused are no failures; nor is the echo
// of a block, such as a timeout, or of a standard context, within which another
// task of the scope has started the one that returns it: the block tells its
// owner. A panic in fn is passed on after the tasks have ended, and so is a
// Goexit.
//
// A cancel of ctx reaches fn and the tasks; Scope still waits for them, however
// long their cleanup takes. If one of them returns it, so does Scope.
func Scope(ctx context.Context, fn func(ctx context.Context) error) error {
	n := enter(ctx)
	mustHave(fn != nil, "Scope")
	s := &scope{}
	s.ref, s.scope = n.ref, s
	s.attach(n, ctx)
	if ctx != context.Context(n) {
		defer n.ref.b.foreign.follow(ctx, n, &s.node)()
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
// function panics. It is nobody's failure: what passes through says it all.
var errUnwinding = errors.New("task: the scope's function panicked or called runtime.Goexit")

// join waits for the tasks. What was started to be awaited and was not is a
// failure of the scope now, or once the callbacks have run that are to be told of
// it. Others may start tasks in it between the end of the last one and the owner's
// step, so it counts again.
//
// The portals close before the wait: an open one would keep the loop from being
// idle, and so a deadlock of the tasks from being found.
func (s *scope) join() {
	s.phase = joining
	s.blame(func(r *Ref) bool { return !r.expected() })
	s.closePortals()
	for s.count > 0 || s.calling() {
		if s.count > 0 {
			if s.count == s.bound {
				s.unbind()
			}
			s.ref.wait(&s.node, &s.node, (*join)(s))
		} else {
			s.turn()
		}
	}
	s.blame(func(*Ref) bool { return true }) // whoever was to be called back has left them
	s.closePortals()                         // those that its tasks have opened since
	s.phase = closed
}

// unbind cancels the tasks of GoUnder, when no other task of the scope is left that
// could need them.
func (s *scope) unbind() {
	for _, r := range s.tasks() {
		if r.bound {
			r.ctx.cancel(released)
		}
	}
}

// blame makes the errors that nobody has asked for the scope's, of those tasks
// that are due.
func (s *scope) blame(due func(r *Ref) bool) {
	var errs []error // to fail calls Waiters, which may come back here
	s.unawaited = slices.DeleteFunc(s.unawaited, func(u unawaited) bool {
		if !u.owned() && due(u.ref) {
			errs = append(errs, u.err)
			return true
		}
		return u.owned()
	})
	for _, err := range errs {
		s.fail(err)
	}
}

// turn lets what is ready run, callbacks among it. Unlike Yield it asks for no
// cancel: the scope ends either way.
func (s *scope) turn() {
	r := s.ref
	r.ready()
	if to := r.b.next(r); to != nil {
		r.b.hand.pass(r.worker, to)
		r.b.back(r)
	}
}

// calling reports whether a callback is on its way that may ask for an error.
func (s *scope) calling() bool {
	return slices.ContainsFunc(s.unawaited, func(u unawaited) bool {
		x := u.ref.extra.Load()
		return !u.owned() && x != nil && slices.ContainsFunc(x.callbacks, (*callback).pending)
	})
}

// orphaned reports whether r, a task of Start, was started by nobody but the
// scope's own task, or by a task that has ended. Else that one may still come and
// await r, at whatever moment r fails.
func (s *scope) orphaned(r *Ref) bool {
	by := r.ctx.parent.ref
	return r.orphan || by == s.ref || by.state == Done
}

// closePortals goes through a copy, for each Close takes its portal off the
// list.
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
// errUnwinding only cancels.
func (s *scope) fail(err error) {
	if !s.failed {
		s.failed = true
		s.end(err)
	}
	if !slices.ContainsFunc(s.errs, func(e error) bool { return same(e, err) }) && err != errUnwinding {
		s.errs = append(s.errs, err)
	}
}

// same reports whether two errors are one and the same. Their types may forbid
// to ask (slices, maps), and then they are not.
func same(a, b error) bool {
	defer func() { recover() }() // errors of types that cannot be compared
	return a == b
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

// own drops from err what is only the echo of this scope's cancel. An error
// that came from a cancel further out stays, for the caller is under that
// cancel as well.
func (s *scope) own(err error) error {
	return without(err, s.mine(), func(c *Canceled) bool { return c.origin == &s.node })
}

// adopt makes r a task of the scope, under the context ctx that belongs to n.
// Its first step is in the next turn. The scope is that of the task's errors; n
// is what it inherits values, deadlines and cancels from, and may lie in
// another task's block.
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

// ended is told by a task that it has ended. It may wake the scope's owner, but
// only out of join: what else the owner waits for has nothing to do with it.
// cancelled says whether the task was, before its context ended with it.
func (s *scope) ended(r *Ref, cancelled bool) {
	s.count--
	if r.err != nil {
		s.settle(r, cancelled)
	}
	if x := r.extra.Load(); x != nil {
		for _, u := range x.owed {
			s.inherit(u)
		}
		x.owed = nil
	}
	if r.bound {
		s.bound--
	}
	if s.count == s.bound && s.phase == joining && s.ref.state == Parked {
		s.ref.ready()
	}
}

// settle decides whose the error of an ended task is. What only echoes a cancel
// is nobody's: of a task of the scope, of the scope, or of a block or a standard
// context around the task. One from further out counts, a plain one too, or a scope
// that was cut short would seem to have done its work. A panic, and any error of a
// task of Go, is the scope's at once. That of a task of Start is, once it is
// orphaned and nobody awaits it or has it called back; before, it is kept for who
// may still come.
func (s *scope) settle(r *Ref, cancelled bool) {
	err := without(r.err, nil, s.caused)
	if cancelled {
		for _, echo := range r.told() {
			if s.caused(echo) || s.enclosed(echo) {
				err = without(err, echo, func(c *Canceled) bool { return c == echo })
			}
		}
	}
	if err == nil {
		return
	}
	switch {
	case !r.started, panicIn(r.err) != nil:
		s.fail(err)
	case r.observed:
	case s.orphaned(r):
		s.inherit(unawaited{r, err})
	default:
		x := r.ctx.parent.ref.more()
		x.owed = keep(x.owed, unawaited{r, err})
	}
}

// inherit takes over the error of an orphan. Unless somebody has it, or is to be
// called back, it is the scope's: now, or when the scope's function has returned.
func (s *scope) inherit(u unawaited) {
	switch {
	case u.owned():
	case s.phase == joining && !u.ref.expected():
		s.fail(u.err)
	default:
		s.unawaited = keep(s.unawaited, u)
	}
}

// caused reports whether c is a cancel of the scope itself or of one of its
// tasks: no failure, whichever task brings it. A task of the scope is cancelled
// by whoever has its Ref, and that is no news to anybody.
func (s *scope) caused(c *Canceled) bool {
	n := c.origin
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
func (s *scope) enclosed(c *Canceled) bool {
	if n := c.origin; n != nil {
		return n.limit != nil && n.scope == s
	}
	// The end of a block, or a standard context. If the scope has it too it came
	// from further out, for all of the scope.
	return s.by != c && s.canceled.Load() != c
}

// tasks lists the live tasks, the oldest first. It walks the whole tree: for
// reports and for ScopeRef.Tasks only.
func (s *scope) tasks() []*Ref {
	return slices.DeleteFunc(s.ref.b.tasks(), func(r *Ref) bool { return r.ctx.scope != s || r == s.ref.b.root })
}

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
	mustHave(fn != nil, "ScopeRef.Go")
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
	s.s.end(cause)
}

// Tasks lists the tasks of the scope that have not ended, the oldest first.
// Tasks of scopes inside it are not among them.
func (s *ScopeRef) Tasks() []*Ref {
	s.held("Tasks")
	return s.s.tasks()
}

// String names the scope by its task.
func (s *ScopeRef) String() string { return s.s.String() }

// held panics unless the caller has the baton, or the loop does not run.
func (s *ScopeRef) held(call string) {
	if b := s.s.ref.b; !b.word.Held() && !b.word.Free() {
		misuse("ScopeRef.%s of %v from a goroutine that does not hold the baton; use a Portal", call, s.s)
	}
}
