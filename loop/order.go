// SPDX-License-Identifier: Apache-2.0

package loop

// maxTurnsHeld is in how many turns in a row an Order may hold something back.
const maxTurnsHeld = 128

// An Order arranges the entries of a turn, before any of them has run. The
// simulator explores schedules with it.
type Order interface {
	// Arrange reorders batch in place and returns how many entries at its end
	// are held back: they move to the front of the next turn. Every entry must
	// still be there once; callbacks must keep their order among themselves and
	// must not be held. The loop undoes an arrangement that breaks this. So it
	// does if Arrange panics, which is reported to the exception handler. A loop
	// that has held entries back for 128 turns in a row runs everything once,
	// so that holding cannot become starving.
	Arrange(batch []Entry) (held int)
}

// An arrangement is what a loop with an Order remembers, so that checking one
// allocates nothing.
type arrangement struct {
	held   int            // consecutive turns in which something was held back
	before []Entry        // the batch as it was
	steps  map[Runner]int // see lawful
}

// arrange lets the Order have its way with the new batch, within its contract.
// What is held back comes before what the turn adds, so in the next turn it is
// first again.
func (l *Loop) arrange() {
	a := &l.order
	a.before = append(a.before[:0], l.batch...)
	held, ok := l.askOrder()
	if !ok || !a.lawful(l.batch, held) {
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

// askOrder calls the Order, on the loop's own goroutine. A panic in it is an
// exception.
func (l *Loop) askOrder() (held int, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			l.CallExceptionHandler(panicked("Order", v))
		}
	}()
	return l.cfg.Order.Arrange(l.batch), true
}

// lawful reports whether after holds the steps of before, its callbacks in
// their order, and no callback among the last held entries. Steps are counted,
// up as they were and down as they are: all counts must come out as nothing.
// Callbacks are compared one after the other.
func (a *arrangement) lawful(after []Entry, held int) bool {
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
	next := 0 // the callbacks of before up to here have been seen
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
