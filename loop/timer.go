// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A Timer wakes its Target once, at a set time. Embed a Timer in what it wakes, so that
// starting it does not allocate. A Timer with a Target is ready to be started by
// [Driver.StartTimer], and may be started again after it has fired. A started Timer must
// not be copied. Only the holder may use a Timer.
type Timer struct {
	Target Waker

	slot uint32 // index in the heap plus one; 0 means not started
}

// StartTimer makes the loop wake t.Target at when, and never earlier. If when has passed,
// the next poll wakes the target; if a Waker calls StartTimer during a poll, the same poll
// does. If t is already started, StartTimer changes its time. Timers with the same time
// fire in the order of their last StartTimer. Because every sleep calls it, StartTimer does
// not check that the caller is the holder.
func (d *Driver) StartTimer(t *Timer, when time.Time) {
	d.timers.start(t, when.Sub(d.start))
}

// StopTimer stops t. It reports whether t was started and had not yet woken its target.
// StopTimer does not check that the caller is the holder.
func (d *Driver) StopTimer(t *Timer) bool {
	if t.slot == 0 {
		return false
	}
	d.timers.remove(t)
	return true
}
