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

// A SlowStep reports that a task or callback has held the baton for long. The watchdog
// reports each such step once, while the step still runs.
type SlowStep struct {
	Loop *Loop // the loop of the step

	// Step is the String of the step's task. Step is empty for a callback, or if the step
	// has ended meanwhile.
	Step string

	// Held is how long the step has held the baton, counted from when the watchdog first saw
	// the step.
	Held time.Duration

	// Stack is the stack of the goroutine that holds the baton. Stack is nil if the step
	// has ended meanwhile, or if the watchdog did not find the goroutine: its stack is
	// deeper than 128 calls, or it has lost its pprof label (see Config.SlowStep).
	Stack []byte
}

// String returns the report that the default OnSlow logs.
func (s SlowStep) String() string {
	who := "a step"
	if s.Step != "" {
		who = s.Step
	}
	return fmt.Sprintf("loop: %s of %v has held the baton for %v; nothing else of this loop can run. "+
		"Move blocking or long work into await.Blocking.\n%s", who, s.Loop, s.Held.Round(time.Millisecond), s.Stack)
}

// The watchdog sets a mark on the loop several times within the limit, and the next step
// clears it. If the mark stays, the same step is still running. No step has to read a clock
// or count anything. The watchdog sleeps while the loop waits.
//
// The watchdog reads nothing of the loop except atomic flags and the word, so it may run at
// any time. Its report may be out of date when it is read.
//
// Rejected: to measure every step. This costs two clock readings for each step, and reports
// a step only after it has ended.
type watchdog struct {
	loop   *Loop
	labels context.Context // has the pprof label of the loop's goroutines
	start  sync.Once
	ticker ticker // created by begin
	quit   chan struct{}
	ended  sync.WaitGroup
	name   atomic.Pointer[func(g uintptr) string] // set by NameSteps, or nil

	resting atomic.Bool   // the loop waits in its poller, or is about to
	asleep  atomic.Bool   // the watchdog has seen resting, and waits for wakeup
	wakeup  chan struct{} // capacity 1
}

// longUnpolled is the watchdog's longest tick. The watchdog asks for a poll at every tick.
// The loop itself counts only turns and steps between polls, so that long steps would delay
// its next poll.
const longUnpolled = 10 * time.Millisecond

func newWatchdog(l *Loop) *watchdog {
	return &watchdog{loop: l, quit: make(chan struct{}), wakeup: make(chan struct{}, 1)}
}

// clearMarks is called when a step begins, and when the last step has ended. In nearly all
// calls it only loads.
func (l *Loop) clearMarks() {
	if l.marks.Load() != 0 {
		l.marks.Store(0)
	}
}

// The loop calls rest before each wait, and arm after it; only the holder calls them. rest
// also clears the mark of the step that ended.
func (d *watchdog) rest() {
	d.resting.Store(true)
	d.loop.clearMarks()
}

// arm starts the watchdog's goroutine in the first run, and wakes it if it sleeps. arm
// clears resting and then reads asleep; sleep sets asleep and then reads resting. So at
// least one of them sees the other, and no wake-up is lost.
func (d *watchdog) arm() {
	d.start.Do(d.begin)
	d.resting.Store(false)
	if d.asleep.Load() {
		select {
		case d.wakeup <- struct{}{}:
		default:
		}
	}
}

func (d *watchdog) begin() {
	d.ticker = newTicker()
	d.ended.Go(d.watch)
}

// close ends the watchdog, and waits for a report in progress. The loop does not run.
func (d *watchdog) close() {
	close(d.quit)
	if d.ticker != nil {
		d.ticker.close()
	}
	d.ended.Wait()
}

// watch is the watchdog's goroutine. It marks a step within one tick of its beginning. It
// reports the step within one tick after the mark is as old as the limit.
func (d *watchdog) watch() {
	const samples = 4 // ticks within the limit, at least
	l, limit := d.loop, d.loop.cfg.SlowStep
	tick := max(min(limit/samples, longUnpolled), 1)
	d.ticker.start(tick)
	var since time.Time // when the mark was set
	reported := false   // the step that has the mark was reported
	for d.ticker.wait() {
		if d.idle() {
			if !d.sleep(tick) {
				return
			}
			l.clearMarks() // a mark from before the wait means nothing now
			continue
		}
		l.pollRequested.Store(true)
		now := time.Now() // this goroutine may run long after the tick
		if l.marks.Or(watchdogMark)&watchdogMark == 0 {
			since, reported = now, false
		} else if held := now.Sub(since); held >= limit && !reported {
			reported = true
			who, stack := d.slowStep()
			l.cfg.OnSlow(SlowStep{l, who, held, stack})
		}
	}
}

// idle reports whether no step can be running.
func (d *watchdog) idle() bool { return d.resting.Load() || !d.loop.running.Load() }

// sleep waits until the loop runs turns again. It returns false if the watchdog was closed.
func (d *watchdog) sleep(tick time.Duration) bool {
	d.ticker.stop()
	d.asleep.Store(true)
	defer d.asleep.Store(false)
	for d.idle() {
		select {
		case <-d.wakeup:
		case <-d.quit:
			return false
		}
	}
	d.ticker.start(tick)
	return true
}

// labelKey is the key of the pprof label by which the watchdog finds the goroutines of its
// loop in a profile. The value is the number of the loop.
const labelKey = "baton.loop"

// slowStep returns the name of the task whose step has the mark, and the stack of its
// goroutine. If the mark is gone afterwards, the step has ended, and the result may belong
// to a later step; slowStep then drops it.
func (d *watchdog) slowStep() (who string, stack []byte) {
	if name := d.name.Load(); name != nil {
		who = (*name)(d.loop.word.G())
	}
	if d.loop.marks.Load()&watchdogMark == 0 {
		return "", nil
	}
	if stack = d.stack(); d.loop.marks.Load()&watchdogMark == 0 {
		return who, nil
	}
	return who, stack
}

// stack returns the stack of the goroutine that holds the baton, or nil. It looks for the
// only goroutine that has the loop's label, runs the loop or its tasks, and is not parked
// in a handoff.
//
// The goroutine profile is a consistent snapshot that usually stops the world for less than
// a millisecond; runtime.Stack of 100,000 goroutines stops it for seconds. In the text form
// of the profile, goroutines with the same labels and calls share one record.
func (d *watchdog) stack() []byte {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return nil
	}
	label := fmt.Sprintf("%q:\"%d\"", labelKey, d.loop.id)
	var found [][]byte
	_, records, _ := strings.Cut(profile.String(), "\n") // the first line is the total
	for record := range strings.SplitSeq(records, "\n\n") {
		calls, rest, _ := strings.Cut(record, "\n")
		labels, _, _ := strings.Cut(rest, "\n")
		calls, alone := strings.CutPrefix(calls, "1 @ ")
		if alone && strings.HasPrefix(labels, "# labels:") && strings.Contains(labels, label) {
			if stack := stackOfHolder(calls); stack != nil {
				found = append(found, stack)
			}
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// stackOfHolder returns the stack with these program counters, the innermost call first. It
// returns nil if the goroutine is parked in a handoff, or runs neither a loop nor tasks:
// a goroutine that a task starts inherits the label.
func stackOfHolder(calls string) []byte {
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
			continue // calls below the call that waits or was interrupted
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
