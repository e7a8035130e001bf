// SPDX-License-Identifier: Apache-2.0

package loop

// The bits of Loop.marks, by who sets them.
const (
	watchdogMark = 1 << iota
	probeMark
)

// Probe reports whether the step or callback that held the baton at the previous call of
// Probe still holds it. Probe sets a mark on the loop; the end of a step clears the mark,
// and so does a poll. Probe asks for a poll, so that it returns false for a loop that
// waits. Probe is safe for concurrent use.
func (d *Driver) Probe() (held bool) {
	l := (*Loop)(d)
	if l.marks.Or(probeMark)&probeMark != 0 {
		return l.running.Load()
	}
	d.Post((*probe)(l))
	return false
}

// A probe clears the marks in the poll that Probe asks for.
type probe Loop

func (p *probe) Wake() { (*Loop)(p).clearMarks() }
