// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"baton/loop"
)

// What was cancelled or has run is held by nothing, however many timers are left
// and wherever it stood among them.
func TestTimersHoldNothing(t *testing.T) {
	l := simulated(t)
	var gone []weak.Pointer[loop.Handle]
	start := func(n int, d time.Duration) []*loop.Handle {
		var list []*loop.Handle
		for range n {
			h := l.CallLater(d, func() {})
			list, gone = append(list, h), append(gone, weak.Make(h))
		}
		return list
	}
	l.CallLater(time.Hour, func() {})
	cancelled := start(300, 2*time.Hour)
	for i := range cancelled {
		cancelled[i*7%300].Cancel()
	}
	start(300, time.Minute) // run
	l.RunOnce(time.Hour / 2)
	l.RunOnce(0)
	runtime.GC()
	for i, h := range gone {
		if h.Value() != nil {
			t.Fatalf("Handle %d is still in memory", i)
		}
	}
	if _, ok := l.NextDeadline(); !ok {
		t.Error("the loop has lost the timer that was left")
	}
}

// The memory of a burst goes back when the burst is over.
func TestTimersAfterBurst(t *testing.T) {
	l := simulated(t)
	before := heap()
	timers := make([]loop.Timer, 100_000)
	at := l.Time().Add(time.Hour)
	for i := range timers {
		timers[i].Target = waker(func() {})
		l.Driver().StartTimer(&timers[i], at.Add(time.Duration(i)))
	}
	during := heap()
	for i := range timers {
		l.Driver().StopTimer(&timers[i])
	}
	runtime.KeepAlive(timers)
	timers = nil
	if after := heap(); after-before > (during-before)/5 {
		t.Errorf("100,000 timers took %d bytes, and %d are left of them", during-before, after-before)
	}
	runtime.KeepAlive(l)
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
