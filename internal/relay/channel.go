// SPDX-License-Identifier: Apache-2.0

package relay

import "sync"

// channels passes control through channels. Every worker's goroutine waits on its own
// channel. A send to a waiting goroutine makes that goroutine the next to run on the
// processor, and the sender stops right afterwards. So the Go scheduler has nothing to
// choose.
//
// The channels have no buffer. So a send also waits for a goroutine that has just passed
// control on and has not reached its receive yet. A switch is exactly one send and then
// one receive. These also show the race detector that the steps of tasks happen one after
// the other. A sync.Cond had the same effect and was slower.
type channels struct{ goroutines sync.WaitGroup }

// pass sends before it receives. In between two goroutines run, but from uses only its own
// channel.
func (c *channels) pass(from, to *Worker) {
	c.give(to)
	<-from.ch
}

// leave only resumes to. No other goroutine depends on the goroutine that ends.
func (c *channels) leave(_, to *Worker) { c.give(to) }

// goexit passes control on, and the Goexit then ends the goroutine.
func (c *channels) goexit(w *Worker) { w.retire() }

// end ends all workers at the same time, without getting control back from each: a dying
// worker does not write the holder word (Worker.resume).
func (c *channels) end(workers []*Worker) {
	for _, w := range workers {
		w.dying = true
		c.give(w)
	}
	c.goroutines.Wait()
}

// give resumes the goroutine of to, or starts it. A new goroutine has control from the
// beginning, so give sends nothing to it. end waits for the goroutines of the group.
func (c *channels) give(to *Worker) {
	if to.started {
		to.ch <- struct{}{}
		return
	}
	to.started = true
	c.goroutines.Go(to.main)
}
