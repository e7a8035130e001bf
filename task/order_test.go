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
type broken struct{ asked int }

func (b *broken) Arrange([]loop.Entry) int {
	b.asked++
	panic("no idea")
}

// An Order is a user's code, and so is the exception handler that is told of its
// panic: both run on the loop's own goroutine, where they may look at tasks.
func TestOrderRunsOnTheLoop(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		order := &broken{}
		l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{}), Order: order})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var parked *task.Ref
		told, seen := 0, 0
		l.SetExceptionHandler(func(*loop.Loop, loop.Exception) {
			told++
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
		if told != order.asked || seen < 3 {
			t.Errorf("the handler was told %d times of %d panics, and saw the task %d times", told, order.asked, seen)
		}
	})
}
