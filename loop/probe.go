// SPDX-License-Identifier: Apache-2.0

package loop

// Who has left a mark on the loop: the watchdog, or Probe.
const (
	dogMark = 1 << iota
	probeMark
)

// Probe reports whether one and the same step has held the baton ever since the
// call of Probe before. It leaves a mark that the end of a step wipes off, and so
// does a poll, which it asks for: a loop that waits is not held. Safe from every
// goroutine.
func (d *Driver) Probe() (held bool) {
	l := (*Loop)(d)
	if l.marks.Or(probeMark)&probeMark != 0 {
		return l.running.Load()
	}
	d.Post((*probe)(l))
	return false
}

// probe is the poll that Probe asks for.
type probe Loop

func (p *probe) Wake() { (*Loop)(p).moved() }
