// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A SlowStep tells that a task or callback has held the baton for long. It is
// reported while it still does, once for each step.
type SlowStep struct {
	Loop  *Loop
	Step  string        // the String of the task whose step it is; empty for a callback, and if the step has ended meanwhile
	Held  time.Duration // at least; counted from the watchdog's first look at it
	Stack []byte        // of the goroutine that holds the baton; nil if it has gone on
}

// String is the report as the default OnSlow logs it.
func (s SlowStep) String() string {
	who := "a step"
	if s.Step != "" {
		who = s.Step
	}
	return fmt.Sprintf("loop: %s of %v has held the baton for %v; nothing else of this loop can run. "+
		"Move blocking or long work into await.Blocking.\n%s", who, s.Loop, s.Held.Round(time.Millisecond), s.Stack)
}

// The watchdog leaves a mark on the loop, a few times within the limit; the next
// step wipes it off. A mark that stays is a step that goes on. So no step reads
// a clock or counts anything, and the watchdog sleeps while the loop waits: it
// is armed only while turns run.
//
// It reads nothing of the loop but flags and the word, so it may run at any time,
// and what it says may be out of date by the moment it is read. Turned down: to
// measure every step, which costs two readings of the clock and tells only
// afterwards.
type watchdog struct {
	loop   *Loop
	start  sync.Once
	ticker ticker // made by start
	quit   chan struct{}
	ended  sync.WaitGroup
	name   atomic.Pointer[func(g uintptr) string] // of NameSteps, or nil

	resting atomic.Bool   // the loop waits in its poller
	asleep  atomic.Bool   // the watchdog has seen that and waits for rouse
	rouse   chan struct{} // capacity 1
}

// longUnpolled is how long a busy loop goes without asking its poller, as a rule.
// It counts turns and steps, and when those are long that may be any time; so the
// watchdog asks for a poll at every tick.
const longUnpolled = 10 * time.Millisecond

func newWatchdog(l *Loop) *watchdog {
	return &watchdog{loop: l, quit: make(chan struct{}), rouse: make(chan struct{}, 1)}
}

// holder names the step that has the mark. If the mark has gone meanwhile, the
// name may be that of a step that came later, and so is none.
func (d *watchdog) holder() string {
	name := d.name.Load()
	if name == nil {
		return ""
	}
	who := (*name)(d.loop.word.G())
	if d.loop.marks.Load()&dogMark == 0 {
		return ""
	}
	return who
}

// moved is called when a step begins, and when the last one has ended. It is
// nearly always a load and nothing else.
func (l *Loop) moved() {
	if l.marks.Load() != 0 {
		l.marks.Store(0)
	}
}

// rest and arm frame every wait of the loop; both are for the holder. A step
// that ends in a wait is no longer one, so its mark goes with rest.
func (d *watchdog) rest() {
	d.resting.Store(true)
	d.loop.moved()
}

// arm starts the watchdog's goroutine at the first run. After resting is taken
// back it looks for asleep; the watchdog sets asleep and then looks for resting
// (sleep). So one of the two sees the other, and no wake-up is lost.
func (d *watchdog) arm() {
	d.start.Do(d.begin)
	d.resting.Store(false)
	if d.asleep.Load() {
		select {
		case d.rouse <- struct{}{}:
		default:
		}
	}
}

func (d *watchdog) begin() {
	d.ticker = newTicker()
	d.ended.Go(d.watch)
}

// close waits for a report that is being made. The loop does not run.
func (d *watchdog) close() {
	close(d.quit)
	if d.ticker != nil {
		d.ticker.close()
	}
	d.ended.Wait()
}

// watch is the watchdog's goroutine. A step that goes on is marked within a
// tick of its beginning, and reported within a tick of having had its mark for
// the limit.
func (d *watchdog) watch() {
	const samples = 4 // within the limit, at least
	l, limit := d.loop, d.loop.cfg.SlowStep
	tick := max(min(limit/samples, longUnpolled), 1)
	d.ticker.start(tick)
	var since time.Time // when the mark was left
	reported := false   // the step that has not wiped it off
	for d.ticker.wait() {
		if d.idle() {
			if !d.sleep(tick) {
				return
			}
			l.moved() // what was seen before the wait means nothing now
			continue
		}
		l.overdue.Store(true)
		now := time.Now() // the tick may have waited for this goroutine
		if l.marks.Or(dogMark)&dogMark == 0 {
			since, reported = now, false
		} else if held := now.Sub(since); held >= limit && !reported {
			reported = true
			l.cfg.OnSlow(SlowStep{l, d.holder(), held, holderStack()})
		}
	}
}

// idle reports whether no step can be going on.
func (d *watchdog) idle() bool { return d.resting.Load() || !d.loop.running.Load() }

// sleep waits until the loop runs turns again; false means quit.
func (d *watchdog) sleep(tick time.Duration) bool {
	d.ticker.stop()
	d.asleep.Store(true)
	defer d.asleep.Store(false)
	for d.idle() {
		select {
		case <-d.rouse:
		case <-d.quit:
			return false
		}
	}
	d.ticker.start(tick)
	return true
}

// maxStacks bounds how much of the goroutines' stacks is read.
const maxStacks = 64 << 20

// holderStack returns the stacks of the goroutines that may be the one holding
// a baton: those of Baton that are not parked in a hand-over or inside a poll.
// With one loop that is one.
func holderStack() []byte {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < maxStacks { // cut off
		buf = make([]byte, 2*n)
		n = runtime.Stack(buf, true)
	}
	var held []string
	for g := range strings.SplitSeq(string(buf[:n]), "\n\n") {
		ours := strings.Contains(g, "\nbaton/task.(*worker).main(") || strings.Contains(g, "\nbaton/loop.(*Loop).run(")
		if ours && !parked(g) {
			held = append(held, g)
		}
	}
	if held == nil {
		return nil
	}
	return []byte(strings.Join(held, "\n\n"))
}

// parked reports whether the goroutine with this stack has passed the baton on,
// or waits in the poller. A WaitQueue passes it on by itself, for speed; what
// it calls besides is short.
//
// Only the frames above the first one of somebody else's count. Below it there
// may be a hand-over or a poll that is no wait: one that called back, as a
// Waker's, or that a Goexit has come through (task's Coroutine serves tasks on
// top of it).
func parked(stack string) bool {
	above, ours := "", true // the frame above, and whether all are of a hand-over
	for line := range strings.Lines(stack) {
		if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "goroutine ") {
			continue // where, and the head line
		}
		switch {
		case strings.HasPrefix(line, "baton/loop.(*Loop).poll("):
			return strings.Contains(above, ".Wait(") // the poller's
		case strings.HasPrefix(line, "baton/task.(*WaitQueue).Wait("),
			strings.HasPrefix(line, "baton/task.(") && strings.Contains(line, ").pass("):
			return ours
		}
		above = line
		ours = ours && (strings.HasPrefix(line, "baton/task.") || strings.HasPrefix(line, "iter.") || strings.HasPrefix(line, "runtime."))
	}
	return false
}
