// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Handoff is a way of passing the baton from one goroutine to another. Both
// behave the same; they differ in what a switch costs. A task cannot tell which
// one is in use.
type Handoff uint8

const (
	// AnyHandoff leaves the choice to BATON_HANDOFF, which may be "channel" or
	// "coroutine", and otherwise to the library: Channel.
	AnyHandoff Handoff = iota

	// Channel parks every goroutine on a channel of its own. It works with
	// every toolchain, and a switch goes through Go's scheduler.
	Channel

	// Coroutine switches through the runtime's own coroutines (iter.Pull),
	// without Go's scheduler, at less than half the cost. A task must not call
	// runtime.LockOSThread, nor run in a cgo callback. That crashes the process.
	Coroutine
)

// String returns the name that BATON_HANDOFF takes.
func (h Handoff) String() string {
	switch h {
	case Channel:
		return "channel"
	case Coroutine:
		return "coroutine"
	}
	return "any"
}

// handoff is one way of passing the baton. Its methods are called by the
// holder, with the goroutine's own worker as from. None of them touches the
// holder word: a goroutine writes that itself when it has the baton again
// (baton.back, worker.resume).
type handoff interface {
	// pass gives the baton to the worker to, starting its goroutine if it has
	// none yet, and returns when somebody has passed the baton back to from.
	pass(from, to *worker)

	// leave gives the baton to the worker to for good: from's goroutine is
	// about to end. It must then return from worker.main.
	leave(from, to *worker)

	// survive is called on a goroutine that is in runtime.Goexit, whose task
	// has ended. It gives the baton on and lets the goroutine end, or goes on
	// serving tasks from where it is.
	survive(w *worker)

	// end ends the goroutines of workers, all of them idle; home has the baton.
	end(home *worker, workers []*worker)
}

// newestTested is the newest Go minor version whose runtime coroutines were
// tested with the coroutine hand-over. A wrong switch is a crash that nothing
// can recover from, so no self-test can guard it; a newer toolchain gets
// Channel unless the program asks for Coroutine in Runner.Handoff.
const newestTested = 27

// choose turns what Runner.Handoff says into one of the two. The environment is
// read for each Run. A name that nobody knows panics: a typing error must not
// pass for the default.
func (h Handoff) choose() Handoff {
	switch h {
	case Channel, Coroutine:
		return h
	case AnyHandoff:
	default:
		panic(fmt.Sprintf("task: there is no hand-over %d; use task.Channel or task.Coroutine", h))
	}
	switch name := os.Getenv("BATON_HANDOFF"); name {
	case "", "channel":
		return Channel
	case "coroutine":
		if goMinor(runtime.Version()) <= newestTested {
			return Coroutine
		}
		return Channel
	default:
		panic("task: BATON_HANDOFF=" + name + ": there are channel and coroutine")
	}
}

// goMinor is 27 for "go1.27.3"; a development version is newer than all.
func goMinor(version string) int {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return 1 << 30
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 1 << 30
	}
	return n
}
