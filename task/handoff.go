// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Handoff is a way of passing the baton from one goroutine to the next. Tasks behave the
// same under both; only the cost of a switch differs.
type Handoff uint8

const (
	// AnyHandoff uses Channel, unless the environment variable BATON_HANDOFF is "coroutine"
	// and Coroutine was tested with this version of Go.
	AnyHandoff Handoff = iota

	// Channel parks every goroutine on its own channel. It works with every version of Go.
	// Every switch goes through Go's scheduler.
	Channel

	// Coroutine switches through the runtime's coroutines (iter.Pull), without Go's scheduler,
	// at less than half the cost. A task that calls runtime.LockOSThread, or runs in a cgo
	// callback, then crashes the process.
	Coroutine
)

// String returns "channel", "coroutine" or "any".
func (h Handoff) String() string {
	switch h {
	case Channel:
		return "channel"
	case Coroutine:
		return "coroutine"
	}
	return "any"
}

// newestTested is the newest Go minor version whose runtime coroutines were tested with
// this package. A failed coroutine switch crashes the process, so no self-test can detect
// it. A newer toolchain gets Channel, unless the program sets Runner.Handoff to Coroutine.
const newestTested = 27

// choose returns Channel or Coroutine. It reads the environment for each Run. It panics if
// BATON_HANDOFF has an unknown value, so that a typing error does not select the default.
func (h Handoff) choose() Handoff {
	switch h {
	case Channel, Coroutine:
		return h
	case AnyHandoff:
	default:
		panic(fmt.Sprintf("task: unknown Handoff %d; use task.Channel or task.Coroutine", h))
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
		panic("task: unknown BATON_HANDOFF=" + name + "; use channel or coroutine")
	}
}

// goMinor returns 27 for "go1.27.3". A development version counts as newer than all
// releases.
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
