// SPDX-License-Identifier: Apache-2.0

package relay

// A handoff is one way of passing control. Its methods are called by the goroutine that
// has control, with its own worker as from. None of them touches the holder word: a
// goroutine writes that itself when it has control again (Worker.Back, Worker.resume).
type handoff interface {
	// pass gives control to the worker to, starting its goroutine if it has none yet,
	// and returns when control has been passed back to from.
	pass(from, to *Worker)

	// leave gives control to the worker to for good: from's goroutine is about to end.
	// It must then return from Worker.main.
	leave(from, to *Worker)

	// survive is called on a goroutine that is in runtime.Goexit, whose task has ended.
	// It gives control on and lets the goroutine end, or goes on serving tasks from
	// where it is.
	goexit(w *Worker)

	// end ends the goroutines of workers, all of them idle. The loop's own goroutine
	// has control.
	end(workers []*Worker)
}
