// SPDX-License-Identifier: Apache-2.0

// Package stack finds the stack of a panic.
package stack

import (
	"bytes"
	"runtime/debug"
	"slices"
)

// OfPanic returns the stack of the calling goroutine, beginning with the call that
// panicked. A deferred function that has recovered the panic calls OfPanic, directly or
// through other functions. The frames after the panic are left out. Without a panic,
// OfPanic returns the whole stack.
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
