// SPDX-License-Identifier: Apache-2.0

// Package gid tells one running goroutine from another, cheaply enough to be
// asked at every switch point.
//
// Whether the caller really is the goroutine that holds the baton cannot be
// read off a context: a context may have leaked into a go statement. Go hides
// goroutine ids on purpose, and parsing one out of [runtime.Stack] costs
// microseconds. The runtime does keep a pointer to the current goroutine's
// descriptor, its g, where four lines of assembly can read it: in
// thread-local storage on 386 and amd64, in a register everywhere else. No
// layout inside the g is assumed, no runtime symbol is linked to, so the stub
// depends only on what every assembler of the toolchain calls g or TLS.
package gid

// G returns the address of the calling goroutine's g. It never switches, never
// allocates, costs two to four nanoseconds, and may be called from every goroutine.
//
// The address is an identity only while that goroutine lives: the runtime
// reuses the g of a goroutine that has ended for a new one. So whoever stores
// the value must forget it before the goroutine ends. While the goroutine
// lives the address stays the same, across stack growth, garbage collections
// and moves from thread to thread.
//
// Compare it, never dereference it: it is a uintptr, which keeps nothing alive
// and of which the garbage collector knows nothing. It is never 0, so 0 can
// stand for nobody.
func G() uintptr
