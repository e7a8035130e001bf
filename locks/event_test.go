// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"testing"

	"baton/locks"
	"baton/sim"
)

func TestEventWakesAllWaiters(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var e locks.Event
		ws := []*waiter{wait(ctx, e.Wait), wait(ctx, e.Wait), wait(ctx, e.Wait)}
		ws[1].Cancel(nil)
		settle(ctx)
		want(t, ws, "-", "cancel", "-")
		e.Set()
		e.Clear() // too late for the waiting tasks
		if e.IsSet() {
			t.Error("IsSet = true after Clear")
		}
		settle(ctx)
		want(t, ws, "ok", "cancel", "ok")

		late := wait(ctx, e.Wait)
		want(t, []*waiter{late}, "-")
		e.Set()
		e.Set()
		late.Cancel(nil) // too late: the task was woken before
		settle(ctx)
		want(t, []*waiter{late}, "ok")
		check(t, "Wait when set", e.Wait(ctx))
	})
}
