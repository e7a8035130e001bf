// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"baton/loop"
)

// FuzzTimers drives a loop's timers and a sorted list of the same timers with
// one script: what runs, in which order, at what time, and what the loop says
// will be next, must agree after every instruction.
func FuzzTimers(f *testing.F) {
	f.Add([]byte{0, 5, 0, 3, 0, 5, 3, 0, 1, 1, 3, 9})
	f.Add([]byte{0, 0, 0, 7, 2, 0, 4, 2, 1, 3, 2, 3, 0, 3, 255})
	f.Add([]byte{5, 3, 0, 4, 5, 3, 3, 2, 3, 2, 1, 0, 3, 9, 3, 9, 3, 9})
	wide := []byte{}
	for i := range byte(120) { // deep enough for every branch of the heap
		wide = append(wide, 0, i*37+1)
	}
	for i := range byte(60) {
		wide = append(wide, 1, i*11, 2, i*7, 4, i*13, 3, 3)
	}
	f.Add(append(wide, 3, 255))
	f.Fuzz(func(t *testing.T, script []byte) {
		m := &timerModel{t: t, loop: simulated(t)}
		m.start = m.loop.Time()
		for len(script) >= 2 {
			m.instruction(script[0]%6, script[1])
			script = script[2:]
		}
		m.advance(time.Hour)
		if len(m.pending) > 0 || !m.loop.Idle() {
			t.Errorf("%d timers are left; the loop is idle: %v", len(m.pending), m.loop.Idle())
		}
	})
}

// A timerModel is a loop and what it should do.
type timerModel struct {
	t       *testing.T
	loop    *loop.Loop
	start   time.Time
	now     time.Duration // on the loop's clock
	timers  []*modelTimer
	pending []*modelTimer // sorted
	ran     []*modelTimer
	made    int  // breaks ties
	soon    bool // something is ready
}

type modelTimer struct {
	when time.Duration
	made int

	handle *loop.Handle // of a CallAt, or
	timer  loop.Timer   // a timer that can be moved

	cancels *modelTimer // when it runs
}

// instruction does one thing to the loop and to the list.
func (m *timerModel) instruction(op, arg byte) {
	when := m.now + time.Duration(arg)
	switch op {
	case 0:
		mt := &modelTimer{}
		mt.handle = m.loop.CallAt(m.start.Add(when), func() { m.fire(mt) })
		m.insert(mt, when)
		m.soon = m.soon || when <= m.now
	case 1:
		if mt := m.pick(arg); mt != nil {
			m.stop(mt)
		}
	case 2: // one timer ends another one
		if mt := m.pick(arg); mt != nil {
			mt.cancels = m.pick(arg / 2)
		}
	case 3:
		m.advance(time.Duration(arg))
	case 4:
		if mt := m.pick(arg); mt != nil && mt.handle == nil {
			m.loop.StartTimer(&mt.timer, m.start.Add(when))
			m.remove(mt)
			m.insert(mt, when)
		}
	case 5:
		mt := &modelTimer{}
		mt.timer.Target = waker(func() { m.fire(mt) })
		m.loop.StartTimer(&mt.timer, m.start.Add(when))
		m.insert(mt, when)
	}
	m.check()
}

func (m *timerModel) pick(arg byte) *modelTimer {
	if len(m.timers) == 0 {
		return nil
	}
	return m.timers[int(arg)%len(m.timers)]
}

func (m *timerModel) insert(mt *modelTimer, when time.Duration) {
	m.made++
	mt.when, mt.made = when, m.made
	if !slices.Contains(m.timers, mt) {
		m.timers = append(m.timers, mt)
	}
	m.pending = append(m.pending, mt)
	slices.SortFunc(m.pending, func(a, b *modelTimer) int {
		return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.made, b.made))
	})
}

func (m *timerModel) remove(mt *modelTimer) bool {
	i := slices.Index(m.pending, mt)
	if i < 0 {
		return false
	}
	m.pending = slices.Delete(m.pending, i, i+1)
	return true
}

// stop ends mt on both sides, and compares what StopTimer says.
func (m *timerModel) stop(mt *modelTimer) {
	was := m.remove(mt)
	if mt.handle != nil {
		mt.handle.Cancel()
	} else if got := m.loop.StopTimer(&mt.timer); got != was {
		m.t.Errorf("StopTimer says %v, the timer was pending: %v", got, was)
	}
}

func (m *timerModel) fire(mt *modelTimer) {
	if now := m.loop.Time().Sub(m.start); now < mt.when {
		m.t.Errorf("a timer for %v ran at %v", mt.when, now)
	}
	m.ran = append(m.ran, mt)
}

// advance lets time pass, as far as the next timers at most, and compares what
// ran.
func (m *timerModel) advance(d time.Duration) {
	for limit := m.now + d; ; {
		m.ran = nil
		m.loop.RunOnce(limit - m.now)
		m.soon = false
		m.now = m.loop.Time().Sub(m.start)
		// Handles run in the turn, timers already while it is prepared.
		var wantTimers, want []*modelTimer
		for len(m.pending) > 0 && m.pending[0].when <= m.now {
			mt := m.pending[0]
			m.pending = m.pending[1:]
			if mt.handle == nil {
				wantTimers = append(wantTimers, mt)
			} else {
				want = append(want, mt)
			}
		}
		if want = append(wantTimers, want...); !slices.Equal(m.ran, want) {
			m.t.Fatalf("at %v: %d timers ran, want %d, or in another order", m.now, len(m.ran), len(want))
		}
		for _, mt := range want {
			if mt.cancels != nil {
				m.stop(mt.cancels)
			}
		}
		if m.now >= limit && len(want) == 0 {
			return
		}
	}
}

// check compares what the loop says will be next.
func (m *timerModel) check() {
	got, ok := m.loop.NextDeadline()
	if m.soon {
		if now := m.loop.Time(); !ok || !got.Equal(now) {
			m.t.Fatalf("the next deadline is %v, %v, want %v: something is ready", got, ok, now)
		}
		return
	}
	if len(m.pending) > 0 {
		if want := m.start.Add(m.pending[0].when); !ok || !got.Equal(want) {
			m.t.Fatalf("the next deadline is %v, %v, want %v", got, ok, want)
		}
		return
	}
	if ok {
		m.t.Fatalf("the next deadline is %v, want none", got)
	}
}
