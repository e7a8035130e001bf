// SPDX-License-Identifier: Apache-2.0

package loop

// maxTurnsHeld is how many turns in a row an Order may hold entries back.
const maxTurnsHeld = 128

// An Order decides in which order the entries of a turn run. Package sim uses one to try
// different schedules.
type Order interface {
	// Arrange reorders batch, before any entry of it has run, and returns how many entries
	// at its end are held back. Entries that are held back move to the front of the next
	// turn.
	//
	// Arrange must keep every entry exactly once. It must keep the order of the callbacks
	// among themselves, and must not hold callbacks back. The loop undoes an arrangement
	// that breaks these rules. If Arrange panics, the loop undoes the arrangement and calls
	// the exception handler. After 128 turns in a row with entries held back, the loop runs
	// the next batch whole, so that no entry starves.
	Arrange(batch []Entry) (held int)
}

// An arrangement is the memory of a loop with an Order. It is reused, so that checking an
// arrangement does not allocate.
type arrangement struct {
	held   int            // turns in a row in which entries were held back
	before []Entry        // the batch before Arrange
	steps  map[Runner]int // used by valid
}

// arrange lets the Order rearrange the new batch. Entries that are held back go to ready
// before the turn adds anything, so they are first in the next turn.
func (l *Loop) arrange() {
	a := &l.order
	a.before = append(a.before[:0], l.batch...)
	held, ok := l.callOrder()
	if !ok || !a.valid(l.batch, held) {
		copy(l.batch, a.before)
		held = 0
	}
	clear(a.before)
	if held == 0 || a.held >= maxTurnsHeld {
		a.held = 0
		return
	}
	a.held++
	cut := len(l.batch) - held
	l.ready = append(l.ready, l.batch[cut:]...)
	clear(l.batch[cut:])
	l.batch = l.batch[:cut]
}

// callOrder calls the Order. It reports a panic to the exception handler, and returns
// false.
func (l *Loop) callOrder() (held int, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			l.CallExceptionHandler(panicked("Order", v))
		}
	}()
	return l.cfg.Order.Arrange(l.batch), true
}

// valid reports whether after has the same steps as before, the same callbacks in the same
// order, and no callback among the last held entries. Each step counts +1 in before and -1
// in after; every sum must be zero.
func (a *arrangement) valid(after []Entry, held int) bool {
	if held < 0 || held > len(after) {
		return false
	}
	for _, e := range after[len(after)-held:] {
		if !e.Step {
			return false
		}
	}
	if a.steps == nil {
		a.steps = make(map[Runner]int)
	}
	clear(a.steps)
	next := 0 // all callbacks in before[:next] were found in after
	for i, e := range after {
		if was := a.before[i]; was.Step {
			a.steps[was.Runner]++
		}
		if e.Step {
			a.steps[e.Runner]--
			continue
		}
		for next < len(a.before) && a.before[next].Step {
			next++
		}
		if next == len(a.before) || a.before[next] != e {
			return false
		}
		next++
	}
	for _, n := range a.steps {
		if n != 0 {
			return false
		}
	}
	return true
}
