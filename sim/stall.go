// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"baton/loop"
	"baton/task"
)

// never is how long a test waits for what no timer brings. The clock of its bubble
// jumps that far only if everybody in there waits, and it takes no time; there is
// room for the cleanup before the clock's end, in the year 2262.
const never = 250 * 365 * 24 * time.Hour

// A stall is a deadlock that the loop cannot find: tasks that wait for the network,
// or for goroutines, may still be woken as far as the loop knows. That nobody will
// only the bubble knows, and it ends the process for that.
type stall struct {
	loop  *loop.Loop
	root  *task.Ref
	scope *task.ScopeRef // of root
	timer *time.Timer    // nil before watch
	t     *testing.T
	found *task.DeadlockError
}

// watch begins to look for a stall of the root task, which calls it.
func (s *stall) watch(ctx context.Context, t *testing.T) {
	s.t, s.loop, s.root, s.scope = t, task.Loop(ctx), task.Self(ctx), task.ScopeOf(ctx)
	s.timer = time.AfterFunc(never, func() {
		_, _ = s.loop.CallSoonThreadsafe(s.report) // of a closed loop nobody waits for anything
	})
}

// stop ends the watch. It may be called without one.
func (s *stall) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// report fails the test with what its tasks wait for, and cancels them. A sleep of
// centuries is no deadlock. What the cancel does not end, as a shield without a
// bound, the bubble will: with a panic, so the report comes first.
func (s *stall) report() {
	if _, more := s.loop.NextDeadline(); more {
		return
	}
	s.scope.Go(func(ctx context.Context) error {
		waits := task.Waits(ctx)
		if len(waits) == 0 {
			return nil
		}
		// Nothing has happened since the last of them began.
		idle := slices.MinFunc(waits, func(a, b task.Wait) int { return cmp.Compare(a.Since, b.Since) }).Since
		for i, w := range waits {
			waits[i].Since -= idle
			waits[i].On = slices.DeleteFunc(w.On, func(name string) bool { return name == task.Self(ctx).String() })
		}
		s.found = &task.DeadlockError{Waits: waits}
		s.t.Error(s.found)
		s.root.Cancel(s.found)
		return nil
	}).SetName("sim")
}
