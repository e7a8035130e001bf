// SPDX-License-Identifier: Apache-2.0

package poll

// A loop can be a guest of another event loop, which waits for it: that of a
// window system, or one in C. How the other one gets to know that there is
// something to do is a matter of the poller, and optional: it may have one of
// these two interfaces, or none.

// A Pollable is a Poller with a descriptor that others can wait for.
type Pollable interface {
	Poller

	// Descriptor returns a descriptor that is readable, for select, poll or epoll,
	// when a Wait would have something to report or a Wake has come; it may be
	// readable for nothing, once. It is the poller's own and lives until Close:
	// nothing must be read from it. After the first call a Wake costs a system
	// call more.
	Descriptor() (uintptr, error)
}

// A Notifier is a Poller that calls when there is something to do.
type Notifier interface {
	Poller

	// Notify has fn called after an operation in flight has finished, and after a
	// Wake: on some goroutine, perhaps several times for one Wait. fn must neither
	// wait nor call the poller. Nil ends that; a call may still be on its way then.
	Notify(fn func())
}
