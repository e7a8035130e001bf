// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll/portable"
)

const slow = 20 * time.Millisecond

// watched makes a loop whose watchdog sends its reports to the channel.
func watched(t *testing.T, limit time.Duration) (*loop.Loop, chan loop.SlowStep) {
	reports := make(chan loop.SlowStep, 100)
	return open(t, loop.Config{SlowStep: limit, OnSlow: func(s loop.SlowStep) { reports <- s }}), reports
}

// spin holds the baton until there is a report.
func spin(reports <-chan loop.SlowStep) loop.SlowStep {
	for {
		select {
		case s := <-reports:
			return s
		default:
			runtime.Gosched()
		}
	}
}

// witness returns after the watchdog of another loop has reported a slow step and begun to
// look at the next one. In this time, any watchdog with the same limit would have reported
// a slow step.
func witness(t *testing.T) {
	var other sync.WaitGroup
	l, reports := watched(t, slow)
	other.Go(func() {
		for range 2 {
			l.CallSoon(func() { spin(reports) })
		}
		l.Run()
	})
	other.Wait()
}

func spinningCallback(l *loop.Loop, t *testing.T, reports chan loop.SlowStep) func() {
	return func() {
		s := spin(reports)
		if s.Loop != l || s.Held < slow {
			t.Errorf("the report is about %v, held for %v", s.Loop, s.Held)
		}
		if !bytes.Contains(s.Stack, []byte("spinningCallback")) || !strings.Contains(s.String(), "spinningCallback") {
			t.Errorf("the stack does not contain spinningCallback:\n%v", s)
		}
		if n := bytes.Count(s.Stack, []byte("loop.(*Loop).run(")); n != 1 {
			t.Errorf("the stack contains %d loops:\n%s", n, s.Stack)
		}
		// The step goes on for as long again, and is not reported again.
		witness(t)
		if len(reports) > 0 {
			t.Errorf("a step was reported twice:\n%v", <-reports)
		}
	}
}

func TestSlowCallback(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	l.CallSoon(spinningCallback(l, t, reports))
	l.CallSoon(func() {}) // not slow
	l.CallSoon(spinningCallback(l, t, reports))
	l.CallLater(time.Millisecond, spinningCallback(l, t, reports))
	l.Run()
}

func TestSlowStepOfTask(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	l.Driver().Ready(stepOf(spinningCallback(l, t, reports)))
	l.Driver().Ready(stepOf(func() {
		l.Driver().Ready(stepOf(func() {}))
		if e, ok := l.Driver().Take(); ok { // as a task that parks does
			e.Runner.Run()
		}
		spinningCallback(l, t, reports)()
	}))
	l.Run()
}

// A spinner is a Waker that holds the baton during a poll.
type spinner func()

func (s spinner) Wake() { s() }

// The watchdog also reports a Waker that is slow: the loop polls then, but does not wait.
func TestSlowWaker(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	timer := &loop.Timer{Target: spinner(spinningCallback(l, t, reports))}
	l.Driver().StartTimer(timer, l.Time())
	l.Run()
}

// The watchdog reports a callback that blocks.
func TestBlockedCallback(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	var blocked sync.WaitGroup
	blocked.Add(1)
	stack := make(chan []byte, 1)
	go func() {
		s := <-reports
		stack <- s.Stack
		blocked.Done()
	}()
	l.CallSoon(func() { blocked.Wait() })
	l.Run()
	if s := <-stack; !bytes.Contains(s, []byte("TestBlockedCallback")) {
		t.Errorf("the stack does not contain TestBlockedCallback:\n%s", s)
	}
}

// If two loops are slow at the same time, each report has the stack of its own loop.
func TestTwoSlowCallbacks(t *testing.T) {
	guard(t)
	var both, loops sync.WaitGroup
	both.Add(2)
	stacks := make([]loop.SlowStep, 2)
	hold := func(reports chan loop.SlowStep, s *loop.SlowStep) {
		*s = spin(reports)
		both.Done()
		both.Wait()
	}
	first := func(reports chan loop.SlowStep) { hold(reports, &stacks[0]) }
	second := func(reports chan loop.SlowStep) { hold(reports, &stacks[1]) }
	for _, fn := range []func(chan loop.SlowStep){first, second} {
		l, reports := watched(t, slow)
		loops.Go(func() {
			l.CallSoon(func() { fn(reports) })
			l.Run()
		})
	}
	loops.Wait()
	for i, own := range []string{"TestTwoSlowCallbacks.func2(", "TestTwoSlowCallbacks.func3("} {
		if s := stacks[i].Stack; !bytes.Contains(s, []byte(own)) || bytes.Count(s, []byte("loop.(*Loop).run(")) != 1 {
			t.Errorf("the report of loop %d does not contain %s, or contains another loop:\n%s", i+1, own, s)
		}
	}
}

// If the slow step ends while the watchdog asks for its name, the report does not name the
// next step.
func TestStepEndsDuringReport(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	asked, next := make(chan bool, 100), make(chan bool)
	l.Driver().NameSteps(func(uintptr) string {
		asked <- true // more than once if the next step is slow, too
		<-next
		return "the next step"
	})
	l.CallSoon(func() { <-asked })
	var s loop.SlowStep
	l.CallSoon(func() {
		close(next)
		s = spin(reports)
	})
	l.Run()
	if s.Held < slow || s.Step != "" || s.Stack != nil {
		t.Errorf("held for %v by %q:\n%s", s.Held, s.Step, s.Stack)
	}
}

// Goroutines that a callback starts inherit the loop's pprof label. Their stacks are not
// reported.
func TestSlowStepWithChildGoroutine(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	var child sync.WaitGroup
	stop := make(chan bool, 1)
	l.CallSoon(func() {
		child.Go(func() {
			for len(stop) == 0 {
				runtime.Gosched()
			}
		})
		spinningCallback(l, t, reports)()
	})
	l.Run()
	stop <- true
	child.Wait()
}

// The watchdog does not report a loop that waits, whether inside or outside Run.
func TestWaitingIsNotSlow(t *testing.T) {
	guard(t)
	l, reports := watched(t, slow)
	l.Run() // the watchdog is awake now
	witness(t)
	var other sync.WaitGroup
	running := make(chan struct{})
	other.Go(func() {
		<-running
		witness(t)
		l.CallSoonThreadsafe(func() {})
		witness(t)
		l.CallSoonThreadsafe(l.Stop)
	})
	l.CallSoon(func() { close(running) })
	l.RunForever()
	other.Wait()
	l.RunOnce(2 * slow)
	if len(reports) > 0 {
		t.Errorf("a loop that waits was reported:\n%v", <-reports)
	}
}

// The watchdog does not report many short steps, even in one turn. If the machine stops for
// as long as the limit, a report is correct, and the test ignores it.
func TestBusyIsNotSlow(t *testing.T) {
	guard(t)
	const limit = 100 * time.Millisecond
	for _, c := range []struct {
		name string
		add  func(l *loop.Loop, fn func())
	}{
		{"callbacks", func(l *loop.Loop, fn func()) { l.CallSoon(fn) }},
		{"steps", func(l *loop.Loop, fn func()) { l.Driver().Ready(stepOf(fn)) }},
		{"steps handed over", func(l *loop.Loop, fn func()) {
			l.Driver().Ready(stepOf(func() {
				fn()
				if e, ok := l.Driver().Take(); ok { // as a task that parks does
					e.Runner.Run()
				}
			}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, reports := watched(t, limit)
			start := time.Now()
			last, longest := start, time.Duration(0)
			for range 2000 {
				c.add(l, func() {
					now := time.Now()
					longest = max(longest, now.Sub(last))
					for last = now; time.Since(now) < 200*time.Microsecond; {
						runtime.Gosched()
					}
				})
			}
			l.RunOnce(0)
			if took := time.Since(start); took < 3*limit {
				t.Fatalf("the turn took only %v", took)
			}
			if len(reports) > 0 && longest < limit {
				t.Errorf("no step took longer than %v, but:\n%v", longest, <-reports)
			}
		})
	}
}

// Without OnSlow, reports are logged.
func TestSlowLogged(t *testing.T) {
	guard(t)
	var printed lockedBuffer
	defer setLog(&printed)()
	l := open(t, loop.Config{SlowStep: slow})
	l.CallSoon(func() {
		for !strings.Contains(printed.String(), "TestSlowLogged") {
			runtime.Gosched()
		}
	})
	l.Run()
}

// With a negative SlowStep, there is no watchdog.
func TestNoWatchdog(t *testing.T) {
	guard(t)
	reports := 0
	l := open(t, loop.Config{SlowStep: -1, OnSlow: func(loop.SlowStep) { reports++ }})
	l.CallSoon(func() { witness(t) })
	l.Run()
	if reports > 0 {
		t.Error("a watchdog that is switched off reported")
	}
}

// If steps are long, the watchdog makes the loop poll before 32 turns have passed.
func TestPollsBetweenLongSteps(t *testing.T) {
	poller := &counting{Poller: portable.New(portable.Config{})}
	l := open(t, loop.Config{Poller: poller, SlowStep: time.Hour})
	submitAccept(t, l)
	turns := 0
	var long loop.Entry
	long = stepOf(func() {
		for start := time.Now(); time.Since(start) < 50*time.Millisecond; {
			runtime.Gosched()
		}
		if turns++; turns < 30 && poller.waits == 0 {
			l.Driver().Ready(long)
			return
		}
		l.Stop()
	})
	l.Driver().Ready(long)
	l.Run()
	if turns == 30 {
		t.Error("no poll in 30 turns of 50 ms each")
	}
}
