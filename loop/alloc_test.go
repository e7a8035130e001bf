// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"testing"
	"time"

	"baton/loop"
)

func TestAllocations(t *testing.T) {
	l := simulated(t)
	var timers [100]loop.Timer
	for i := range timers {
		timers[i].Target = waker(func() {})
	}
	fn, s := func() {}, stepOf(func() {})
	at := l.Time().Add(time.Hour)
	post := waker(func() {})
	for _, c := range []struct {
		name string
		most float64
		call func()
	}{
		{"CallSoon: the handle", 1, func() { l.CallSoon(fn); l.RunOnce(0) }},
		{"CallLater: the handle", 1, func() { l.CallLater(time.Hour, fn).Cancel() }},
		{"CallSoonThreadsafe: the handle", 1, func() { l.CallSoonThreadsafe(fn); l.RunOnce(0) }},
		{"Post", 0, func() { l.Driver().Post(post); l.RunOnce(0) }},
		{"a turn without steps", 0, func() { l.RunOnce(0) }},
		{"a step", 0, func() { l.Driver().Ready(s); l.RunOnce(0) }},
		{"timers started and stopped", 0, func() {
			for i := range timers {
				l.Driver().StartTimer(&timers[i], at.Add(time.Duration(i*31%100)))
			}
			for i := range timers {
				l.Driver().StopTimer(&timers[i])
			}
		}},
		{"timers that fire", 0, func() {
			now := l.Time()
			for i := range timers {
				l.Driver().StartTimer(&timers[i], now.Add(time.Duration(i*31%100)))
			}
			l.Run()
		}},
	} {
		if got := testing.AllocsPerRun(100, c.call); got > c.most {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.most)
		}
	}
}

func BenchmarkCallSoon(b *testing.B) {
	l := simulated(b)
	fn := func() {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if l.CallSoon(fn); i%64 == 63 {
			l.RunOnce(0)
		}
	}
}
