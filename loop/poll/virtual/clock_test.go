// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// bothClocks runs a test with both clocks: the poller's and that of a bubble.
func bothClocks(t *testing.T, test func(t *testing.T, config virtual.Config)) {
	t.Run("own", func(t *testing.T) { test(t, virtual.Config{}) })
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, virtual.Config{Bubble: true}) })
	})
}

func TestClockStartsAtStart(t *testing.T) {
	start := time.Date(2026, time.November, 22, 18, 0, 0, 1, time.UTC)
	if now := newWorld(t, virtual.Config{Start: start}).Now(); !now.Equal(start) {
		t.Errorf("Now = %v, want %v", now, start)
	}
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		if now := newWorld(t, config).Now(); !now.Equal(epoch) {
			t.Errorf("Now = %v, want %v", now, epoch)
		}
	})
}

// If the times of this world had a monotonic reading, they could not be compared with parsed or
// computed times.
func TestStartHasNoMonotonicReading(t *testing.T) {
	w := newWorld(t, virtual.Config{Start: time.Now()})
	if now := w.Now(); now != now.Round(0) {
		t.Errorf("Now = %v has a monotonic reading", now)
	}
}

func TestWaitAdvancesClockExactly(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		w := newWorld(t, config)
		want := epoch
		for _, d := range []time.Duration{1, 0, time.Nanosecond, 999, time.Microsecond, time.Hour, 240000 * time.Hour} {
			w.mustReport(d)
			if want = want.Add(d); !w.Now().Equal(want) {
				t.Fatalf("after Wait(%v) Now = %v, want %v", d, w.Now(), want)
			}
		}
	})
}

func TestWaitOfLongestDuration(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	for range 3 {
		before := w.Now()
		w.Wait(nil, 1<<63-1)
		if !w.Now().After(before) {
			t.Fatalf("Now = %v after waiting for 292 years from %v", w.Now(), before)
		}
	}
}

func TestWakesBeforeWaitEndOneWait(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		w := newWorld(t, config)
		w.Wake()
		w.Wake()
		w.mustReport(time.Hour)
		if !w.Now().Equal(epoch) {
			t.Errorf("Wait advanced the clock to %v in spite of a pending Wake", w.Now())
		}
		w.mustReport(time.Hour)
		if moved := w.Now().Sub(epoch); moved != time.Hour {
			t.Errorf("the clock moved by %v, want 1h: two Wakes count as one", moved)
		}
	})
}

func TestWaitWithResultsConsumesWake(t *testing.T) {
	w := newWorld(t, virtual.Config{})
	client, server := w.pair(tcp("127.0.0.1:0"))
	reading := w.mustWait(read(client, 1))
	w.mustFinish(write(server, "x"), nil)
	w.Wake()
	w.mustReport(time.Hour, reading)
	w.mustReport(time.Hour)
	if moved := w.Now().Sub(epoch); moved != time.Hour {
		t.Errorf("the clock moved by %v, want 1h: the first Wait has consumed the Wake", moved)
	}
}

func TestWakeEndsWaitWithoutLimit(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		w := newWorld(t, config)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Wake()
		}()
		w.mustReport(-1)
		<-done
		if !w.Now().Equal(epoch) {
			t.Errorf("Now = %v, want %v: no time must pass", w.Now(), epoch)
		}
	})
}

// In a bubble another goroutine may wake the loop during a wait.
func TestWakeInBubbleEndsWaitEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, virtual.Config{Bubble: true})
		time.AfterFunc(time.Minute, w.Wake)
		w.mustReport(time.Hour)
		if moved := w.Now().Sub(epoch); moved != time.Minute {
			t.Errorf("the clock moved by %v, want 1m", moved)
		}
		w.mustReport(time.Hour)
		if moved := w.Now().Sub(epoch); moved != time.Hour+time.Minute {
			t.Errorf("the clock moved by %v, want 1h1m", moved)
		}
	})
}

// Wait returns at each event.
func TestWaitReturnsAtEachEvent(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		delays := map[string]time.Duration{"a": 3 * time.Hour, "b": time.Hour, "c": time.Hour, "d": 2 * time.Hour}
		config.LookupDelay = func(host string) time.Duration { return delays[host] }
		config.Hosts = map[string][]netip.Addr{}
		for host := range delays {
			config.Hosts[host] = []netip.Addr{netip.IPv6Loopback()}
		}
		w := newWorld(t, config)
		ops := make(map[string]*poll.Op)
		for _, host := range []string{"a", "b", "c", "d"} {
			ops[host] = w.mustWait(&poll.Op{Kind: poll.Lookup, Network: "ip", Host: host})
		}
		for _, step := range []struct {
			wait time.Duration
			want []*poll.Op
			now  time.Duration
		}{
			{0, nil, 0},
			{30 * time.Minute, nil, 30 * time.Minute},
			{time.Hour, []*poll.Op{ops["b"], ops["c"]}, time.Hour},
			{-1, []*poll.Op{ops["d"]}, 2 * time.Hour},
			{time.Hour, []*poll.Op{ops["a"]}, 3 * time.Hour},
			{time.Hour, nil, 4 * time.Hour},
		} {
			w.mustReport(step.wait, step.want...)
			if moved := w.Now().Sub(epoch); moved != step.now {
				t.Fatalf("after Wait(%v) the clock has moved by %v, want %v", step.wait, moved, step.now)
			}
		}
	})
}

// Cancelled events leave the others in order, wherever they are in the heap.
func TestCancelKeepsOrderOfOtherEvents(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var delay time.Duration
		w := newWorld(t, virtual.Config{Dial: func(net.Addr) (time.Duration, error) { return delay, nil }})
		due := make(map[time.Duration]*poll.Op)
		for _, n := range random.Perm(40) {
			delay = time.Duration(n + 1)
			due[delay] = w.mustWait(&poll.Op{Kind: poll.Connect, Addr: tcp("127.0.0.1:1")})
		}
		for _, n := range random.Perm(40)[:20] {
			op := due[time.Duration(n+1)]
			delete(due, time.Duration(n+1))
			w.Cancel(op)
			w.mustReport(0, op)
		}
		for _, at := range slices.Sorted(maps.Keys(due)) {
			w.mustReport(-1, due[at])
			if moved := w.Now().Sub(epoch); moved != at {
				t.Fatalf("seed %d: the event of %d ns came at %d ns", seed, at, moved)
			}
		}
	}
}

// The clock of a bubble also advances outside Wait.
func TestBubbleClockAdvancesOutsideWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, virtual.Config{
			Bubble:      true,
			LookupDelay: func(string) time.Duration { return time.Minute },
		})
		op := w.mustWait(&poll.Op{Kind: poll.Lookup, Network: "ip", Host: "localhost"})
		<-time.After(time.Hour)
		w.mustReport(0, op)
	})
}

func TestCallsAfterClose(t *testing.T) {
	bothClocks(t, func(t *testing.T, config virtual.Config) {
		w := newWorld(t, config)
		client, _ := w.pair(tcp("127.0.0.1:0"))
		reading := w.mustWait(read(client, 1))
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		}
		w.Wake()
		w.Cancel(reading)
		w.mustReport(-1)
		w.mustFinish(read(client, 1), net.ErrClosed)
		w.mustFinish(&poll.Op{Kind: poll.Lookup, Host: "localhost"}, net.ErrClosed)
		if _, err := w.Listen(tcp("127.0.0.1:0"), poll.ListenOptions{}); err == nil {
			t.Error("Listen of a closed poller succeeded")
		}
		if err := client.Close(); err != net.ErrClosed {
			t.Errorf("Close of a handle of a closed poller = %v, want net.ErrClosed", err)
		}

		// Another poller accepts the dropped operation.
		w = newWorld(t, config)
		reading.Handle, _ = w.pair(tcp("127.0.0.1:0"))
		w.mustWait(reading)
	})
}
