// SPDX-License-Identifier: Apache-2.0

// Package portable is the standard library as a poller, on every system that
// Go knows: operations are calls of package net on goroutines of their own, and
// what they return is queued for Wait.
//
// It is the reference for the kernels' own pollers, and makes systems that have
// none fit for development. It is not fast: no operation with a kernel in it
// finishes at once, and each costs the start of a goroutine and a switch back.
// Reads and writes do not allocate all the same.
//
// What cannot be had through package net:
//   - ListenOptions.Backlog: the system's largest is used, whatever is asked;
//   - ListenOptions.ReusePort where there is no SO_REUSEPORT;
//   - the capabilities Readiness, Adopts and Provided;
//   - the end of a Lookup that the C library serves: its thread goes on after
//     Cancel and Close until the system gives up, as with any net.Resolver.
//
// Closing a UNIX-domain listener leaves its file, unlike with package net: by
// then it may be another one's, and only the caller can tell.
package portable
