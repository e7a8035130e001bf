// SPDX-License-Identifier: Apache-2.0

// Package poll is the seam between a loop and the outside world: what time it
// is, and which operations are finished.
//
// A [Poller] is completion-shaped. An [Op] is submitted, and it is reported
// finished exactly once: at once by Submit, or later by Wait. A kernel that
// only tells readiness can imitate this (try; on EAGAIN arm; try again); the
// reverse is impossible, so io_uring, a simulated network and a goroutine per
// operation all fit the same seam without a back door. Time is part of it for
// the same reason: whoever decides what happens next must own the clock.
//
// A poller is never told about callbacks or tasks. It serves one loop, and all
// its methods but Now and Wake belong to whoever holds that loop's baton: they
// are called from changing goroutines, but never from two at once.
//
// The conformance suite for implementations is package polltest; epoll,
// portable and virtual pass it.
package poll
