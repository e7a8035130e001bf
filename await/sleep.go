// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"time"

	"baton/internal/saturate"
	"baton/task"
)

// Sleep waits until at least d has passed on the loop's clock. If d is zero or less, Sleep
// only yields, like task.Yield. If ctx is cancelled, Sleep returns the *task.Canceled at
// once.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return task.Yield(ctx)
	}
	return task.ParkUntil(ctx, after(ctx, d))
}

// after returns the time d from now on the clock of ctx's loop. It returns the last
// possible time if the sum would overflow.
func after(ctx context.Context, d time.Duration) time.Time {
	return saturate.Add(task.Now(ctx), d)
}
