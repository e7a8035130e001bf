// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// park parks the running task until w, whose operations are in flight, wakes it.
// No cancel ends that before: w's Cancel asks for the operations' end, and
// returns false.
func park(ctx context.Context, w task.Waiter) {
	if task.Park(ctx, w) != nil {
		insist(ctx, w)
	}
}

// insist is park for a ctx that was cancelled before: one of the standard library
// can be at any moment, so also between a checkpoint and the park. What is in
// flight must come back all the same.
func insist(ctx context.Context, w task.Waiter) {
	w.Cancel(nil)
	shielded, release := task.Shield(ctx, -1)
	defer release()
	task.Park(shielded, w)
}
