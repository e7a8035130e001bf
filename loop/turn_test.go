// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"net"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// A counting poller counts the calls of Wait.
type counting struct {
	poll.Poller
	waits int
}

func (c *counting) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	c.waits++
	return c.Poller.Wait(done, d)
}

// A busy loop does not poll in every turn, because a poll is the most expensive part of a
// turn. Without an operation in flight, it does not call the poller.
func TestPollsOfBusyLoop(t *testing.T) {
	for _, c := range []struct {
		name        string
		inflight    int
		turns, wide int
		polls       int
	}{
		{"many turns of one step", 1, 3200, 1, 100},
		{"turns of many steps", 1, 20, 64, 20},
		{"turns of more steps", 1, 20, 200, 20},
		{"no operation in flight", 0, 3200, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			poller := &counting{Poller: virtual.New(virtual.Config{})}
			l := open(t, loop.Config{Poller: poller})
			for range c.inflight {
				submitAccept(t, l)
			}
			turns := 0
			var steps []loop.Entry
			add := func() {
				for _, s := range steps {
					l.Driver().Ready(s)
				}
			}
			for i := range c.wide {
				steps = append(steps, stepOf(func() {
					if i > 0 {
						return
					}
					if turns++; turns < c.turns {
						add()
					} else {
						l.Stop()
					}
				}))
			}
			add()
			l.Run()
			if poller.waits < c.polls-1 || poller.waits > c.polls+1 {
				t.Errorf("%d polls in %d turns of %d steps, want %d", poller.waits, turns, c.wide, c.polls)
			}
		})
	}
}

// submitAccept submits an operation that does not complete.
func submitAccept(t *testing.T, l *loop.Loop) {
	t.Helper()
	listener, err := l.Poller().Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Driver().Submit(&poll.Op{Kind: poll.Accept, Handle: listener})
}

// A due timer does not run before callbacks that are already ready. A poll queues completed
// operations, posts and timers in this order.
func TestOrderOfPoll(t *testing.T) {
	l := simulated(t)
	var ran notes
	l.CallAt(l.Time().Add(time.Second), ran.add("timer"))
	l.Run()
	ran.want(t, "alone", "timer")

	l.CallAt(l.Time().Add(time.Second), ran.add("timer"))
	l.CallLater(time.Second, func() {
		ran.add("first")()
		if _, err := l.CallSoonThreadsafe(ran.add("post")); err != nil {
			t.Error(err)
		}
		l.CallLater(0, ran.add("soon"))
	})
	l.Run()
	ran.want(t, "together", "timer first soon post")
}

func TestTake(t *testing.T) {
	l := simulated(t)
	var ran notes
	// chain runs a step and then, like a task that parks, the next step.
	chain := func(name string) func() {
		return func() {
			ran.add(name)()
			if e, ok := l.Driver().Take(); ok {
				ran.add("->")()
				e.Runner.Run()
			}
		}
	}
	l.Driver().Ready(stepOf(chain("a")))
	l.Driver().Ready(stepOf(chain("b")))
	l.CallSoon(ran.add("callback"))
	l.Driver().Ready(stepOf(chain("c")))
	l.Run()
	ran.want(t, "Take does not take callbacks", "a -> b callback c")

	l.Driver().Ready(stepOf(func() {
		l.Driver().Ready(stepOf(chain("e")))
		chain("d")()
	}))
	l.Run()
	ran.want(t, "Take ends a turn and begins the next", "d -> e")

	l.Driver().Ready(stepOf(func() {
		l.Driver().StartTimer(&loop.Timer{Target: waker(func() { l.Driver().Ready(stepOf(chain("timer"))) })}, l.Time().Add(time.Hour))
		chain("f")()
	}))
	l.Run()
	ran.want(t, "Take waits in the poller", "f -> timer")

	l.Driver().Ready(stepOf(func() {
		l.Stop()
		l.Driver().Ready(stepOf(chain("h")))
		chain("g")()
	}))
	if !l.Run() {
		t.Error("Run returned false after Stop")
	}
	ran.want(t, "Stop ends with the turn", "g")
	l.RunOnce(0)
	ran.want(t, "RunOnce is one turn", "h")

	l.Driver().Ready(stepOf(func() {
		l.Driver().Ready(stepOf(chain("j")))
		chain("i")()
	}))
	l.RunOnce(0)
	ran.want(t, "RunOnce is one turn for steps, too", "i")
	l.Run()
	ran.want(t, "afterwards", "j")
}

// If the poller belongs to one thread, Take does not poll.
func TestTakePinned(t *testing.T) {
	l := open(t, loop.Config{Poller: pinned{virtual.New(virtual.Config{})}})
	var ran notes
	l.Driver().Ready(stepOf(func() {
		l.Driver().Ready(stepOf(ran.add("next turn")))
		if _, ok := l.Driver().Take(); ok {
			t.Error("Take polled on the goroutine of a task")
		}
	}))
	l.Run()
	ran.want(t, "in the run", "next turn")
}

type pinned struct{ poll.Poller }

func (p pinned) Caps() poll.Caps { return p.Poller.Caps() | poll.Pinned }

func TestBeforePoll(t *testing.T) {
	l := simulated(t)
	looked := 0
	l.Driver().BeforePoll(func() {
		if looked++; looked == 1 {
			l.CallSoon(func() {}) // so the poll does not wait
		}
		if !l.Held() {
			t.Error("BeforePoll runs without the baton")
		}
	})
	l.RunOnce(-1)
	l.RunOnce(0)
	l.Driver().BeforePoll(nil)
	l.RunOnce(0)
	if looked != 2 {
		t.Errorf("the function of BeforePoll ran %d times before 2 polls", looked)
	}
}

// A host runs loops with NextDeadline and RunOnce. In this way, two loops can share a
// goroutine.
func TestDrivenFromOutside(t *testing.T) {
	a, b := simulated(t), simulated(t)
	var ran notes
	a.CallLater(2*time.Second, ran.add("a2"))
	a.CallLater(3*time.Second, ran.add("a3"))
	b.CallLater(1*time.Second, ran.add("b1"))
	b.CallLater(4*time.Second, func() { ran.add("b4")(); b.CallSoon(ran.add("b4+")) })
	for !a.Idle() || !b.Idle() {
		next := a
		ta, oka := a.NextDeadline()
		tb, okb := b.NextDeadline()
		if !oka || okb && tb.Before(ta) {
			next = b
		}
		next.RunOnce(-1)
	}
	ran.want(t, "in order of deadlines", "b1 a2 a3 b4 b4+")
}
