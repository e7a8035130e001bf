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

// never is how long a test waits for what no timer brings. The clock of its bubble
// jumps that far only if everybody in there waits, and it takes no time; there is
// room for the cleanup before the clock's end, in the year 2262.
const never = 250 * 365 * 24 * time.Hour

// A watch ends a test that would not end by itself, and fails it with what its tasks
// wait for. What a cancel does not end, such as a shield without a bound, goes on,
// and the bubble or package testing ends the process: so the report comes first.
type watch struct {
	t     *testing.T
	loop  *loop.Loop
	root  *task.Ref      // nil before begin
	scope *task.ScopeRef // of root
	timer *time.Timer    // for a stall; nil before begin
	began time.Time
	found error // what the test was ended with
}

// begin begins to look after the root task, which calls it.
func (w *watch) begin(ctx context.Context, t *testing.T) {
	w.t, w.loop, w.root, w.scope = t, task.Loop(ctx), task.Self(ctx), task.ScopeOf(ctx)
	w.began = w.loop.Time()
	w.timer = time.AfterFunc(never, func() {
		_, _ = w.loop.CallSoonThreadsafe(w.stalled) // of a closed loop nobody waits for anything
	})
}

// stop ends the watch. It may be called without one.
func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// stalled is called when nothing has happened for centuries. It is for a deadlock
// that the loop cannot find: tasks that wait for the network, or for goroutines, may
// still be woken as far as the loop knows. That nobody will only the bubble knows,
// and it ends the process for that. A sleep of centuries is no deadlock.
func (w *watch) stalled() {
	if _, more := w.loop.NextDeadline(); more {
		return
	}
	w.end(func(waits []task.Wait) error {
		if len(waits) == 0 {
			return nil
		}
		// Nothing has happened since the last of them began.
		idle := slices.MinFunc(waits, func(a, b task.Wait) int { return cmp.Compare(a.Since, b.Since) }).Since
		for i := range waits {
			waits[i].Since -= idle
		}
		return &task.DeadlockError{Waits: waits}
	})
}

// late is called with the baton when the time of the test is over; ran names what
// keeps it going. It returns false as long as there is no root task.
func (w *watch) late(ran string) bool {
	if w.root == nil {
		return false
	}
	_, _ = w.loop.CallSoonThreadsafe(func() { w.overdue(ran) }) // which a loop that is about to wait sees
	return true
}

// overdue is called in a turn of its own. It prints the report, too: if a task ignores
// its cancel, package testing ends the process and drops what the test has logged.
func (w *watch) overdue(ran string) {
	lasted := w.loop.Time().Sub(w.began)
	w.end(func(waits []task.Wait) error {
		var lines strings.Builder
		for _, wait := range waits {
			lines.WriteString("\n\t" + wait.String())
		}
		err := fmt.Errorf("sim: the time of the test is over; it has lasted %v by its own clock, and goes on: %s ran last%s",
			lasted, ran, &lines)
		fmt.Fprintln(os.Stderr, err)
		return err
	})
}

// end fails the test with what verdict makes of the waits of its tasks, and cancels
// them, unless that is nil.
func (w *watch) end(verdict func(waits []task.Wait) error) {
	if w.root.Done() {
		return
	}
	w.scope.Go(func(ctx context.Context) error {
		waits := task.Waits(ctx)
		for i, wait := range waits {
			waits[i].On = slices.DeleteFunc(wait.On, func(name string) bool { return name == task.Self(ctx).String() })
		}
		if w.found = verdict(waits); w.found != nil {
			w.t.Error(w.found)
			w.root.Cancel(w.found)
		}
		return nil
	}).SetName("sim")
}
