// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A Timer wakes its Target once, at a time. It is part of what it wakes, so a
// sleep costs no allocation; the zero value with a Target is ready to start,
// and one that has fired may be started again. It belongs to the loop, and must
// not be copied while it is started.
type Timer struct {
	Target Waker

	slot uint32 // index in the heap plus one; 0 means not started
}

// StartTimer has t.Target woken at when, at the earliest. If that time has passed, the
// next poll wakes the target, or the same poll if a Waker calls StartTimer. A timer that
// is already started is moved, and counts as started now among those of the same time.
// Nothing is checked, for this is the way of every sleep: the caller holds the baton.
func (d *Driver) StartTimer(t *Timer, when time.Time) {
	d.timers.start(t, when.Sub(d.start))
}

// StopTimer removes t for good and reports whether it was started and had not
// yet woken its target. The caller holds the baton.
func (d *Driver) StopTimer(t *Timer) bool {
	if t.slot == 0 {
		return false
	}
	d.timers.remove(t)
	return true
}
