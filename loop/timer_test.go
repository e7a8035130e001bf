// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"baton/loop"
)

// A loop does not keep cancelled timers and timers that have fired in memory.
func TestTimersKeepNothingInMemory(t *testing.T) {
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
	start(300, time.Minute) // these fire
	l.RunOnce(time.Hour / 2)
	l.RunOnce(0)
	runtime.GC()
	for i, h := range gone {
		if h.Value() != nil {
			t.Fatalf("Handle %d is still in memory", i)
		}
	}
	if _, ok := l.NextDeadline(); !ok {
		t.Error("the loop has lost the last timer")
	}
}

// After a burst of timers, the heap gives its memory back.
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

// heap returns how many bytes of memory are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
