// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// park parks the task until w, whose operations are in flight, wakes it. No cancel
// ends that before: w's Cancel asks for the end of the operations and returns false,
// so Park returns nil.
func park(ctx context.Context, w task.Waiter) { task.Park(ctx, w) }
