// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"slices"

	"baton/internal/bridge"
	"baton/task"
)

// An ending collects the places of tasks in a list, in the order in which they
// end. Tasks tell their end by callbacks, which keep their order, so neither a
// slow reader nor a shuffled schedule changes it. It belongs to the task that
// watches, its only reader.
type ending struct {
	tasks  []*task.Ref
	ended  []int // places in tasks
	read   int   // how many of ended have been returned
	reader task.WaitQueue
	stops  []func() // ends the watching of each
}

// watch begins to collect; tasks that have ended already come first. A task may
// come twice, and then has two places. call is for messages. The errors of the tasks
// count as awaited until stop is called.
func watch(ctx context.Context, call string, tasks []*task.Ref) *ending {
	self := task.Self(ctx)
	for _, t := range tasks { // all of them, before a callback would have to be removed
		if t.Loop() != self.Loop() {
			misuse("%s: %v of %v awaits %v of %v; use a task.Portal between loops", call, self, self.Loop(), t, t.Loop())
		}
		if t == self {
			misuse("%s: %v awaits itself; await it in another task", call, t)
		}
	}
	e := &ending{tasks: tasks}
	for i, t := range tasks {
		e.stops = append(e.stops, bridge.Watch(t))
		if t.Done() {
			e.ended = append(e.ended, i)
			continue
		}
		remove := t.AddDoneCallback(func(*task.Ref) {
			e.ended = append(e.ended, i)
			e.reader.WakeOne()
		})
		e.stops = append(e.stops, func() { remove() })
	}
	return e
}

// next returns the place of the next task that has ended, waiting for it. It may
// switch. It is called at most once for each place; after an error, which is the
// cancel, it can be called again.
func (e *ending) next(ctx context.Context) (int, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return 0, err
	}
	for e.read == len(e.ended) {
		if err := e.reader.Wait(ctx, (*endingWait)(e)); err != nil {
			return 0, err
		}
	}
	e.read++
	return e.ended[e.read-1], nil
}

// stop ends the collecting. The tasks go on.
func (e *ending) stop() {
	for _, stop := range e.stops {
		stop()
	}
}

// endingWait is an ending as what a task waits for.
type endingWait ending

// Reason counts those that the wait could still be for.
func (e *endingWait) Reason() string {
	return fmt.Sprintf("the end of one of %d tasks", len(e.Owners()))
}

// Owners are the tasks that go on.
func (e *endingWait) Owners() []*task.Ref {
	return slices.DeleteFunc(slices.Clone(e.tasks), (*task.Ref).Done)
}

// refs are the tasks without the types of their results.
func refs[T any](tasks []*task.Task[T]) []*task.Ref {
	list := make([]*task.Ref, len(tasks))
	for i, t := range tasks {
		list[i] = &t.Ref
	}
	return list
}
