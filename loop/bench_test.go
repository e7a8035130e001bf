// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"baton/loop"
)

// BenchmarkTimer restarts timers among ten thousand others, as in a server whose
// connections all have a timeout.
func BenchmarkTimer(b *testing.B) {
	l := simulated(b)
	timers := make([]loop.Timer, 10_000)
	at := l.Time().Add(time.Hour)
	for i := range timers {
		timers[i].Target = waker(func() {})
		l.Driver().StartTimer(&timers[i], at.Add(time.Duration(i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Driver().StartTimer(&timers[i*7919%len(timers)], at.Add(time.Duration(i)))
	}
}

// BenchmarkLongestPoll measures the longest poll of a server whose connections have a
// timeout of 30 s. The connections restart their timers now and then, so that hardly any
// timer fires.
func BenchmarkLongestPoll(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(longestPoll(b, n))/float64(time.Millisecond), "ms/longest-poll")
			}
		})
	}
}

func longestPoll(b *testing.B, n int) (longest time.Duration) {
	const timeout = 30 * time.Second
	type connection struct {
		timer loop.Timer
		_     [200]byte
	}
	l := simulated(b)
	connections := make([]*connection, n)
	for i := range connections {
		connections[i] = &connection{timer: loop.Timer{Target: waker(func() {})}}
	}
	rand.Shuffle(n, func(i, j int) { connections[i], connections[j] = connections[j], connections[i] })
	start := l.Time()
	for i, c := range connections {
		l.Driver().StartTimer(&c.timer, start.Add(timeout+time.Duration(i)*time.Microsecond))
	}
	for next := 0; l.Time().Before(start.Add(2 * timeout)); {
		for range n/20_000 + 1 { // each timer every 20 s
			l.Driver().StartTimer(&connections[next%n].timer, l.Time().Add(timeout))
			next++
		}
		began := time.Now()
		l.RunOnce(time.Millisecond)
		longest = max(longest, time.Since(began))
	}
	return longest
}
