// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"unsafe"

	"baton/internal/prefetch"
)

// How many steps before its own step a worker's memory is prefetched. Memory that contains
// the addresses of more memory comes first.
const (
	farAhead   = 7 // the worker
	midAhead   = 5 // its task
	closeAhead = 3 // its goroutine and slot
)

// hot is how many bytes at the beginning of a Worker a switch uses. It uses as many bytes
// of the TaskRunner, right before the Worker.
const hot = 48

// prefetch prefetches the memory of the next steps. The caller has checked that the batch
// has farAhead more entries: with few ready tasks, the memory is in the cache already. The
// code for each distance reads only memory that was prefetched at a longer distance. An
// entry may also be a callback, or the first step of a task.
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
