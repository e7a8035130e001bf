// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"slices"

	"baton/internal/bridge"
	"baton/task"
)

// completions records the order in which tasks end. It uses done callbacks, which run in
// the order of the ends. So neither a slow reader nor a shuffled schedule changes the
// order. Only the task that called watch may use it.
type completions struct {
	tasks  []*task.Ref
	ended  []int // indices into tasks, in the order of the ends
	read   int   // how many of ended have been returned
	reader task.WaitQueue
	stops  []func() // remove the callbacks
}

// watch begins to record. Tasks that have already ended come first. A task that occurs
// twice in tasks also occurs twice in the order. call is the caller's name for messages.
// Until stop is called, the errors of the tasks fail no scope; the caller awaits each task
// that it returns by calling Result.
func watch(ctx context.Context, call string, tasks []*task.Ref) *completions {
	self := task.Self(ctx)
	for _, t := range tasks { // before the first callback, so that a panic leaves none behind
		if t.Loop() != self.Loop() {
			misuse("%s: %v of %v awaits %v of %v; use a task.Portal between loops", call, self, self.Loop(), t, t.Loop())
		}
		if t == self {
			misuse("%s: %v awaits itself; await it in another task", call, t)
		}
	}
	c := &completions{tasks: tasks}
	for i, t := range tasks {
		c.stops = append(c.stops, bridge.Watch(t))
		if t.Done() {
			c.ended = append(c.ended, i)
			continue
		}
		remove := t.AddDoneCallback(func(*task.Ref) {
			c.ended = append(c.ended, i)
			c.reader.WakeOne()
		})
		c.stops = append(c.stops, func() { remove() })
	}
	return c
}

// next waits until another task has ended, and returns its index. It may switch. The only
// error is the cancel; next may be called again after it. It may be called at most once for
// each task.
func (c *completions) next(ctx context.Context) (int, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return 0, err
	}
	for c.read == len(c.ended) {
		if err := c.reader.Wait(ctx, (*completionsWait)(c)); err != nil {
			return 0, err
		}
	}
	c.read++
	return c.ended[c.read-1], nil
}

// stop ends the recording. The tasks go on.
func (c *completions) stop() {
	for _, stop := range c.stops {
		stop()
	}
}

// completionsWait is the Reason of the wait in next.
type completionsWait completions

// Reason returns the number of tasks that have not ended.
func (c *completionsWait) Reason() string {
	return fmt.Sprintf("the end of one of %d tasks", len(c.Owners()))
}

// Owners returns the tasks that have not ended.
func (c *completionsWait) Owners() []*task.Ref {
	return slices.DeleteFunc(slices.Clone(c.tasks), (*task.Ref).Done)
}

// refs returns the tasks without their result types.
func refs[T any](tasks []*task.Task[T]) []*task.Ref {
	list := make([]*task.Ref, len(tasks))
	for i, t := range tasks {
		list[i] = &t.Ref
	}
	return list
}
