// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// FuzzTimers runs one script on a loop's timers and on a sorted list of the same timers.
// After every instruction, both must agree on which timers ran, in which order and when,
// and on the next deadline.
func FuzzTimers(f *testing.F) {
	f.Add([]byte{0, 5, 0, 3, 0, 5, 3, 0, 1, 1, 3, 9})
	f.Add([]byte{0, 0, 0, 7, 2, 0, 4, 2, 1, 3, 2, 3, 0, 3, 255})
	f.Add([]byte{5, 3, 0, 4, 5, 3, 3, 2, 3, 2, 1, 0, 3, 9, 3, 9, 3, 9})
	f.Add(heapScript())
	f.Add(sortedScript())
	f.Add(farScript())
	f.Fuzz(play)
}

// TestTimersRandomly is FuzzTimers with many timers and random instructions.
func TestTimersRandomly(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		var script []byte
		for range 200 {
			script = append(script, 10, byte(r.IntN(256)))
		}
		for range 200 {
			script = append(script, byte(r.IntN(11)), byte(r.IntN(256)))
		}
		t.Logf("seed %d", seed)
		play(t, script)
		if t.Failed() {
			return
		}
	}
}

// play runs a script, and then all timers that are left.
func play(t *testing.T, script []byte) {
	m := &timerModel{t: t}
	m.clock.Poller = virtual.New(virtual.Config{})
	m.loop = open(t, loop.Config{Poller: &m.clock})
	m.start = m.loop.Time()
	for len(script) >= 2 {
		m.instruction(script[0]%11, script[1])
		script = script[2:]
	}
	for len(m.pending) > 0 {
		m.advance(max(m.pending[0].when, m.now) - m.now)
	}
	m.advance(0)
	if len(m.pending) > 0 || !m.loop.Idle() {
		t.Errorf("%d timers are left; the loop is idle: %v", len(m.pending), m.loop.Idle())
	}
}

// heapScript has several hundred timers. It stops the first timer again and again, adds and
// stops other timers, and lets time pass.
func heapScript() []byte {
	var script []byte
	for i := range byte(200) {
		script = append(script, 6+i%2, 160+i%4)
	}
	for i := range byte(50) {
		script = append(script, 1, i*4)
	}
	for i := range byte(250) {
		script = append(script, 7, 163-i%4, 1, i*37, 2, i*7)
	}
	for i := range byte(60) {
		script = append(script, 8, 150+i%16, 1, i*7, 5, i*91, 4, i*13, 3, i%4)
	}
	return script
}

// sortedScript starts timers in random order, and stops half of them in random order. It
// then stops the rest from the first to the last, without letting time pass. A timer in a
// wrong place of the heap would be found when it becomes the first.
func sortedScript() []byte {
	var script []byte
	r := rand.New(rand.NewPCG(5, 6))
	later := make([]byte, 256)
	for i := range later {
		later[i] = byte(r.IntN(256))
		script = append(script, 10, later[i])
	}
	sorted := r.Perm(256)
	half := slices.Clone(sorted[:128])
	slices.SortFunc(sorted, func(a, b int) int {
		return cmp.Or(cmp.Compare(later[a], later[b]), cmp.Compare(a, b))
	})
	for _, i := range slices.Concat(sorted[:4], half, sorted) {
		script = append(script, 1, byte(i))
	}
	return script
}

// farScript has timers and times of every magnitude.
func farScript() []byte {
	var script []byte
	for i := range byte(240) {
		script = append(script, 6, i, 7, i*3, 0, i, 4, i*7, 2, i*5)
	}
	for i := range byte(190) {
		script = append(script, 8, i, 1, i*17, 7, i*5)
	}
	return script
}

// A timerModel is a loop, and a model of what it should do.
type timerModel struct {
	t       *testing.T
	loop    *loop.Loop
	clock   lateClock
	start   time.Time
	now     time.Duration // on the loop's clock
	timers  []*modelTimer
	pending []*modelTimer // sorted
	ran     []*modelTimer
	stopped []bool // what StopTimer returned when timers called it
	made    int    // the number of starts; orders timers with the same time
	soon    bool   // something is ready
}

type modelTimer struct {
	when time.Duration
	made int

	handle *loop.Handle // set for a CallAt
	timer  loop.Timer   // used otherwise; can be restarted

	cancels *modelTimer // the timer that this one cancels when it fires
}

// instruction runs one instruction on the loop and on the model.
func (m *timerModel) instruction(op, arg byte) {
	switch op {
	case 0:
		m.callAt(m.now + time.Duration(arg))
	case 1:
		if mt := m.pick(arg); mt != nil {
			m.stop(mt)
		}
	case 2: // one timer will cancel another one
		if mt := m.pick(arg); mt != nil {
			mt.cancels = m.pick(arg / 2)
		}
	case 3:
		m.advance(time.Duration(arg))
	case 4:
		if mt := m.pick(arg); mt != nil && mt.handle == nil {
			m.remove(mt)
			m.startAt(mt, m.now+time.Duration(arg))
		}
	case 5: // the time may have passed, or be so early that the difference overflows
		when := m.now + time.Duration(arg) - 8
		if arg == 255 {
			when = math.MinInt64
		}
		m.startAt(m.timer(), when)
	case 6:
		m.callAt(m.now + span(arg))
	case 7:
		m.startAt(m.timer(), m.now+span(arg))
	case 8:
		m.advance(min(span(arg), 1<<48)) // limited, so that no script reaches the end of the clock
	case 9: // as after a long callback, or after the machine slept
		m.clock.late += min(span(arg), 1<<48)
		m.advance(0)
	case 10: // times of one magnitude, in any order
		m.startAt(m.timer(), m.now+time.Hour+time.Duration(arg)*time.Millisecond)
	}
	m.check()
}

// A lateClock is a clock that jumps, and that may also jump past the time that the loop
// waits for.
type lateClock struct {
	poll.Poller
	late time.Duration
}

func (c *lateClock) Now() time.Time { return c.Poller.Now().Add(c.late) }

// span returns a duration of any magnitude, up to 64 years: arg has two bits of precision
// and six bits of exponent.
func span(arg byte) time.Duration {
	return time.Duration(4+arg%4) << min(arg/4, 60) >> 2
}

func (m *timerModel) callAt(when time.Duration) {
	mt := &modelTimer{}
	mt.handle = m.loop.CallAt(m.start.Add(when), func() { m.fire(mt) })
	m.insert(mt, when)
	m.soon = m.soon || when <= m.now
}

func (m *timerModel) timer() *modelTimer {
	mt := &modelTimer{}
	mt.timer.Target = waker(func() { m.fire(mt) })
	return mt
}

func (m *timerModel) startAt(mt *modelTimer, when time.Duration) {
	m.loop.Driver().StartTimer(&mt.timer, m.start.Add(when))
	m.insert(mt, when)
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

// stop stops mt in the loop and in the model, and compares the results.
func (m *timerModel) stop(mt *modelTimer) {
	was := m.remove(mt)
	if mt.handle != nil {
		mt.handle.Cancel()
	} else if got := m.loop.Driver().StopTimer(&mt.timer); got != was {
		m.t.Errorf("StopTimer returned %v, want %v", got, was)
	}
}

// fire is called by every timer and callback that runs. It may cancel another timer, which
// may be due in the same poll.
func (m *timerModel) fire(mt *modelTimer) {
	if now := m.loop.Time().Sub(m.start); now < mt.when {
		m.t.Errorf("a timer for %v ran at %v", mt.when, now)
	}
	m.ran = append(m.ran, mt)
	switch c := mt.cancels; {
	case c == nil:
	case c.handle != nil:
		c.handle.Cancel()
	default:
		m.stopped = append(m.stopped, m.loop.Driver().StopTimer(&c.timer))
	}
}

// advance lets time pass, in steps that end at the next timer at the latest, and checks
// which timers ran.
func (m *timerModel) advance(d time.Duration) {
	for limit := m.now + d; ; {
		m.ran, m.stopped = nil, nil
		m.loop.RunOnce(max(limit-m.now, 0))
		m.soon = false
		m.now = m.loop.Time().Sub(m.start)
		want, stopped := m.due()
		if !slices.Equal(m.ran, want) {
			m.t.Fatalf("at %v: %d timers ran, want %d, or they ran in the wrong order", m.now, len(m.ran), len(want))
		}
		if !slices.Equal(m.stopped, stopped) {
			m.t.Fatalf("at %v: StopTimer returned %v, want %v", m.now, m.stopped, stopped)
		}
		if m.now >= limit && len(want) == 0 {
			return
		}
	}
}

// due returns the timers that should run now, and what StopTimer should return to them.
// Timers fire during the poll; callbacks run in the turn after it.
func (m *timerModel) due() (ran []*modelTimer, stopped []bool) {
	var ready []*modelTimer
	run := func(mt *modelTimer) {
		ran = append(ran, mt)
		c := mt.cancels
		if c == nil {
			return
		}
		was := m.remove(c)
		if c.handle == nil {
			stopped = append(stopped, was)
		}
		if i := slices.Index(ready, c); i >= 0 {
			ready = slices.Delete(ready, i, i+1)
		}
	}
	for len(m.pending) > 0 && m.pending[0].when <= m.now {
		mt := m.pending[0]
		m.pending = m.pending[1:]
		if mt.handle == nil {
			run(mt)
		} else {
			ready = append(ready, mt)
		}
	}
	for len(ready) > 0 {
		mt := ready[0]
		ready = ready[1:]
		run(mt)
	}
	return ran, stopped
}

// check compares the next deadline of the loop with the model.
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
