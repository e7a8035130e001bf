// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"unsafe"

	"baton/internal/prefetch"
)

// How many steps before its own a worker's memory is asked for: what leads to more
// memory comes first.
const (
	farAhead   = 7 // the worker
	midAhead   = 5 // its task
	closeAhead = 3 // its goroutine and slot
)

// hot is how many bytes a switch touches at the beginning of a Worker. It touches as many
// of the seat, right before the Worker.
const hot = 48

// prefetch asks for the memory of steps that come soon. The caller has seen that the
// turn has farAhead more entries, so few ready tasks, which are in the cache anyway, do
// not pay for it. Each distance reads only what a longer one has asked for some steps
// ago. Any of the entries may be a callback, or the first step of a task.
func (r *Relay) prefetch() {
	if e, _ := r.loop.Ahead(farAhead); e.Step {
		if w, ok := e.Runner.(*Worker); ok {
			p := uintptr(unsafe.Pointer(w))
			prefetch.Line(p - hot)
			prefetch.Line(p)
			prefetch.Line(p + hot - 1)
		}
	}
	if e, _ := r.loop.Ahead(midAhead); e.Step {
		if w, ok := e.Runner.(*Worker); ok {
			prefetch.Line(w.Near)
		}
	}
	if e, _ := r.loop.Ahead(closeAhead); e.Step {
		if w, ok := e.Runner.(*Worker); ok {
			prefetch.Line(uintptr(unsafe.Pointer(w.at)))
			prefetch.Goroutine(w.g, w.top)
		}
	}
}
