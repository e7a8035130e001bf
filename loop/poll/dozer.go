// SPDX-License-Identifier: Apache-2.0

package poll

// A Dozer is a Poller that can keep the processor during short sleeps. This is cheaper for
// a loop whose steps follow each other without Go's scheduler, as callbacks do. It is more
// expensive for a loop that hands over through the scheduler: each time the loop parks, the
// scheduler makes other threads look for work.
type Dozer interface {
	Poller

	// Doze sets whether short sleeps may keep the processor. The default is true. Doze
	// belongs to the loop.
	Doze(on bool)
}
