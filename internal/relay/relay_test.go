// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/internal/relay"
	"baton/loop"
	"baton/loop/poll/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A job is what the runners of these tests run: a function that receives its worker.
type job struct {
	host *host
	name string
	fn   func(s *runner)
}

// Run begins the job, on the loop's own goroutine.
func (j *job) Run() { j.host.relay.Start(j) }

func (j *job) String() string { return j.name }

// A runner runs jobs.
type runner struct {
	relay.Worker
	job  *job
	host *host
}

func (s *runner) Take(first loop.Runner) { s.job = first.(*job); s.host = s.job.host }
func (s *runner) Idle()                  {}
func (s *runner) Task() fmt.Stringer     { return s.job }
func (s *runner) Name() string           { return s.job.name }
func (s *runner) Work()                  { s.job.fn(s) }

// park gives control away until wake is called. If wake was called before, the runner goes
// on when its entry is the next.
func (s *runner) park() {
	if way, ok := s.Leave(); ok {
		switch {
		case way.Next != nil:
			way.Next()
		case way.Yield != nil:
			way.Yield(struct{}{})
		default:
			<-way.Ch
		}
		s.Back()
	}
}

func (s *runner) wake() {
	s.host.driver.Ready(loop.Entry{Runner: &s.Worker, Step: true})
}

// A host is a loop with a relay.
type host struct {
	loop   *loop.Loop
	driver *loop.Driver
	relay  *relay.Relay
}

func (h *host) start(name string, fn func(s *runner)) {
	h.driver.Ready(loop.Entry{Runner: &job{h, name, fn}, Step: true})
}

// each runs a test for both ways of passing control. The loop runs until nothing is left
// to run, and then the relay is closed.
func each(t *testing.T, prepare func(t *testing.T, h *host)) {
	for name, coroutine := range map[string]bool{"channel": false, "coroutine": true} {
		t.Run(name, func(t *testing.T) {
			l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{})})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			h := &host{loop: l, driver: l.Driver()}
			h.relay = relay.New(l, coroutine, func() (*relay.Worker, relay.TaskRunner) {
				s := &runner{}
				return &s.Worker, s
			})
			prepare(t, h)
			l.Run()
			h.relay.Close()
		})
	}
}

func TestStepsRunInTheOrderOfTheQueue(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		var order strings.Builder
		for _, name := range []string{"a", "b", "c"} {
			h.start(name, func(s *runner) {
				for range 3 {
					order.WriteString(name)
					s.wake()
					s.park()
				}
			})
		}
		h.loop.CallSoon(func() { order.WriteString("-") })
		t.Cleanup(func() {
			if got := order.String(); got != "abc-abcabc" {
				t.Errorf("the order is %s, want abc-abcabc", got)
			}
		})
	})
}

func TestOwnStepNextSwitchesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		h.start("alone", func(s *runner) {
			for range 1000 {
				s.wake()
				if _, switches := s.Leave(); switches {
					t.Fatal("Leave returned true, want false: the own step is the next")
				}
			}
		})
	})
}

// More goroutines end than a relay keeps, while others run.
func TestMoreWorkersThanAreKept(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		const many = 3000
		ended := 0
		for range many {
			h.start("one of many", func(s *runner) {
				for range 2 {
					s.wake()
					s.park()
				}
				ended++
			})
		}
		h.start("afterwards", func(s *runner) {
			for ended < many {
				s.wake()
				s.park()
			}
			if n := runtime.NumGoroutine(); n > 1100 {
				t.Errorf("%d of %d goroutines are left, want at most 1100", n, many)
			}
		})
	})
}

func TestStackOfParkedWorker(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		var sleeper *runner
		h.start("sleeper", func(s *runner) { sleeper = s; sleeps(s) })
		h.start("asker", func(s *runner) {
			for range 3 {
				if stack := string(h.relay.Stack(&s.Worker, &sleeper.Worker)); !strings.Contains(stack, "relay_test.sleeps") {
					t.Errorf("the stack of the sleeper is %s", stack)
				}
			}
			if stack := string(h.relay.Stack(&s.Worker, &s.Worker)); strings.Contains(stack, "relay_test.sleeps") {
				t.Errorf("the stack of the caller itself is %s", stack)
			}
		})
		h.loop.CallSoon(func() {
			if stack := string(h.relay.Stack(nil, &sleeper.Worker)); !strings.Contains(stack, "relay_test.sleeps") {
				t.Errorf("in a callback, the stack of the sleeper is %s", stack)
			}
			if !h.loop.Held() {
				t.Error("the loop's own goroutine does not hold the baton after Stack")
			}
			sleeper.wake()
		})
	})
}

func sleeps(s *runner) { s.park() }

func TestNameOfTheHolder(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		for _, name := range []string{"a", "b"} {
			h.start(name, func(s *runner) {
				if got := h.relay.NameOf(h.driver.Holder().G()); got != name {
					t.Errorf("%s runs, but NameOf returns %q", name, got)
				}
				s.wake()
				s.park()
			})
		}
		h.loop.CallSoon(func() {
			if got := h.relay.NameOf(h.driver.Holder().G()); got != "" {
				t.Errorf("a callback runs, but NameOf returns %q", got)
			}
		})
	})
}

func TestCloseWithBusyWorkerPanics(t *testing.T) {
	each(t, func(t *testing.T, h *host) {
		h.start("parked", func(s *runner) {
			h.loop.CallSoon(func() {
				defer s.wake()
				defer func() {
					if recover() == nil {
						t.Error("Close did not panic")
					}
				}()
				h.relay.Close()
			})
			s.park()
		})
	})
}

// Jobs start others, wait for a wake-up by another job, and end, some by Goexit. Exactly
// one goroutine runs at a time: otherwise the race detector would report a race.
func TestRandomPrograms(t *testing.T) {
	for range 10 {
		seed := rand.Uint64()
		each(t, func(t *testing.T, h *host) {
			r := rand.New(rand.NewPCG(seed, 0))
			started, ended := 1, 0
			var waiting []*runner
			var work func(s *runner)
			work = func(s *runner) {
				defer func() { ended++ }()
				for range r.IntN(20) {
					switch n := r.IntN(10); {
					case n < 3 && started < 300:
						started++
						h.start("child", work)
					case n < 6:
						s.wake()
						s.park()
					case n == 6:
						waiting = append(waiting, s)
						s.park()
					case n == 7 && len(waiting) > 0:
						h.relay.Stack(&s.Worker, &waiting[r.IntN(len(waiting))].Worker)
					case len(waiting) > 0:
						waiting[0].wake()
						waiting = waiting[1:]
					}
				}
				if r.IntN(10) == 0 {
					runtime.Goexit()
				}
			}
			h.start("first", work)
			h.start("waker", func(s *runner) {
				for ended < started {
					for _, s := range waiting {
						s.wake()
					}
					waiting = nil
					s.wake()
					s.park()
				}
			})
			t.Cleanup(func() {
				if ended != started {
					t.Errorf("seed %[3]d: %[1]d of %[2]d jobs have ended", ended, started, seed)
				}
			})
		})
	}
}
