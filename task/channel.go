// SPDX-License-Identifier: Apache-2.0

package task

import "sync"

// channels passes the baton through channels: every worker's goroutine waits on
// the worker's own. A send to a goroutine that already waits makes it the next
// one to run on this processor, and the sender stops right after it, so the
// scheduler has nothing to choose.
type channels struct{ goroutines sync.WaitGroup }

func (c *channels) pass(from, to *worker) {
	c.give(to)
	<-from.ch
}

func (c *channels) leave(_, to *worker) { c.give(to) }

// survive gives the baton on; Goexit then ends the goroutine.
func (c *channels) survive(w *worker) { w.retire() }

func (c *channels) end(_ *worker, workers []*worker) {
	for _, w := range workers {
		w.dying = true
		c.give(w)
	}
	c.goroutines.Wait()
}

func (c *channels) give(to *worker) {
	if to.started {
		to.ch <- struct{}{}
		return
	}
	to.started = true
	c.goroutines.Go(to.main)
}
