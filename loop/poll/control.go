// SPDX-License-Identifier: Apache-2.0

package poll

// A Controller is a Handle with a descriptor of the operating system. Use it to set socket
// options that this package does not define. Control belongs to the loop.
type Controller interface {
	Handle

	// Control calls fn with the descriptor, which is valid until fn returns. fn must not
	// close it and must not make it blocking. If the handle is closed, Control returns
	// net.ErrClosed and does not call fn.
	Control(fn func(fd uintptr)) error
}
