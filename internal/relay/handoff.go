// SPDX-License-Identifier: Apache-2.0

package relay

// A handoff is one way of passing control. The goroutine that has control calls the
// methods, with its own worker as from. The methods do not write the holder word: a
// goroutine writes the word itself when it has control again (Worker.Back, Worker.resume).
type handoff interface {
	// pass passes control to the worker to, and starts its goroutine if there is none yet. It
	// returns when control comes back to from.
	pass(from, to *Worker)

	// leave passes control to the worker to for good, because from's goroutine ends. The
	// caller must then return from Worker.main.
	leave(from, to *Worker)

	// goexit is called on a goroutine that is in runtime.Goexit and whose task has ended. It
	// passes control on and lets the goroutine end, or goes on running tasks in the deferred
	// call.
	goexit(w *Worker)

	// end ends the goroutines of workers, which are all idle. The loop's own goroutine has
	// control and calls end.
	end(workers []*Worker)
}
