// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"strings"
	"testing"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

// broken is an Order that panics.
type broken struct{ calls int }

func (b *broken) Arrange([]loop.Entry) int {
	b.calls++
	panic("no idea")
}

// An Order and the exception handler that receives its panic run on the loop's own
// goroutine, and may inspect tasks.
func TestOrderRunsOnTheLoop(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		order := &broken{}
		l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{}), Order: order})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var parked *task.Ref
		handled, seen := 0, 0
		l.SetExceptionHandler(func(*loop.Loop, loop.Exception) {
			handled++
			if parked != nil && strings.Contains(string(parked.Stack()), "task_test.") {
				seen++
			}
		})
		r.Loop = l
		err = r.Run(context.Background(), func(ctx context.Context) error {
			parked = task.Go(ctx, forever)
			err := turns(ctx, 5)
			parked.Cancel(nil)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if handled != order.calls || seen < 3 {
			t.Errorf("the handler received %d of %d panics, and found the stack of the task %d times", handled, order.calls, seen)
		}
	})
}
