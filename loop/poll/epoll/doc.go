// SPDX-License-Identifier: Apache-2.0

// Package epoll is the poller of Linux: one epoll instance per loop.
//
// The kernel tells readiness and the seam wants completions, so an operation is
// tried first and waits only if the kernel says EAGAIN. Each socket is
// registered once, edge-triggered and for both directions, and carries two
// bits, "may be read" and "may be written", which events set and EAGAIN or a
// short read clears: a request and its answer cost one read and one write, and
// nothing is armed in between. Descriptors that somebody else owns are watched
// level-triggered and one-shot instead, since others may read them too.
//
// An idle loop waits inside Go's own network poller, which watches the epoll
// descriptor, through another one, like any file: no thread is held, deadlines
// are Go's timers, and another goroutine ends the wait by moving the deadline
// into the past, which takes no system call. A loop whose sleeps are short may doze
// in the kernel first, where there are several processors (poll.Dozer). One that has a thread to
// itself and is nearly always busy may always block there (Config.Blocking).
//
// On other systems the package is empty; package portable runs everywhere.
package epoll
