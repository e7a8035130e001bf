// SPDX-License-Identifier: Apache-2.0

// Package polltest is the conformance suite for pollers. It tests the promises of package poll,
// which hold for pollers of a kernel, of goroutines and of a simulated network. A poller runs
// the suite from one of its tests:
//
//	package epoll_test
//
//	import (
//		"testing"
//
//		"baton/loop/poll"
//		"baton/loop/poll/epoll"
//		"baton/loop/poll/polltest"
//	)
//
//	func TestPoller(t *testing.T) {
//		polltest.Run(t, func(t testing.TB) poll.Poller {
//			p, err := epoll.New(epoll.Config{})
//			if err != nil {
//				t.Fatal(err)
//			}
//			return p
//		})
//	}
//
// A poller that lives in a testing/synctest bubble uses RunInBubbles.
//
// The suite tests the capabilities that the poller declares ([poll.Caps]). For the others it
// expects errors.ErrUnsupported. It opens sockets on 127.0.0.1, port 0, and looks up
// "localhost" and "unknown.invalid". A poller of the real world should have a resolver that
// needs no network. No case requires a fast machine: if a duration has an upper limit, the case
// repeats until it was met once.
//
// A case that fails prints what went wrong and why it matters. It also prints its seed, if it
// has one.
//
// # Adding a case
//
// A case is one promise of package poll and the reason for it. The cases about one noun are in
// one file, simple cases first. Some rules make a case correct for every poller:
//
//   - A case calls the poller through the rig. The rig checks that each operation is reported
//     once, and only while it is in flight.
//   - A poller may complete an operation in Submit, unless the operation must wait. So a
//     case calls submit and then finish, and uses the result of submit only to decide whether the
//     operation is in flight.
//   - In a race both results are correct. The case says what each result leaves behind.
//   - Time is the poller's Now. A case sets an upper limit to a duration only if the limit is
//     the promise, and repeats until the limit was met once.
//   - Goroutines, descriptors and allocations are not visible from outside. The poller's own
//     tests check them.
//   - A case names the capabilities that it needs. A case for the real world lacks
//     poll.Virtual. A bubble and a jumping clock are two different simulated worlds, and both
//     must pass.
package polltest
