// SPDX-License-Identifier: Apache-2.0

// Package loop is an event loop: it runs callbacks and the steps of tasks, one
// at a time, in turns. It is the loop of Python's PEP 3156, in Go spelling, with
// its vocabulary (CallSoon, CallLater, AddReader, …) and two of its ideas: the
// world outside can be exchanged ([Config].Poller), and so can the loop.
//
// A whole program:
//
//	l, err := loop.New(loop.Config{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer l.Close()
//
//	ticks := l.CallRepeatedly(time.Second, func() { fmt.Println("tick") })
//	l.AddSignalHandler(os.Interrupt, func() {
//		ticks.Cancel()
//		l.RemoveSignalHandler(os.Interrupt)
//	})
//	l.Run() // until nothing is left that could happen
//
// Most programs never see a Loop: they use package task, whose tasks are
// goroutines that this loop runs, and read like any other Go code. The loop
// itself is for those who bring callbacks, descriptors or clocks of their own.
//
// # One turn
//
// A turn does this, in this order:
//
//  1. If nothing is ready it asks the poller, and waits: for an operation, for
//     another goroutine, or until the next timer. A busy loop asks without
//     waiting, every 32 turns or 64 steps, earlier if the watchdog finds that
//     steps are long, and not at all while no operation is in flight.
//  2. It queues what the poller reports, then what other goroutines have
//     brought, then the timers that are due, in order of time and then of
//     creation.
//  3. It runs exactly what is ready now. What that adds waits for the next turn.
//
// So callbacks run in the order of their CallSoon, each once; one that schedules
// itself again and again starves nobody; and a timer is never early. Tasks woken
// in one turn have no promised order among each other: an [Order] may rearrange
// them, and the simulator does.
//
// # Who may call what
//
// Callbacks need no locks, because there is one baton and whoever holds it runs:
// a callback, or the task whose step it is. A Loop's methods belong to the
// holder. While the loop does not run they belong to whoever made it. A call
// from elsewhere panics, always, not only in debug mode. For other goroutines
// there is [Loop.CallSoonThreadsafe]; for functions that block,
// [Loop.RunInExecutor]. A method that every goroutine may call says so.
//
// A panic in a callback goes to the exception handler, with its stack, and the
// loop goes on. A step that holds the baton for long is reported by the watchdog
// while it still does, with its stack ([Config].OnSlow); nothing else of the loop
// can run meanwhile.
//
// # Idle
//
// [Loop.Run] returns when the loop is idle: nothing is ready, and no operation,
// timer, job that was not abandoned, watched descriptor, signal handler or door
// is left that could make something ready. A door ([Driver.Open]) stands for
// something outside that may still bring work. A bare CallSoonThreadsafe is
// none: a loop may be idle before the call arrives. [Loop.RunForever] waits
// until [Loop.Stop].
//
// # Guests
//
// A loop can be driven from outside, as the guest of another event loop or in a
// simulation: whoever drives it calls [Loop.RunOnce] with a limit of 0 by
// [Loop.NextDeadline], and when something has come from outside.
// [Loop.Descriptor] tells of that or, where there is none, the function given to
// [Loop.Notify].
//
// # Rooms on top of a loop
//
// [Driver] has what package task and the rooms above it are built with: steps,
// operations, timers, posts from other goroutines. Programs need none of it.
//
// The conformance suite for loops is package looptest.
package loop
