// SPDX-License-Identifier: Apache-2.0

// Package polltest is the conformance suite for pollers: what package poll
// promises, as tests that hold for a kernel, for goroutines and for a simulated
// network alike. A poller runs it from a test of its own:
//
//	func TestPoller(t *testing.T) {
//		polltest.Run(t, func(t testing.TB) poll.Poller {
//			p, err := epoll.New(epoll.Config{Resolver: resolver})
//			if err != nil {
//				t.Fatal(err)
//			}
//			return p
//		})
//	}
//
// A poller that lives in a testing/synctest bubble is given to RunInBubbles.
//
// The suite asks for what the poller declares ([poll.Caps]), and for
// errors.ErrUnsupported where it declares nothing. It opens sockets on
// 127.0.0.1, port 0, and looks up "localhost" and "unknown.invalid"; a poller
// of the real world should be given a resolver that needs no network. No case
// relies on the machine being fast: what is bounded from above is tried until it
// was in time once.
//
// A failing case prints, beside what went wrong, why it matters; and the seed,
// if it has drawn anything.
//
// # Adding a case
//
// A case is one promise of package poll and the reason for it. Those of one noun
// stand in one file, the plain ones before the nasty ones. A few rules keep them
// true for every poller:
//
//   - Everything goes through the rig, which checks in every case that an
//     operation is reported once, and only while it is in flight.
//   - Whether an operation finishes at once is the poller's choice, unless it has
//     to wait: a case submits and then finishes, and never looks at what Submit
//     has returned but to tell the one from the other.
//   - Where two things race both results are right, and the case says what each
//     leaves behind.
//   - Time is the poller's own Now. Nothing may take at most so long, except
//     where that is the promise; and then it is tried until it was so once.
//   - What cannot be told from outside (which goroutines there are, how many
//     descriptors, what was allocated) is for the tests of the poller itself.
//   - What needs a capability names it, and what only the real world has lacks
//     poll.Virtual. A bubble and a clock that jumps are two different virtual
//     worlds, and both must pass.
package polltest
