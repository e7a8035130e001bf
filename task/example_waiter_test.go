// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"

	"baton/task"
)

// A reply is a value for which one task waits.
type reply struct {
	task.Text // describes the wait in reports
	waiter    *task.Ref
	value     string
}

// Cancel returns true: the wait can end at once. It makes a reply a task.Waiter.
func (r *reply) Cancel(*task.Ref) bool {
	r.waiter = nil
	return true
}

// Await waits for the value.
func (r *reply) Await(ctx context.Context) (string, error) {
	me, err := task.Checkpoint(ctx)
	if err == nil && r.value == "" {
		r.waiter = me
		err = task.Park(ctx, r)
	}
	return r.value, err
}

// Set sets the value and wakes the task that waits for it.
func (r *reply) Set(value string) {
	r.value = value
	if r.waiter != nil {
		r.waiter.Wake()
		r.waiter = nil
	}
}

// A new kind of wait, built on Park and Wake.
func ExampleWaiter() {
	task.Run(context.Background(), func(ctx context.Context) error {
		r := &reply{Text: "a reply"}
		task.Loop(ctx).CallSoon(func() { r.Set("hello") }) // a callback
		fmt.Println(r.Await(ctx))
		return nil
	})
	// Output: hello <nil>
}
