// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/task"
)

// stallTime is how long the terminator waits before it looks for a deadlock, on the clock
// of the bubble. The clock jumps that far only if everything in the bubble waits without a
// timer, so this takes no real time. The clock ends in the year 2262, which leaves time for
// cleanup.
const stallTime = 250 * 365 * 24 * time.Hour

// A terminator ends a test that would not end by itself. It fails the test with a report of
// what its tasks wait for, and then cancels them. The report comes first, because a cancel
// does not end every wait: not, for example, a wait in a shield without a time limit. Then
// the bubble or package testing ends the process.
type terminator struct {
	t     *testing.T
	loop  *loop.Loop
	root  *task.Ref      // nil before begin
	scope *task.ScopeRef // the scope of root
	timer *time.Timer    // for stalled; nil before begin
	began time.Time
	found error // the error that the test was ended with
}

// begin starts the terminator. The root task calls it.
func (tm *terminator) begin(ctx context.Context, t *testing.T) {
	tm.t, tm.loop, tm.root, tm.scope = t, task.Loop(ctx), task.Self(ctx), task.ScopeOf(ctx)
	tm.began = tm.loop.Time()
	tm.timer = time.AfterFunc(stallTime, func() {
		_, _ = tm.loop.CallSoonThreadsafe(tm.stalled) // if the loop is closed, no task waits
	})
}

// stop ends the terminator. It may be called without begin.
func (tm *terminator) stop() {
	if tm.timer != nil {
		tm.timer.Stop()
	}
}

// stalled is called when nothing has happened for stallTime. It finds deadlocks that the
// loop cannot find: as far as the loop knows, tasks that wait for the network or for
// goroutines may still be woken. Only the bubble knows that they will not, and it would end
// the process. A sleep until a later time is no deadlock.
func (tm *terminator) stalled() {
	if _, more := tm.loop.NextDeadline(); more {
		return
	}
	tm.end(func(waits []task.Wait) error {
		if len(waits) == 0 {
			return nil
		}
		// Nothing has happened since the last of these waits began.
		idle := slices.MinFunc(waits, func(a, b task.Wait) int { return cmp.Compare(a.Since, b.Since) }).Since
		for i := range waits {
			waits[i].Since -= idle
		}
		return &task.DeadlockError{Waits: waits}
	})
}

// timeOver is called with the baton when the time of the test is over. ran names what keeps
// the test going. It returns false if there is no root task yet.
func (tm *terminator) timeOver(ran string) bool {
	if tm.root == nil {
		return false
	}
	// This also ends the wait that the loop may be about to begin.
	_, _ = tm.loop.CallSoonThreadsafe(func() { tm.endOvertime(ran) })
	return true
}

// endOvertime ends the test in a separate turn. It also prints the report: if a task
// ignores its cancel, package testing ends the process and drops the log of the test.
func (tm *terminator) endOvertime(ran string) {
	lasted := tm.loop.Time().Sub(tm.began)
	tm.end(func(waits []task.Wait) error {
		var lines strings.Builder
		for _, wait := range waits {
			lines.WriteString("\n\t" + wait.String())
		}
		err := fmt.Errorf("sim: the time of the test is over, after %v of virtual time, and the test goes on: %s ran last%s",
			lasted, ran, &lines)
		fmt.Fprintln(os.Stderr, err)
		return err
	})
}

// end calls verdict with the waits of the test's tasks. If verdict returns an error, end
// fails the test with it and cancels the tasks.
func (tm *terminator) end(verdict func(waits []task.Wait) error) {
	if tm.root.Done() {
		return
	}
	tm.scope.Go(func(ctx context.Context) error {
		waits := task.Waits(ctx)
		for i, wait := range waits {
			waits[i].On = slices.DeleteFunc(wait.On, func(name string) bool { return name == task.Self(ctx).String() })
		}
		if tm.found = verdict(waits); tm.found != nil {
			tm.t.Error(tm.found)
			tm.root.Cancel(tm.found)
		}
		return nil
	}).SetName("sim")
}
