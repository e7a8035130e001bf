// SPDX-License-Identifier: Apache-2.0

// Package sim runs programs of tasks in a world of their own: time is virtual
// and jumps when everybody waits, the network is memory, and the order in which
// ready tasks run is drawn from a seed.
//
// [Test] is the way to test code that waits:
//
//	func TestTimeout(t *testing.T) {
//		sim.Test(t, func(ctx context.Context, t *testing.T) {
//			ctx, cancel := await.WithTimeout(ctx, time.Hour)
//			defer cancel()
//
//			err := await.Sleep(ctx, 2*time.Hour) // no time passes outside
//			if !errors.Is(err, context.DeadlineExceeded) {
//				t.Errorf("Sleep(2h) = %v, want deadline exceeded", err)
//			}
//		})
//	}
//
// A test that fails prints the command that replays its schedule; -count=1000 tries
// a thousand others.
//
// Time passes only while everybody waits. So a Sleep of a nanosecond returns when
// all others wait, which a task.Yield does not promise; and a loop that looks at
// the clock without ever waiting goes on for ever.
package sim
