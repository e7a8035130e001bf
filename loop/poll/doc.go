// SPDX-License-Identifier: Apache-2.0

// Package poll is the interface between a loop and the outside world: it defines how a loop
// reads the time, and how operations such as reads and accepts are started and reported.
//
// A complete program, with a network and a clock in memory:
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//		"net"
//		"time"
//
//		"baton/loop/poll"
//		"baton/loop/poll/virtual"
//	)
//
//	func main() {
//		p := virtual.New(virtual.Config{})
//		defer p.Close()
//		ln, err := p.Listen(&net.TCPAddr{}, poll.ListenOptions{})
//		if err != nil {
//			log.Fatal(err)
//		}
//
//		op := &poll.Op{Kind: poll.Accept, Handle: ln}
//		fmt.Println("complete:", p.Submit(op)) // false: op is in flight
//
//		done := p.Wait(nil, time.Hour) // no connection arrives within the hour
//		fmt.Println("reported:", len(done))
//
//		p.Cancel(op)
//		done = p.Wait(nil, time.Hour)
//		fmt.Println("reported:", len(done), op.Err)
//	}
//
// Most programs do not use this package directly: a loop creates a poller and uses it. Use the
// package to give a loop another poller (Poller in loop.Config), to submit operations, or
// to write a poller.
//
// # Operations
//
// A [Poller] reports completions, not readiness. An [Op] is submitted, and it is reported
// complete exactly once: at once by Submit, or later by Wait. From the Submit until then, the
// Op and its buffers belong to the poller, even if the Op was cancelled.
//
// A poller for a kernel that reports only readiness tries the operation, waits for readiness
// if the kernel answers EAGAIN, and tries again. The reverse is impossible: readiness cannot be
// built on completions. So io_uring, a simulated network, and a goroutine for each operation
// all fit this interface. The time is part of the interface because a simulation must control
// the clock.
//
// A poller serves one loop and knows nothing of callbacks or tasks. Now, Caps and Wake are
// safe for concurrent use. All other methods belong to the loop: only the holder of its baton
// may call them. The calls come from different goroutines, but never from two at once.
//
// Package polltest is the conformance suite for pollers. The packages epoll, portable and
// virtual pass it.
//
// # Adding a kind of operation
//
// An operation is whatever may take time; anything else is a method call. To support waiting
// for something new, add a [Kind], the fields of [Op] that it needs, and a bit of [Caps], and
// no new method. The rules are:
//
//   - Give each new thing its own kind, at the end of the list. Datagrams, for example, are
//     received and sent, not read and written: a datagram has an address and an end, and zero
//     bytes are not the end of a stream. The type of an address decides what Listen and Connect
//     create, so that sockets for datagrams need no separate call.
//   - Every idle connection has an Op, so keep the Op small. Addresses of datagrams are values
//     (netip.AddrPort) and not interfaces, which would be allocated. A rare kind with many
//     fields (opening, renaming, starting a child) keeps them behind one pointer.
//   - Results are fields of the Op. Every poller that declares the kind clears them in Submit.
//   - Say which direction of its handle the kind uses, or that it uses none. Reads and writes
//     of a file at an offset, its sync and its stat use none, and any number may be in flight.
//     A kind that moves bytes between two handles uses one direction of each.
//   - Say what Cancel and Close do if the operation cannot be interrupted (a file, a child, a
//     resolver). If the kernel uses no memory of the caller, report the operation at once; what
//     still runs must not use the Op any more. If the kernel uses memory of the caller, report
//     the operation when it ends; the poller's Close waits for it.
//   - Some operations take something from the world: a connection, a message, the exit status
//     of a child. They either complete with it, or are cancelled and leave it in place. An
//     exit status can be collected only once. If it was collected, report it in spite of a
//     Cancel. If the cancel was already reported, keep the status for the next operation on
//     that child.
//   - Handles come from operations or from Adopt, so that a simulated world can have them too:
//     opening reports a file, and starting reports a child. Only a descriptor that belongs to
//     other code (a pidfd, a pipe) is adopted. Something that is not a descriptor on every
//     system must not be named by one.
//   - A setting of one sort of handle that does not wait is an interface. Callers use a type
//     assertion on the Handle, as with the connections of package net.
//   - A Read without a buffer is the model for other kinds that receive. The poller takes a
//     buffer when data has arrived. It never fails because it has no buffer left. The caller
//     returns the buffer by Recycle. Recycle identifies the buffer by its first byte, which is
//     enough to find its number in a ring of buffers that the kernel fills.
//   - A poller may work ahead: accept the next connection, or receive into its own buffers. It
//     may delay submissions until the next Wait. It must do so if the kernel accepts them from
//     one thread only: Submit, Cancel and the methods of handles are called on any thread.
//     [Pinned] restricts only Wait and Close.
//   - Add cases to polltest. Package virtual gets the kind too, or returns
//     errors.ErrUnsupported; then nothing that uses the kind can be simulated.
package poll
