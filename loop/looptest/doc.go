// SPDX-License-Identifier: Apache-2.0

// Package looptest is the conformance suite for event loops. It tests the promises of PEP 3156,
// in Go spelling, for any type with the methods of [Loop].
//
// A complete test file:
//
//	package loop_test
//
//	import (
//		"testing"
//
//		"baton/loop"
//		"baton/loop/looptest"
//	)
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
// A failing case prints what went wrong, and why it matters.
//
// The suite uses the loop's own clock, so a loop with a virtual clock takes no real time. The
// suite opens connections on 127.0.0.1 to watch their descriptors, and sends signals to its
// own process. If the loop cannot watch descriptors, AddReader and AddWriter must return
// errors.ErrUnsupported, and the suite tests that.
package looptest
