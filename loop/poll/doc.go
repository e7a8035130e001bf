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
// its methods but Now, Caps and Wake belong to whoever holds that loop's baton:
// they are called from changing goroutines, but never from two at once.
//
// The conformance suite for implementations is package polltest; epoll,
// portable and virtual pass it.
//
// # Adding a kind of operation
//
// Whatever may take time is an operation, and what cannot is a plain call. So a
// new thing to wait for is a new [Kind], the fields of [Op] that it needs and a
// bit of [Caps]; no method, and no way past the seam. For whoever adds one:
//
//   - A kind of its own, at the end of the list, for a thing of its own.
//     Datagrams are received and sent, not read and written: a message has an
//     address and an end, and zero bytes are not the end of a stream. The type
//     of an address goes on deciding what Listen and Connect make, so that a
//     socket for datagrams needs no call of its own.
//   - An Op is part of every idle connection. So the addresses of datagrams are
//     values (netip.AddrPort), not interfaces, which cost an allocation each;
//     and a kind that is rare and knows many words (opening, renaming, starting
//     a child) keeps them behind one pointer. Results are fields that every
//     poller which declares the kind clears in the Submit of that kind.
//   - Say which direction of its handle the kind takes, or that it takes none.
//     Reads and writes of a file at an offset, its sync and its stat take none,
//     and any number may be in flight; what moves bytes between two handles
//     takes one direction of each.
//   - Say what Cancel and Close do where nothing can be interrupted (a file, a
//     child, a resolver). What lends the kernel no memory of the caller is
//     reported at once, and what still runs must not know the Op any more. What
//     does is reported when it ends, and Close of the poller waits for it.
//   - An operation that takes something out of the world (a connection, a
//     message, the exit status of a child) takes it and is finished, or is
//     cancelled and has left it there. A status that was collected is reported
//     in spite of a Cancel, or kept for the next operation on that child if the
//     Cancel is reported already: nobody can collect it twice.
//   - Handles come out of operations or of Adopt, so that a world in memory can
//     have them: a file is what opening reports, a child what starting it
//     reports, and only a descriptor of somebody else (a pidfd, a pipe) is
//     adopted. What has no descriptor everywhere must not be named by one.
//   - What is set on one sort of handle only, and does not wait, is an interface
//     for which callers ask the Handle, as with package net's connections.
//   - A Read without a buffer is the model for others that receive: the poller
//     takes the buffer when there are data, never an error because it has no
//     more of them, and gets it back by Recycle, which knows it by its first
//     byte: that is enough to find its number in a ring that a kernel draws from.
//   - A poller may work ahead (accept again by itself, receive into its own
//     buffers), may hold submissions back until the next Wait, and must, if the
//     kernel takes them from one thread only: Submit, Cancel and the methods of
//     handles come from tasks, on any thread. That is all there is to [Pinned].
//   - polltest gets cases for it, and package virtual the kind itself or
//     errors.ErrUnsupported: without that, no simulation runs what uses it.
package poll
