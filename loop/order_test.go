// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"slices"
	"testing"

	"baton/loop"
	"baton/loop/poll/virtual"
)

// ordered makes a loop whose Order is arrange.
func ordered(t *testing.T, arrange func(batch []loop.Entry) int) *loop.Loop {
	t.Helper()
	return open(t, loop.Config{Poller: virtual.New(virtual.Config{}), Order: orderFunc(arrange)})
}

type orderFunc func(batch []loop.Entry) int

func (f orderFunc) Arrange(batch []loop.Entry) int { return f(batch) }

func TestOrder(t *testing.T) {
	reverse := func(batch []loop.Entry) { slices.Reverse(batch) }
	for _, c := range []struct {
		name    string
		arrange func(batch []loop.Entry) int
		first   string // turn
		second  string
	}{
		{"none", func([]loop.Entry) int { return 0 }, "c1 s1 c2 s2", ""},
		{"steps swapped", func(b []loop.Entry) int { b[1], b[3] = b[3], b[1]; return 0 }, "c1 s2 c2 s1", ""},
		{"a step overtakes", func(b []loop.Entry) int { b[0], b[1] = b[1], b[0]; return 0 }, "s1 c1 c2 s2", ""},
		{"one held", func([]loop.Entry) int { return 1 }, "c1 s1 c2", "s2"},
		{"both held", func(b []loop.Entry) int { b[1], b[2] = b[2], b[1]; return 2 }, "c1 c2", "s1 s2"},

		{"callbacks swapped", func(b []loop.Entry) int { reverse(b); return 0 }, "c1 s1 c2 s2", ""},
		{"a callback held", func([]loop.Entry) int { return 2 }, "c1 s1 c2 s2", ""},
		{"more held than there are", func([]loop.Entry) int { return 5 }, "c1 s1 c2 s2", ""},
		{"fewer than none held", func([]loop.Entry) int { return -1 }, "c1 s1 c2 s2", ""},
		{"a step twice", func(b []loop.Entry) int { b[3] = b[1]; return 0 }, "c1 s1 c2 s2", ""},
		{"a callback twice", func(b []loop.Entry) int { b[2] = b[0]; return 0 }, "c1 s1 c2 s2", ""},
		{"a callback lost", func(b []loop.Entry) int { b[2] = b[1]; return 0 }, "c1 s1 c2 s2", ""},
		{"a stranger", func(b []loop.Entry) int { b[1] = stepOf(func() {}); return 0 }, "c1 s1 c2 s2", ""},
		{"a step made a callback", func(b []loop.Entry) int { b[1].Step = false; return 0 }, "c1 s1 c2 s2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			turns := 0
			l := ordered(t, func(batch []loop.Entry) int {
				if turns++; turns > 1 {
					return 0
				}
				return c.arrange(batch)
			})
			var ran notes
			l.CallSoon(ran.add("c1"))
			l.Driver().Ready(stepOf(ran.add("s1")))
			l.CallSoon(ran.add("c2"))
			l.Driver().Ready(stepOf(ran.add("s2")))
			l.RunOnce(0)
			ran.want(t, "first turn", c.first)
			l.RunOnce(0)
			ran.want(t, "second turn", c.second)
		})
	}
}

// Entries that were held back run before entries that became ready later.
func TestOrderHeldComesFirst(t *testing.T) {
	turns := 0
	l := ordered(t, func([]loop.Entry) int { turns++; return turns & 1 })
	var ran notes
	l.Driver().Ready(stepOf(ran.add("held")))
	l.Driver().Ready(stepOf(ran.add("held too")))
	l.RunOnce(0)
	ran.want(t, "first turn", "held")
	l.CallSoon(ran.add("later"))
	l.RunOnce(0)
	ran.want(t, "second turn", "held too later")
}

func TestOrderCannotStarve(t *testing.T) {
	l := ordered(t, func(batch []loop.Entry) int { return len(batch) })
	for range 2 { // the limit also holds the second time
		ran, turns := false, 0
		l.Driver().Ready(stepOf(func() { ran = true }))
		for !ran {
			if turns++; turns > 1000 {
				t.Fatal("a step that is held in every turn never ran")
			}
			l.RunOnce(0)
		}
		if turns != 129 {
			t.Errorf("a step was held for %d turns, want 128", turns-1)
		}
	}
}

// If an Order panics, the panic is reported, and the turn runs in its original order.
func TestOrderPanics(t *testing.T) {
	l := ordered(t, func(batch []loop.Entry) int {
		slices.Reverse(batch)
		panic("no idea")
	})
	var reported []string
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = append(reported, e.Err.Error()) })
	var ran notes
	l.Driver().Ready(stepOf(ran.add("a")))
	l.Driver().Ready(stepOf(ran.add("b")))
	l.RunOnce(0)
	ran.want(t, "in the order of their becoming ready", "a b")
	if !slices.Equal(reported, []string{"no idea"}) {
		t.Errorf("reported %q", reported)
	}
}

// The loop calls the Order with all entries of a turn, and does not call it for an empty
// turn.
func TestOrderSeesEntries(t *testing.T) {
	var seen []int
	l := ordered(t, func(batch []loop.Entry) int {
		steps := 0
		for _, e := range batch {
			if e.Step {
				steps++
			}
		}
		seen = append(seen, steps, len(batch)-steps)
		return 0
	})
	l.RunOnce(0)
	l.CallSoon(func() { l.Driver().Ready(stepOf(func() {})) })
	l.Run()
	if !slices.Equal(seen, []int{0, 1, 1, 0}) {
		t.Errorf("the Order saw these numbers of steps and callbacks, turn by turn: %v", seen)
	}
}
