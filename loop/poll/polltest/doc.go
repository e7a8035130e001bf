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
// A failing case prints, beside what went wrong, why it matters.
package polltest
