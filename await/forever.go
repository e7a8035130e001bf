// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/task"
)

// Forever waits until ctx is cancelled, and returns the *task.Canceled. It does not keep
// the loop running. If all tasks wait and nothing can wake or cancel them, that is a
// deadlock: see task.Run.
func Forever(ctx context.Context) error {
	var never task.WaitQueue
	return never.Wait(ctx, task.Text("its cancel"))
}
