// SPDX-License-Identifier: Apache-2.0

package relay

import "sync"

// channels passes control through channels: every worker's goroutine waits on the
// worker's own. A send to a goroutine that already waits makes it the next
// one to run on this processor, and the sender stops right after it, so the
// scheduler has nothing to choose.
//
// The channels have no buffer. So a send waits until the other goroutine is at
// its receive, if it has passed control on a moment ago and is not there yet.
// That order of steps, send and then receive, is all there is to a switch; each
// channel operation also tells the race detector that what one task did
// happened before what the next one does. A sync.Cond did the same and took
// longer.
type channels struct{ goroutines sync.WaitGroup }

// pass sends before it receives: in between two goroutines run, and the one
// here touches nothing but its own channel.
func (c *channels) pass(from, to *Worker) {
	c.give(to)
	<-from.ch
}

// leave needs nothing of the goroutine that ends: no other one is parked in it.
func (c *channels) leave(_, to *Worker) { c.give(to) }

// survive gives control on; Goexit then ends the goroutine, which no other
// one notices.
func (c *channels) goexit(w *Worker) { w.retire() }

// end does not get control back from each: a worker that dies leaves the word
// alone (Worker.resume), so they may all end at once.
func (c *channels) end(workers []*Worker) {
	for _, w := range workers {
		w.dying = true
		c.give(w)
	}
	c.goroutines.Wait()
}

// give resumes the goroutine of to, or starts it: that has control from its
// first instruction, so nothing is sent. The group is what end waits for.
func (c *channels) give(to *Worker) {
	if to.started {
		to.ch <- struct{}{}
		return
	}
	to.started = true
	c.goroutines.Go(to.main)
}
