// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/sim"
	"baton/task"
)

var ownerPrograms = flag.Int("owner.programs", 1000, "how many programs TestOwners runs; 1 with -sim.seed replays one")

// TestOwners runs random programs of tasks, scopes, blocks, shields and cancels, and
// keeps books beside them by the words of the documentation alone: every error has
// an owner. The books see what each function returns and what each call gets, so
// they hold in every order of the tasks. Sleeps end at different times, and so what
// happens at one time follows from one of them.
func TestOwners(t *testing.T) {
	for range *ownerPrograms {
		passed := t.Run("program", func(t *testing.T) {
			b := &books{places: map[any]*place{}}
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				b.t, b.loop = t, task.Loop(ctx)
				b.loop.SetExceptionHandler(func(*loop.Loop, loop.Exception) { b.panics-- })
				b.scope(&place{ctx: ctx, job: &job{}}, b.loop.Rand(), 4)
			})
			if b.panics != 0 {
				t.Errorf("%d panics were not reported, or reported twice", b.panics)
			}
		})
		if !passed {
			break
		}
	}
}

// The books of one program.
type books struct {
	t      *testing.T
	loop   *loop.Loop
	places map[any]*place // by their contexts
	jobs   []*job         // in the order of their starts
	errs   int            // how many failures there were
	panics int            // which are still to be reported, for the root drops them all
}

// A place is a context of the program: that of a task, a scope, a block or a shield.
type place struct {
	ctx    context.Context
	outer  *place    // nil for the root
	group  *group    // whose tasks are started here
	job    *job      // who runs here
	when   time.Time // the deadline of a block
	shield bool
	cut    bool // it was cancelled, or has failed,
	ended  bool // or is a block that has ended,
	since  time.Time
}

// A group is a scope.
type group struct {
	place    *place
	handle   *task.ScopeRef
	returned bool    // its function has
	unowned  []*job  // of Start, which have failed
	first    []error // the first failure
	failures []error // all of them
	cause    error   // of its Cancel
	killer   error   // the failure that is the cause of its own cancel; nil if several are
}

// A job is a task.
type job struct {
	index    int // the root's is 0
	place    *place
	starter  *job
	ref      *task.Ref
	handle   *task.Task[int] // of Start
	waiting  []*place        // where somebody awaits it
	received bool            // somebody has its error
	done     bool
	exits    bool // by Goexit
	failure  []error
}

// A crash is what a task panics with.
type crash struct{ error }

// failure makes an error that no other is.
func (b *books) failure() error {
	b.errs++
	return fmt.Errorf("failure %d", b.errs)
}

// reaching lists the places whose cancel has come to p. A deadline that has passed
// is noted here.
func (b *books) reaching(p *place) (list []*place) {
	for ; p != nil; p = p.outer {
		if !p.ended && !p.cut && !p.when.IsZero() && !b.loop.Time().Before(p.when) {
			p.cut, p.since = true, p.when
		}
		if p.cut || p.ended {
			list = append(list, p)
		}
		if p.shield {
			break
		}
	}
	return list
}

// kill cancels what runs at p, unless it is cancelled. That p ends does the same.
func (b *books) kill(p *place, ends bool) {
	if len(b.reaching(p)) == 0 {
		p.cut, p.ended, p.since = !ends, ends, b.loop.Time()
	}
}

// comesFrom reports whether c tells the cancel of p. Of blocks that have ended it
// does not say which it was.
func (b *books) comesFrom(c *task.Canceled, p *place) bool {
	return c.Scope == nil && p.ended || c.Scope != nil && b.places[c.Scope] == p
}

// parts lists what is joined in err.
func parts(err error) (list []error) {
	if p, ok := err.(*task.PanicError); ok {
		err = p.Unwrap()
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, parts(e)...)
		}
	} else if err != nil {
		list = append(list, err)
	}
	return list
}

// failures are the parts of err, which j returns, or, for nil, g's function: none if
// each part is the cancel of g or the cause of that, or the cancel of one of its tasks,
// or of a block of g in which another task has started j.
func (b *books) failures(g *group, j *job, err error) []error {
	more := func(e error) bool {
		c, ok := e.(*task.Canceled)
		if !ok {
			return e != g.killer // as ErrGoexit is the same one for all tasks
		}
		from := b.places[c.Scope]
		if j == nil || from == g.place {
			return from != g.place
		}
		if from != nil && from == from.job.place && from.group == g {
			return false
		}
		for p := j.place.outer; p != g.place; p = p.outer {
			if b.comesFrom(c, p) {
				return false
			}
		}
		return true
	}
	if list := parts(err); slices.ContainsFunc(list, more) {
		return list
	}
	return nil
}

// fail notes failures of g. The first ones cancel it.
func (b *books) fail(g *group, failures []error) {
	if g.first == nil && len(failures) > 0 {
		g.first = failures
		if _, panicked := failures[0].(*crash); len(failures) == 1 && !panicked && len(b.reaching(g.place)) == 0 {
			g.killer = failures[0]
		}
		b.kill(g.place, false)
	}
	g.failures = append(g.failures, failures...)
}

// returned makes the failures that a starter of g has not awaited those of g.
func (b *books) returned(g *group, starter *job) {
	var failures []error
	g.unowned = slices.DeleteFunc(g.unowned, func(j *job) bool {
		if j.starter == starter && !j.received {
			failures = append(failures, j.failure...)
		}
		return j.starter == starter
	})
	b.fail(g, failures)
}

// returns notes what j ends with.
func (b *books) returns(j *job, err error) error {
	g := j.place.group
	j.done, j.failure = true, b.failures(g, j, err)
	j.received = slices.ContainsFunc(j.waiting, func(p *place) bool { return len(b.reaching(p)) == 0 })
	fatal := j.exits || slices.ContainsFunc(j.failure, func(e error) bool { _, ok := e.(*crash); return ok })
	over := j.starter.done || j.starter == g.place.job && g.returned
	if j.handle == nil || fatal || over && !j.received {
		b.fail(g, j.failure)
	} else if len(j.failure) > 0 {
		g.unowned = append(g.unowned, j)
	}
	b.returned(g, j)
	return err
}

// told compares what a wait at p has ended with to the cancels there.
func (b *books) told(p *place, err error) error {
	c, canceled := err.(*task.Canceled)
	counts := func(q *place) bool {
		return canceled && b.comesFrom(c, q) || !canceled && q.since.Before(b.loop.Time())
	}
	if slices.ContainsFunc(b.reaching(p), counts) != canceled {
		b.t.Errorf("a wait has ended with %v", err)
	}
	return err
}

// closes compares what a scope has returned to the books. That a block has ended is
// less than they can tell: of several, nobody knows which it was.
func (b *books) closes(g *group, err error) {
	want := g.failures
	if g.first == nil && g.cause != context.Canceled {
		want = parts(g.cause)
	}
	got := slices.DeleteFunc(parts(err), func(e error) bool {
		c, ok := e.(*task.Canceled)
		return ok && c.Scope == nil && !slices.Contains(want, e)
	})
	missing := slices.ContainsFunc(want, func(e error) bool { return !slices.Contains(got, e) })
	foreign := slices.ContainsFunc(got, func(e error) bool { return !slices.Contains(want, e) })
	if missing || foreign || g.first != nil && !slices.Contains(g.first, got[0]) {
		b.t.Errorf("a scope returns %v, want %v, and first of all %v", got, want, g.first)
	}
}

// body is the function of a task, a scope or a block: some statements, of which each
// may fail, and what it makes of that.
func (b *books) body(p *place, r *rand.Rand, depth int) error {
	for range 1 + r.IntN(5) {
		if err := b.statement(p, r, depth-1); err != nil {
			switch r.IntN(5) {
			case 0:
				return errors.Join(b.failure(), err)
			case 1:
				return b.failure()
			case 2, 3:
				return err
			}
		}
	}
	if r.IntN(6) == 0 {
		return b.failure()
	}
	return nil
}

func (b *books) statement(p *place, r *rand.Rand, depth int) error {
	switch n := r.IntN(14); {
	case n < 2 && depth > 0:
		return b.scope(p, r, depth)
	case n < 4 && depth > 0:
		return b.block(p, r, depth)
	case n < 7 && len(b.jobs) < 50:
		b.start(p, r, depth)
	case n < 9 && p.job.index < len(b.jobs): // an older one may wait for this
		return b.await(p, b.jobs[p.job.index+r.IntN(len(b.jobs)-p.job.index)])
	case n < 12 && len(b.jobs) > 0:
		b.meddle(p, b.jobs[r.IntN(len(b.jobs))], r)
	default:
		return b.told(p, sleep(p.ctx, time.Duration(r.Int64N(int64(time.Second)))))
	}
	return nil
}

func (b *books) scope(p *place, r *rand.Rand, depth int) error {
	g := &group{}
	err := task.Scope(p.ctx, func(ctx context.Context) error {
		g.place, g.handle = &place{ctx: ctx, outer: p, group: g, job: p.job}, task.ScopeOf(ctx)
		b.places[ctx] = g.place
		err := b.body(g.place, r, depth)
		b.fail(g, b.failures(g, nil, err))
		g.returned = true
		b.returned(g, g.place.job)
		return err
	})
	b.closes(g, err)
	return err
}

// block is one with a deadline, or a shield.
func (b *books) block(p *place, r *rand.Rand, depth int) error {
	ctx, release := task.Shield(p.ctx, -1)
	when := time.Time{}
	if r.IntN(3) > 0 {
		when = b.loop.Time().Add(time.Duration(1 + r.Int64N(int64(time.Second))))
		release()
		ctx, release = await.WithDeadline(p.ctx, when)
	}
	q := &place{ctx: ctx, outer: p, group: p.group, job: p.job, when: when, shield: when.IsZero()}
	b.places[ctx] = q
	err := b.body(q, r, depth)
	release()
	b.kill(q, true)
	return err
}

// start starts a task under p, or further out in the same task, but under no shield.
func (b *books) start(p *place, r *rand.Rand, depth int) {
	for r.IntN(3) == 0 && p.outer.group != nil && p.outer.job == p.job {
		p = p.outer
	}
	for q := p; q != q.group.place && q.job == p.job; q = q.outer {
		if q.shield {
			p = q.outer
		}
	}
	j := &job{index: len(b.jobs) + 1, starter: p.job}
	b.jobs = append(b.jobs, j)
	j.place = &place{outer: p, group: p.group, job: j}
	numbers := rand.New(rand.NewPCG(r.Uint64(), 0))
	run := func(ctx context.Context) error {
		j.place.ctx, b.places[ctx] = ctx, j.place
		err := b.body(j.place, numbers, depth)
		switch numbers.IntN(25) {
		case 0:
			err = &crash{b.failure()}
			b.panics++
			panic(b.returns(j, err))
		case 1:
			j.exits = true
			b.returns(j, task.ErrGoexit)
			runtime.Goexit()
		}
		return b.returns(j, err)
	}
	switch r.IntN(5) {
	case 0:
		j.place.outer = p.group.place
		j.ref = p.group.handle.Go(run)
	case 1:
		j.ref = task.Go(p.ctx, run)
	default:
		j.handle = task.Start(p.ctx, func(ctx context.Context) (int, error) { return 1, run(ctx) })
		j.ref = &j.handle.Ref
	}
}

func (b *books) await(p *place, j *job) error {
	if j.handle == nil {
		return nil
	}
	j.waiting = append(j.waiting, p)
	v, err := j.handle.Await(p.ctx)
	j.waiting = slices.DeleteFunc(j.waiting, func(q *place) bool { return q == p })
	if _, canceled := err.(*task.Canceled); canceled && v == 0 {
		return b.told(p, err)
	}
	b.told(p, nil)
	j.received = true
	return err
}

// meddle cancels j or a scope around p, or has somebody called back by j.
func (b *books) meddle(p *place, j *job, r *rand.Rand) {
	cause := []error{context.Canceled, b.failure()}[r.IntN(2)]
	switch r.IntN(3) {
	case 0:
		if j.ref.Cancel(cause) {
			b.kill(j.place, false)
		}
	case 1:
		for p != p.group.place || r.IntN(2) == 0 && p.outer.group != nil {
			p = p.outer
		}
		if g := p.group; g.first == nil && g.cause == nil {
			g.cause = cause
			b.kill(p, false)
		}
		p.group.handle.Cancel(cause)
	case 2:
		if takes := r.IntN(2) == 0; j.handle != nil {
			j.handle.AddDoneCallback(func(*task.Ref) {
				if takes {
					j.handle.Result()
					j.received = true
				}
			})
		}
	}
}
