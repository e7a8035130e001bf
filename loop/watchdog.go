// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A SlowStep tells that a task or callback has held the baton for long. It is
// reported while it still does, once for each step.
type SlowStep struct {
	Loop *Loop
	Step string        // the String of the task whose step it is; empty for a callback, and if the step has ended meanwhile
	Held time.Duration // at least; counted from the watchdog's first look at it

	// Stack is that of the goroutine that holds the baton. It is nil if the step has
	// ended meanwhile, and if the goroutine was not found: its stack is deeper than
	// 128 calls, or it has lost its pprof label (see Config.SlowStep).
	Stack []byte
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
	labels context.Context // has the label of the loop's goroutines
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
			who, stack := d.blame()
			l.cfg.OnSlow(SlowStep{l, who, held, stack})
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

// labelKey is the key of the pprof label by which the watchdog finds the goroutines
// of its loop in a profile. The value is the loop's number.
const labelKey = "baton.loop"

// blame returns the name of the task whose step has the mark, and the stack of its
// goroutine. If the step ends meanwhile, what blame has found may belong to a later
// step. So blame drops what it has found if the mark is gone by then.
func (d *watchdog) blame() (who string, stack []byte) {
	if name := d.name.Load(); name != nil {
		who = (*name)(d.loop.word.G())
	}
	if d.loop.marks.Load()&dogMark == 0 {
		return "", nil
	}
	if stack = d.stack(); d.loop.marks.Load()&dogMark == 0 {
		return who, nil
	}
	return who, stack
}

// stack returns the stack of the goroutine that holds the baton, or nil. It looks
// for the only goroutine that has the loop's label, runs the loop or its tasks, and
// is not parked in a hand-over.
//
// The goroutine profile is a consistent snapshot that stops the world for less than
// a millisecond as a rule; runtime.Stack of 100,000 goroutines stops it for seconds.
// In its text form, goroutines with the same labels and calls share one record.
func (d *watchdog) stack() []byte {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return nil
	}
	label := fmt.Sprintf("%q:\"%d\"", labelKey, d.loop.id)
	var found [][]byte
	_, records, _ := strings.Cut(profile.String(), "\n") // the total comes first
	for record := range strings.SplitSeq(records, "\n\n") {
		calls, rest, _ := strings.Cut(record, "\n")
		labels, _, _ := strings.Cut(rest, "\n")
		calls, alone := strings.CutPrefix(calls, "1 @ ")
		if alone && strings.HasPrefix(labels, "# labels:") && strings.Contains(labels, label) {
			if stack := holding(calls); stack != nil {
				found = append(found, stack)
			}
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// holding returns the stack with these program counters, the innermost call first.
// It returns nil if the goroutine is parked in a hand-over, or runs neither a loop
// nor tasks: a goroutine that a task starts inherits the label.
func holding(calls string) []byte {
	var pcs []uintptr
	for call := range strings.FieldsSeq(calls) {
		pc, _ := strconv.ParseUint(call, 0, 64)
		pcs = append(pcs, uintptr(pc))
	}
	module := strings.TrimSuffix(reflect.TypeFor[Loop]().PkgPath(), "loop")
	var stack []byte
	ours := false
	frames := runtime.CallersFrames(pcs)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if stack == nil && (strings.HasPrefix(f.Function, "runtime.") || strings.HasPrefix(f.Function, "iter.")) {
			continue // below the call that waits, or was interrupted
		}
		name := strings.TrimPrefix(f.Function, module)
		switch {
		case stack == nil && (strings.HasPrefix(name, "internal/relay.") || name == "task.(*Ref).park" || name == "task.(*WaitQueue).Wait"):
			return nil // parked
		case name == "internal/relay.(*Worker).main" || name == "loop.(*Loop).run":
			ours = true
		}
		stack = fmt.Appendf(stack, "%s(...)\n\t%s:%d\n", f.Function, f.File, f.Line)
	}
	if !ours {
		return nil
	}
	return stack
}
