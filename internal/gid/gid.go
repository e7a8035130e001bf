// SPDX-License-Identifier: Apache-2.0

// Package gid identifies the calling goroutine, fast enough for every switch point.
//
// A context cannot prove that its user is the goroutine that holds the baton: a context
// may have leaked into a go statement. Go hides goroutine IDs, and parsing one from
// [runtime.Stack] takes microseconds. But the runtime keeps a pointer to the current
// goroutine's descriptor, its g: in thread-local storage on 386 and amd64, in a register
// on other processors. A few lines of assembly read that pointer. They depend only on what
// the Go assembler calls g or TLS. They use neither the layout of a g nor symbols of the
// runtime.
package gid

// G returns the address of the calling goroutine's g. It never switches, never allocates,
// takes two to four nanoseconds, and is safe for concurrent use.
//
// The address identifies the goroutine only while that goroutine lives: the runtime reuses
// the g of a goroutine that has ended. So code that stores the address must forget it
// before the goroutine ends. While the goroutine lives, the address does not change.
//
// Compare the address, and never dereference it: it does not keep the g alive. It is never
// 0, so 0 can mean no goroutine.
func G() uintptr
