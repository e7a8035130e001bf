// SPDX-License-Identifier: Apache-2.0

package poll

// A Dozer is a Poller whose short sleeps may keep the processor. That is cheaper
// for a loop whose steps follow each other without Go's scheduler, as callbacks
// do, and dearer for one that hands over through it: the scheduler then has other
// threads look for work, and a loop that parks is one that looks. On at first.
type Dozer interface {
	Poller

	// Doze says whether short sleeps may keep the processor. It belongs to the
	// loop.
	Doze(on bool)
}
