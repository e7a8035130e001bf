// SPDX-License-Identifier: Apache-2.0

package poll

// A Dozer is a Poller whose short sleeps may keep the processor. That is cheaper
// for a loop whose steps follow each other without Go's scheduler, and dearer for
// one that hands over through it: the scheduler wakes other threads for that, and
// they sleep best beside a loop that sleeps as they do. Off at first.
type Dozer interface {
	Poller

	// Doze says whether short sleeps may keep the processor. It belongs to the
	// loop.
	Doze(on bool)
}
