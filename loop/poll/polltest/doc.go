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
// The suite asks for what the poller declares ([poll.Caps]), and for
// errors.ErrUnsupported where it declares nothing. It opens sockets on
// 127.0.0.1, port 0, and looks up "localhost" and "unknown.invalid"; a poller
// of the real world should be given a resolver that needs no network.
//
// A failing case prints, beside what went wrong, why it matters.
package polltest
