// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"time"

	"baton/internal/saturate"
	"baton/task"
)

// Sleep waits until d has passed on the loop's clock, never less. If d is zero
// or less it is a task.Yield. A cancel ends it at once.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return task.Yield(ctx)
	}
	return task.ParkUntil(ctx, after(ctx, d))
}

// after is d from now on the loop of ctx's task, for a d of any length.
func after(ctx context.Context, d time.Duration) time.Time {
	return saturate.Add(task.Now(ctx), d)
}
