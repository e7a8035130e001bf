// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"iter"
	"sync"
)

// coroutines passes control through the runtime's coroutines.
//
// A runtime coroutine, as iter.Pull makes one, is a place in which one
// goroutine is parked. Switching to it parks the caller there and runs the goroutine
// that was parked, which need not be the same one each time. So with
// N workers there are N slots and N+1 goroutines (the loop's own is one), of
// which one runs and each of the others is parked in some slot. To switch from A
// to B, A parks in the slot in which B is parked: one swap, no matter how often
// the goroutines have changed places.
//
// Two rules of iter.Pull remain. Swapping through next and through yield must
// alternate for each slot. And when a goroutine ends, the runtime resumes the goroutine
// that is parked in the slot with which the ending one was made, its birth slot. If
// control is meant for another worker, the resumed one passes it on.
type coroutines struct {
	target *Worker // the one that is to have control: any other one that wakes passes it on
	ending bool    // end runs: a worker that is resumed ends
}

// A slot is one runtime coroutine: a place with one parked goroutine.
//
// iter.Pull forbids calls of next at the same time, not calls from different
// goroutines: control orders them, and Pull's own marks for the race detector
// go along with it.
type slot struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	odd   bool // next was used last, so yield is the one to use now
}

// swap parks w here and resumes the goroutine that was parked here. It returns
// when another goroutine parks here in w's place, or the goroutine whose birth slot
// this is ends.
func (s *slot) swap(w *Worker) {
	w.at = s
	if s.odd {
		s.odd = false
		s.yield(struct{}{})
	} else {
		s.odd = true
		s.next()
	}
}

// pass costs one swap, but for those that end a goroutine. A worker that wakes
// without being the target was resumed by the end of a goroutine (leave): it
// parks where the target is parked and so passes control on, as often as it
// takes. While end runs no control is under way, and a dying worker just returns.
func (c *coroutines) pass(from, to *Worker) {
	if s := c.aim(from, to); s.odd { // slot.swap, without its return
		s.odd = false
		s.yield(struct{}{})
	} else {
		s.odd = true
		s.next()
	}
	if c.target != from {
		c.passOn(from)
	}
}

// aim prepares a swap: control is for to, and from will be parked in the slot
// where to is, which aim returns.
func (c *coroutines) aim(from, to *Worker) *slot {
	if !to.started {
		to.begin()
	}
	c.target = to
	from.at = to.at
	return to.at
}

// passOn passes control on to its target, until it comes to w: w was resumed by
// the end of a goroutine that was born where w was parked.
func (c *coroutines) passOn(w *Worker) {
	for c.target != w {
		if c.ending && w.dying {
			return
		}
		c.target.at.swap(w)
	}
}

// begin makes the slot with which w's goroutine is born, and parks it there, to
// start at the first swap. Pull's stop is not kept: it would only resume the goroutine
// that is parked in the slot, as next does.
func (w *Worker) begin() {
	s := &slot{}
	s.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		w.main()
	})
	w.started, w.at = true, s
}

// leave makes to the target. The end of from's goroutine resumes the one that is parked
// in its birth slot, and that one passes control on to the target. There always is one,
// since the goroutines that do not run are as many as the slots.
func (c *coroutines) leave(_, to *Worker) { c.target = to }

// survive does not let the goroutine end: iter.Pull would pass the Goexit on to the
// goroutine that is parked in the birth slot. It serves tasks from within the deferred
// call until the relay is closed. Then there are no tasks any more, and control is
// under way to no worker: one that the Goexit is passed on to just ends.
func (c *coroutines) goexit(w *Worker) {
	if c.ending {
		return
	}
	w.inGoexit = true
	if to := w.goIdle(); to != nil {
		c.pass(w, to)
		w.resume()
	}
	w.serve()
}

// end ends the workers' goroutines. Every worker that is resumed while c.ending
// ends in turn and resumes the next, until the stand-in comes back: the slots
// form cycles, and the stand-in has taken a place in one of them. The end of a
// goroutine that is in Goexit may pass the Goexit on, to a worker that is
// ending anyway or to the stand-in; so that is a goroutine made to die, while
// home waits outside all slots.
//
// A worker whose turn has come through another one's end is skipped, so there
// is one stand-in for each cycle. Its goroutine is waited for: when end
// returns, no goroutine of the relay is left but home's own.
func (c *coroutines) end(workers []*Worker) {
	c.ending = true
	for _, w := range workers {
		w.dying = true
	}
	for _, w := range workers {
		if w.ended {
			continue
		}
		var standIn sync.WaitGroup
		standIn.Go(func() {
			defer func() { recover() }() // nothing panics here; Goexit passes
			c.pass(&Worker{dying: true}, w)
		})
		standIn.Wait()
	}
	c.ending = false
}
