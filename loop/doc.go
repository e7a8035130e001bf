// SPDX-License-Identifier: Apache-2.0

// Package loop is an event loop. It runs callbacks, and the steps of tasks, one at a time.
//
// A complete program:
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//		"time"
//
//		"baton/loop"
//	)
//
//	func main() {
//		l, err := loop.New(loop.Config{})
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer l.Close()
//
//		n := 0
//		var ticks *loop.Handle
//		ticks = l.CallRepeatedly(10*time.Millisecond, func() {
//			n++
//			fmt.Println("tick", n)
//			if n == 3 {
//				ticks.Cancel()
//			}
//		})
//		l.CallSoon(func() { fmt.Println("hello") })
//		l.Run() // returns when the loop is idle
//	}
//
// Most programs do not use a Loop directly. They use package task, whose tasks run on a Loop
// and read like any other Go code. Use a Loop directly for callbacks, for descriptors that
// another package opened, or to connect a library that has callbacks.
//
// The loop follows Python's PEP 3156, in Go spelling: CallSoon, CallLater, AddReader and so on.
// As in PEP 3156, the poller of a loop can be replaced ([Config].Poller).
//
// # Turns
//
// A loop runs one turn after another. Each turn has three parts:
//
//  1. The loop polls if a poll is due. The poll queues completed operations, then functions
//     posted by other goroutines, then callbacks of the timers that are due. Timers are queued
//     in order of their time; timers with the same time are queued in the order of their start.
//  2. The ready queue becomes the batch of this turn.
//  3. The loop runs the batch. Entries that the batch adds wait for the next turn.
//
// The loop polls at the beginning of a turn if nothing is ready, if 32 turns or 64 steps have
// passed since the last poll, or if the watchdog asks for a poll because steps are long.
// After a Stop, and in RunOnce, every turn polls. A poll waits only if nothing is ready: until
// an operation completes, until another goroutine posts a function, or until the next timer is
// due. A poll that does not wait skips the poller while no operation is in flight; a poll of
// RunOnce does not skip the poller.
//
// Callbacks run in the order of their CallSoon calls, each exactly once. A callback that
// schedules itself again in every turn does not starve other callbacks. A timer never fires
// early. Tasks that were woken in one turn run in no promised order: an [Order] may rearrange
// them, and package sim does.
//
// # The baton
//
// Exactly one goroutine of a running loop holds the baton: the goroutine of the running task,
// or the goroutine that called Run, which runs the callbacks. This goroutine is the holder.
// Callbacks therefore need no locks.
//
// Only the holder may call the methods of a Loop and of its Handles, Jobs and Timers. While
// the loop does not run, only the goroutine that owns the loop may call them. A method that is
// safe for concurrent use says so. Any other call from another goroutine is misuse. Methods
// that schedule, remove or stop something panic on misuse, and not only in debug mode.
//
// To reach a loop from another goroutine, use [Loop.CallSoonThreadsafe]. To run a function
// that blocks, use [Loop.RunInExecutor].
//
// If a callback panics, the loop calls the exception handler with the panic and its stack, and
// goes on. While a step or callback runs for long, nothing else of the loop can run. The
// watchdog reports the step or callback, with its stack, while it still runs
// ([Config].OnSlow).
//
// # Idle
//
// A loop is idle when nothing is ready and nothing is left that could make something ready: no
// operation, timer, unabandoned job, watched descriptor, signal handler or external source.
// [Loop.Run] returns when the loop is idle. [Loop.RunForever] waits instead.
//
// An external source is something outside the loop that may still make it busy. Declare one
// with [Driver.Open]. A call of CallSoonThreadsafe is no external source: the loop may become
// idle before the call arrives.
//
// # Stop
//
// [Loop.Stop] makes Run or RunForever return at the end of the current turn. Nothing is lost:
// entries that are still in the ready queue run in the next Run.
//
// # Guest loops
//
// A guest loop is driven by another event loop, its host. The host calls [Loop.RunOnce] with a
// limit of 0 when the time of [Loop.NextDeadline] has come, and when something has arrived from
// outside. The host learns of an arrival from [Loop.Descriptor], or from the function given to
// [Loop.Notify] if the poller has no descriptor.
//
// # Packages on top of a loop
//
// [Driver] is the part of a loop on which package task and the packages above it are built:
// steps, operations, timers, and functions posted by other goroutines. Other programs do not
// need it.
//
// Package looptest is the conformance suite for loops.
package loop
