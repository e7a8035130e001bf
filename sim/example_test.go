// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"baton/await"
	"baton/loop/poll/virtual"
	"baton/sim"
)

// The program of the package documentation.
func TestTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ctx, cancel := await.WithTimeout(ctx, time.Hour)
		defer cancel()

		err := await.Sleep(ctx, 2*time.Hour) // takes no real time
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep(2h) = %v, want deadline exceeded", err)
		}
	})
}

// In a test file, this function is called TestSleep.
func ExampleTest() {
	testSleep := func(t *testing.T) {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			start := time.Now()
			if err := await.Sleep(ctx, time.Hour); err != nil { // takes no real time
				t.Fatal(err)
			}
			if passed := time.Since(start); passed != time.Hour {
				t.Errorf("%v passed", passed)
			}
		})
	}
	_ = testSleep
}

// A Config chooses the schedule, or the delays of the simulated network.
func ExampleConfig() {
	slow := sim.Config{
		Seed: 42, // always the same schedule
		Network: virtual.Config{
			Dial: func(net.Addr) (time.Duration, error) { return 3 * time.Second, nil },
		},
	}
	testSlowNetwork := func(t *testing.T) {
		slow.Test(t, func(ctx context.Context, t *testing.T) {
			// Each connect takes three seconds of virtual time.
		})
	}
	_ = testSlowNetwork
	fmt.Println("seed", slow.Seed)
	// Output: seed 42
}
