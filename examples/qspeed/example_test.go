// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// In a world in memory, where only waiting takes time.
func Example() {
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), measure))
	// Output:
	// 0.000 total seconds; 0.000 usec per item.
	// <nil>
}

// TestPass: every item arrives once, in any schedule, be they more or fewer than
// the consumers.
func TestPass(t *testing.T) {
	for _, c := range []struct {
		n   int
		sum int64
	}{{0, 0}, {1, 0}, {consumers, 45}, {1000, 499_500}} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			if sum, err := pass(ctx, c.n); sum != c.sum || err != nil {
				t.Errorf("pass(%d) = %d, %v, want %d", c.n, sum, err, c.sum)
			}
		})
	}
}

// TestPassCancel: a cancel ends producer and consumers.
func TestPassCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		err := await.Timeout(ctx, 0, func(ctx context.Context) error {
			_, err := pass(ctx, items)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("pass = %v, want deadline exceeded", err)
		}
	})
}
