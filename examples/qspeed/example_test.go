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

// On a virtual clock only waiting takes time.
func Example() {
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), measure))
	// Output:
	// 0.000 total seconds; 0.000 usec per item.
	// <nil>
}

// Every item arrives once, in every schedule, with fewer and with more items than consumers.
func TestEveryItemArrivesOnce(t *testing.T) {
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

// A cancel ends the producer and the consumers.
func TestCancel(t *testing.T) {
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
