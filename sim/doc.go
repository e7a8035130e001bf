// SPDX-License-Identifier: Apache-2.0

// Package sim tests programs of tasks in a simulated world. Time is virtual and jumps when
// everything waits. The network is in memory. The order in which ready tasks run is drawn from
// a seed.
//
// A complete test file:
//
//	package example_test
//
//	import (
//		"context"
//		"errors"
//		"testing"
//		"time"
//
//		"baton/await"
//		"baton/sim"
//	)
//
//	func TestTimeout(t *testing.T) {
//		sim.Test(t, func(ctx context.Context, t *testing.T) {
//			ctx, cancel := await.WithTimeout(ctx, time.Hour)
//			defer cancel()
//
//			err := await.Sleep(ctx, 2*time.Hour) // takes no real time
//			if !errors.Is(err, context.DeadlineExceeded) {
//				t.Errorf("Sleep(2h) = %v, want deadline exceeded", err)
//			}
//		})
//	}
//
// The network knows the name localhost and all IP addresses. To use other names in a test, set
// Hosts of [Config].Network:
//
//	hosts := map[string][]netip.Addr{"www.example.com": {netip.MustParseAddr("192.0.2.1")}}
//	sim.Config{Network: virtual.Config{Hosts: hosts}}.Test(t, fn)
//
// A test that fails prints a command that replays its schedule. To try a thousand schedules,
// run go test with -count=1000.
//
// Time advances only while every task and goroutine of the test waits. So a sleep of one
// nanosecond returns when all others wait, which task.Yield does not promise. A loop that
// polls the clock without waiting never ends.
package sim
