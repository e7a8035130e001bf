// SPDX-License-Identifier: Apache-2.0

// Package looptest is the conformance suite for event loops: what PEP 3156
// promises, in Go spelling, as tests that hold for any loop with the methods of
// [Loop], whatever stands under it. A loop runs it from a test of its own:
//
//	func TestLoop(t *testing.T) {
//		looptest.Run(t, func(t testing.TB, report func(error)) looptest.Loop[*loop.Handle] {
//			l, err := loop.New(loop.Config{})
//			if err != nil {
//				t.Fatal(err)
//			}
//			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { report(e.Err) })
//			return l
//		})
//	}
//
// The suite uses the loop's own clock, so a simulated one costs no time. It
// opens connections on 127.0.0.1 to watch their descriptors, and sends signals
// to its own process; a loop that cannot watch descriptors says so by
// errors.ErrUnsupported, and that is what is tested then.
//
// A failing case prints, beside what went wrong, why it matters.
package looptest
