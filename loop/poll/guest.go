// SPDX-License-Identifier: Apache-2.0

package poll

// A Pollable is a Poller with a descriptor that another event loop can wait for. The loop
// of the poller can then be a guest of that event loop.
type Pollable interface {
	Poller

	// Descriptor returns a descriptor that becomes readable, for select, poll or epoll,
	// when Wait would report something or after a Wake. It may be readable without a
	// reason, once. The descriptor belongs to the poller and is valid until Close. Do not
	// read from it. After the first call of Descriptor, each Wake costs one more system
	// call.
	Descriptor() (uintptr, error)
}

// A Notifier is a Poller that calls a function when Wait would report something. Its loop
// can be a guest of another event loop without a descriptor.
type Notifier interface {
	Poller

	// Notify makes the poller call fn after an operation in flight has completed, and after
	// a Wake. The poller calls fn on any goroutine, perhaps several times before one Wait.
	// fn must not block and must not call the poller. Notify(nil) ends the calls; one call
	// may still arrive after it.
	Notify(fn func())
}
