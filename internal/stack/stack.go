// SPDX-License-Identifier: Apache-2.0

// Package stack writes down where a panic came from.
package stack

import (
	"bytes"
	"runtime/debug"
	"slices"
)

// OfPanic returns the stack of the calling goroutine from the call that panicked
// outwards. A deferred function that has recovered a panic calls it, itself or
// through others; the calls from the panic inwards are left out. Without a panic
// the stack is whole.
func OfPanic() []byte {
	stack := debug.Stack()
	goroutine, _, _ := bytes.Cut(stack, []byte("\n"))
	_, panicked, _ := bytes.Cut(stack, []byte("\npanic("))
	_, place, _ := bytes.Cut(panicked, []byte("\n"))
	if _, calls, ok := bytes.Cut(place, []byte("\n")); ok {
		return slices.Concat(goroutine, []byte("\n"), calls)
	}
	return stack
}
