// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"iter"
	"sync"
)

// coroutines passes control through the runtime's coroutines.
//
// A runtime coroutine, as made by iter.Pull, is a slot in which one goroutine is parked. A
// swap with a slot parks the calling goroutine there and resumes the goroutine that was
// parked there. The two need not be the same each time. With N workers there are N slots
// and N+1 goroutines: the workers and the loop's own. One of them runs, and each of the
// others is parked in a slot. To switch from A to B, A swaps with the slot in which B is
// parked. That is one swap, no matter how often the goroutines have changed places.
//
// Two rules of iter.Pull remain. Swaps by next and by yield must alternate for each slot.
// And when a goroutine ends, the runtime resumes the goroutine that is parked in its birth
// slot: the slot that was made together with the ending goroutine. If control is meant for
// another worker, the resumed goroutine passes it on.
type coroutines struct {
	target *Worker // the worker that control is meant for; others pass it on
	ending bool    // end runs: a worker that is resumed ends
}

// A slot is one runtime coroutine, with one parked goroutine.
//
// iter.Pull forbids concurrent calls of next, but not calls from different goroutines.
// Here the calls are never concurrent, because only the goroutine that has control makes
// them. The race detector sees that order through marks inside iter.Pull.
type slot struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	odd   bool // the last swap used next, so the next swap must use yield
}

// swap parks w in s and resumes the goroutine that was parked in s. It returns when
// another goroutine swaps with s, or when the goroutine whose birth slot is s ends.
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

// pass needs one swap, unless a goroutine has ended. A worker that is resumed without
// being the target was resumed by the end of a goroutine (leave), and passes control on:
// see passOn.
func (c *coroutines) pass(from, to *Worker) {
	if s := c.aim(from, to); s.odd { // slot.swap, inlined to save a return
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

// aim prepares a swap from from to to, and returns the slot in which to is parked.
func (c *coroutines) aim(from, to *Worker) *slot {
	if !to.started {
		to.begin()
	}
	c.target = to
	from.at = to.at
	return to.at
}

// passOn passes control on to the target until w itself is the target. w was resumed
// because a goroutine ended whose birth slot is the slot in which w was parked. While end
// runs, a dying worker returns instead, and then ends.
func (c *coroutines) passOn(w *Worker) {
	for c.target != w {
		if c.ending && w.dying {
			return
		}
		c.target.at.swap(w)
	}
}

// begin makes the slot in which w's goroutine is born, and parks the goroutine there until
// the first swap. The stop function of iter.Pull is not used: it would resume the
// goroutine that is parked in the slot, as next does.
func (w *Worker) begin() {
	s := &slot{}
	s.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		w.main()
	})
	w.started, w.at = true, s
}

// leave sets the target. The end of from's goroutine resumes the goroutine in its birth
// slot, which passes control on to the target. There always is one, because there are as
// many slots as parked goroutines.
func (c *coroutines) leave(_, to *Worker) { c.target = to }

// goexit does not let the goroutine end before the relay is closed: iter.Pull would pass
// the Goexit on to the goroutine in the birth slot. Until then, the goroutine runs tasks
// inside the deferred call. When end runs there are no tasks any more, and the goroutine
// that receives the Goexit is ending anyway.
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

// end ends the workers' goroutines. While c.ending is set, a worker that is resumed ends,
// and its end resumes the next one. The slots form cycles. For each cycle, a stand-in
// goroutine swaps with one of its slots, and is resumed when all goroutines of the cycle
// have ended. The loop's own goroutine cannot do this itself: a goroutine that is in
// Goexit may pass the Goexit on to the goroutine that swaps.
//
// Workers that ended as part of an earlier cycle are skipped. end waits for each stand-in,
// so that no goroutine of the relay is left when it returns.
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
			defer func() { recover() }() // nothing panics here; a Goexit continues
			c.pass(&Worker{dying: true}, w)
		})
		standIn.Wait()
	}
	c.ending = false
}
