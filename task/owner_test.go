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

var ownerPrograms = flag.Int("owner.programs", 1000, "how many programs TestEveryErrorHasAnOwner runs; 1 with -sim.seed replays one")

// TestEveryErrorHasAnOwner runs random programs of tasks, scopes, blocks, shields and
// cancels. Beside each program it keeps a model that follows only the documentation: every
// error has exactly one owner. The model records what each function returns and what each
// call receives, so it is valid for every order of the tasks. Sleeps end at different
// times, so everything that happens at one time follows from one sleep.
func TestEveryErrorHasAnOwner(t *testing.T) {
	for range *ownerPrograms {
		passed := t.Run("program", func(t *testing.T) {
			m := &model{nodes: map[any]*node{}}
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				m.t, m.loop = t, task.Loop(ctx)
				m.loop.SetExceptionHandler(func(*loop.Loop, loop.Exception) { m.panics-- })
				m.scope(&node{ctx: ctx, job: &job{}}, m.loop.Rand(), 4)
			})
			if m.panics != 0 {
				t.Errorf("%d panics were not reported (negative: reported twice)", m.panics)
			}
		})
		if !passed {
			break
		}
	}
}

// A model is the expected state of one program.
type model struct {
	t      *testing.T
	loop   *loop.Loop
	nodes  map[any]*node // by their contexts
	jobs   []*job        // in the order of their starts
	errs   int           // the number of failures so far
	panics int           // panics that are still to be reported; the root drops all of them
}

// A node is a context of the program: of a task, a scope, a block or a shield.
type node struct {
	ctx    context.Context
	outer  *node     // nil for the root
	group  *group    // the scope in which tasks are started here
	job    *job      // the task that runs here
	when   time.Time // the deadline of a block
	shield bool
	cut    bool      // it was cancelled, or has failed
	ended  bool      // it is a block that has ended
	since  time.Time // the time of the cancel, failure or end
}

// A group is a scope.
type group struct {
	node     *node
	handle   *task.ScopeRef
	returned bool    // the scope's function has returned
	unowned  []*job  // failed tasks of Start that were not awaited
	first    []error // the first failure
	failures []error // all failures
	cause    error   // the cause of ScopeRef.Cancel
	killer   error   // the failure that cancelled the scope; nil if several did
}

// A job is a task.
type job struct {
	index    int // 0 for the root
	node     *node
	starter  *job
	ref      *task.Ref
	handle   *task.Task[int] // of Start
	waiting  []*node         // the nodes in which tasks await it
	watchers int             // running calls of await.Each that began before its end
	received bool            // a caller has received its error
	done     bool
	exits    bool // it ends by Goexit
	failure  []error
}

// A crash is the value of a task's panic.
type crash struct{ error }

// failure makes a new error.
func (m *model) failure() error {
	m.errs++
	return fmt.Errorf("failure %d", m.errs)
}

// cancelsAt lists the nodes whose cancel has reached p. It also records deadlines that have
// passed.
func (m *model) cancelsAt(p *node) (list []*node) {
	for ; p != nil; p = p.outer {
		if !p.ended && !p.cut && !p.when.IsZero() && !m.loop.Time().Before(p.when) {
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

// kill cancels p, unless it is already cancelled. If ends is true, the cause is that the
// block p has ended.
func (m *model) kill(p *node, ends bool) {
	if len(m.cancelsAt(p)) == 0 {
		p.cut, p.ended, p.since = !ends, ends, m.loop.Time()
	}
}

// comesFrom reports whether c is the cancel of p. Cancels of ended blocks do not say which
// block it was.
func (m *model) comesFrom(c *task.Canceled, p *node) bool {
	return c.Scope == nil && p.ended || c.Scope != nil && m.nodes[c.Scope] == p
}

// parts lists the errors that are joined in err.
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

// failures returns the parts of err if err is a failure, and nil otherwise. j returned err,
// or the function of g did if j is nil. err is no failure if each part is one of these: the
// cancel of g or its cause; the cancel of a task of g; the cancel of a block of g in which
// another task started j.
func (m *model) failures(g *group, j *job, err error) []error {
	more := func(e error) bool {
		c, ok := e.(*task.Canceled)
		if !ok {
			return e != g.killer // ErrGoexit of several tasks is the same error
		}
		from := m.nodes[c.Scope]
		if j == nil || from == g.node {
			return from != g.node
		}
		if from != nil && from == from.job.node && from.group == g {
			return false
		}
		for p := j.node.outer; p != g.node; p = p.outer {
			if m.comesFrom(c, p) {
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

// fail records failures of g. The first of them cancels g.
func (m *model) fail(g *group, failures []error) {
	if g.first == nil && len(failures) > 0 {
		g.first = failures
		if _, panicked := failures[0].(*crash); len(failures) == 1 && !panicked && len(m.cancelsAt(g.node)) == 0 {
			g.killer = failures[0]
		}
		m.kill(g.node, false)
	}
	g.failures = append(g.failures, failures...)
}

// returned moves the failures that starter has not awaited to g.
func (m *model) returned(g *group, starter *job) {
	var failures []error
	g.unowned = slices.DeleteFunc(g.unowned, func(j *job) bool {
		if j.starter == starter && !j.received {
			failures = append(failures, j.failure...)
		}
		return j.starter == starter
	})
	m.fail(g, failures)
}

// returns records the error with which j ends.
func (m *model) returns(j *job, err error) error {
	j.done, j.failure = true, m.failures(j.node.group, j, err)
	j.received = slices.ContainsFunc(j.waiting, func(p *node) bool { return len(m.cancelsAt(p)) == 0 })
	m.assign(j)
	m.returned(j.node.group, j)
	return err
}

// assign decides what becomes of the failures of j, which has ended.
func (m *model) assign(j *job) {
	g := j.node.group
	fatal := j.exits || slices.ContainsFunc(j.failure, func(e error) bool { _, ok := e.(*crash); return ok })
	over := j.starter.done || j.starter == g.node.job && g.returned
	switch {
	case j.handle == nil || fatal:
		m.fail(g, j.failure)
	case j.received || j.watchers > 0:
	case over:
		m.fail(g, j.failure)
	case len(j.failure) > 0:
		g.unowned = append(g.unowned, j)
	}
}

// checkWait checks the result of a wait at p against the cancels there.
func (m *model) checkWait(p *node, err error) error {
	c, canceled := err.(*task.Canceled)
	counts := func(q *node) bool {
		return canceled && m.comesFrom(c, q) || !canceled && q.since.Before(m.loop.Time())
	}
	if slices.ContainsFunc(m.cancelsAt(p), counts) != canceled {
		m.t.Errorf("a wait has ended with %v", err)
	}
	return err
}

// checkScope checks the error that a scope has returned. It ignores the cancels of ended
// blocks, because they do not say which block it was.
func (m *model) checkScope(g *group, err error) {
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
		m.t.Errorf("a scope returns %v, want %v, and first of all %v", got, want, g.first)
	}
}

// body is the function of a task, a scope or a block. It runs some statements. When a
// statement fails, body may drop, return or replace the error.
func (m *model) body(p *node, r *rand.Rand, depth int) error {
	for range 1 + r.IntN(5) {
		if err := m.statement(p, r, depth-1); err != nil {
			switch r.IntN(5) {
			case 0:
				return errors.Join(m.failure(), err)
			case 1:
				return m.failure()
			case 2, 3:
				return err
			}
		}
	}
	if r.IntN(6) == 0 {
		return m.failure()
	}
	return nil
}

func (m *model) statement(p *node, r *rand.Rand, depth int) error {
	switch n := r.IntN(14); {
	case n < 2 && depth > 0:
		return m.scope(p, r, depth)
	case n < 4 && depth > 0:
		return m.block(p, r, depth)
	case n < 7 && len(m.jobs) < 50:
		m.start(p, r, depth)
	case n < 9 && p.job.index < len(m.jobs): // not for older tasks, which may wait for this one
		return m.await(p, m.jobs[p.job.index+r.IntN(len(m.jobs)-p.job.index)], r)
	case n < 12 && len(m.jobs) > 0:
		m.interfere(p, m.jobs[r.IntN(len(m.jobs))], r)
	default:
		return m.checkWait(p, sleep(p.ctx, time.Duration(r.Int64N(int64(time.Second)))))
	}
	return nil
}

func (m *model) scope(p *node, r *rand.Rand, depth int) error {
	g := &group{}
	err := task.Scope(p.ctx, func(ctx context.Context) error {
		g.node, g.handle = &node{ctx: ctx, outer: p, group: g, job: p.job}, task.ScopeOf(ctx)
		m.nodes[ctx] = g.node
		err := m.body(g.node, r, depth)
		m.fail(g, m.failures(g, nil, err))
		g.returned = true
		m.returned(g, g.node.job)
		return err
	})
	m.checkScope(g, err)
	return err
}

// block runs a block with a deadline, or a shield.
func (m *model) block(p *node, r *rand.Rand, depth int) error {
	ctx, release := task.Shield(p.ctx, -1)
	when := time.Time{}
	if r.IntN(3) > 0 {
		when = m.loop.Time().Add(time.Duration(1 + r.Int64N(int64(time.Second))))
		release()
		ctx, release = await.WithDeadline(p.ctx, when)
	}
	q := &node{ctx: ctx, outer: p, group: p.group, job: p.job, when: when, shield: when.IsZero()}
	m.nodes[ctx] = q
	err := m.body(q, r, depth)
	release()
	m.kill(q, true)
	return err
}

// start starts a task under p or an outer node of the same task, but not under a shield.
func (m *model) start(p *node, r *rand.Rand, depth int) {
	for r.IntN(3) == 0 && p.outer.group != nil && p.outer.job == p.job {
		p = p.outer
	}
	for q := p; q != q.group.node && q.job == p.job; q = q.outer {
		if q.shield {
			p = q.outer
		}
	}
	j := &job{index: len(m.jobs) + 1, starter: p.job}
	m.jobs = append(m.jobs, j)
	j.node = &node{outer: p, group: p.group, job: j}
	numbers := rand.New(rand.NewPCG(r.Uint64(), 0))
	run := func(ctx context.Context) error {
		j.node.ctx, m.nodes[ctx] = ctx, j.node
		err := m.body(j.node, numbers, depth)
		switch numbers.IntN(25) {
		case 0:
			err = &crash{m.failure()}
			m.panics++
			panic(m.returns(j, err))
		case 1:
			j.exits = true
			m.returns(j, task.ErrGoexit)
			runtime.Goexit()
		}
		return m.returns(j, err)
	}
	switch r.IntN(5) {
	case 0:
		j.node.outer = p.group.node
		j.ref = p.group.handle.Go(run)
	case 1:
		j.ref = task.Go(p.ctx, run)
	default:
		j.handle = task.Start(p.ctx, func(ctx context.Context) (int, error) { return 1, run(ctx) })
		j.ref = &j.handle.Ref
	}
}

// await awaits j, with Await or with Each.
func (m *model) await(p *node, j *job, r *rand.Rand) error {
	if j.handle == nil {
		return nil
	}
	if r.IntN(2) == 0 {
		return m.each(p, j)
	}
	j.waiting = append(j.waiting, p)
	v, err := j.handle.Await(p.ctx)
	j.waiting = slices.DeleteFunc(j.waiting, func(q *node) bool { return q == p })
	if _, canceled := err.(*task.Canceled); canceled && v == 0 {
		return m.checkWait(p, err)
	}
	m.checkWait(p, nil)
	j.received = true
	return err
}

// each awaits j with Each. If it is cancelled when j ends, the failures of j are not its own.
func (m *model) each(p *node, j *job) error {
	if !j.done {
		j.watchers++
		defer func() {
			if j.watchers--; j.done && !j.received {
				m.assign(j)
			}
		}()
	}
	for tk, err := range await.Each(p.ctx, j.handle) {
		if m.checkWait(p, err) != nil {
			return err
		}
		_, err = tk.Result()
		j.received = true
		return err
	}
	return nil
}

// interfere cancels j, cancels a scope around p, or adds a callback to j.
func (m *model) interfere(p *node, j *job, r *rand.Rand) {
	cause := []error{context.Canceled, m.failure()}[r.IntN(2)]
	switch r.IntN(3) {
	case 0:
		if j.ref.Cancel(cause) {
			m.kill(j.node, false)
		}
	case 1:
		for p != p.group.node || r.IntN(2) == 0 && p.outer.group != nil {
			p = p.outer
		}
		if g := p.group; g.first == nil && g.cause == nil {
			g.cause = cause
			m.kill(p, false)
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
