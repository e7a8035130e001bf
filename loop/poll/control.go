// SPDX-License-Identifier: Apache-2.0

package poll

// A Controller is a Handle with a descriptor of the system. It is for options that the
// seam does not know. The method belongs to the loop.
type Controller interface {
	Handle

	// Control calls fn with the descriptor, which is valid until fn returns. fn must
	// neither close it nor have it block. Control returns net.ErrClosed, and does
	// not call fn, if the handle is closed.
	Control(fn func(fd uintptr)) error
}
