// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// park parks the task until w wakes it; the operations of w are in flight. A cancel does
// not end this wait early: w.Cancel cancels the operations and returns false, so Park
// returns nil.
func park(ctx context.Context, w task.Waiter) { task.Park(ctx, w) }
