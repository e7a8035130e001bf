// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"time"

	"baton/internal/saturate"
)

// A Handle is a callback that was scheduled. It belongs to the loop: methods
// that change it panic on other goroutines, also if CallSoonThreadsafe has made
// it there.
type Handle struct {
	loop  *Loop
	fn    func()        // nil once it has run for the last time or was cancelled
	timer Timer         // not used by CallSoon
	when  time.Duration // since the loop's start, or soon
	pc    uintptr       // of the function to name, when that is not fn or fn is dropped
	rare  *rarities     // nil for most; so a Handle is one cache line
}

// rarities are what few Handles have.
type rarities struct {
	every time.Duration // of CallRepeatedly, or 0
	site  string        // where it was made, in debug mode
}

// soon is the time of a callback without one, as CallSoon makes it.
const soon time.Duration = math.MinInt64

// CallSoon has fn run in the next turn. Callbacks run in the order of the
// calls, each exactly once, on the loop's own goroutine. fn must not switch;
// PEP 3156's call_soon, whose arguments a closure brings here.
func (l *Loop) CallSoon(fn func()) *Handle {
	l.mustHold("CallSoon")
	h := l.handle(fn, soon)
	l.Driver().Ready(Entry{Runner: h})
	return h
}

// CallLater has fn run when d has passed on the loop's clock, never earlier,
// and late if callbacks or steps before it take long. A delay of zero or less
// is a CallSoon: nobody can cheat to the front.
func (l *Loop) CallLater(d time.Duration, fn func()) *Handle {
	l.mustHold("CallLater")
	now := l.clock()
	return l.callAt(now, saturate.Sum(now, d), fn)
}

// CallAt has fn run at when on the loop's clock, never earlier; equal times keep
// the order of the calls. A time that has passed is a CallSoon.
func (l *Loop) CallAt(when time.Time, fn func()) *Handle {
	l.mustHold("CallAt")
	return l.callAt(l.clock(), when.Sub(l.start), fn)
}

// CallRepeatedly has fn run again and again, first after interval and then each
// time interval after it has returned: it drifts and never catches up. If fn
// panics the chain ends. The interval must be positive.
func (l *Loop) CallRepeatedly(interval time.Duration, fn func()) *Handle {
	l.mustHold("CallRepeatedly")
	if interval <= 0 {
		panic(fmt.Sprintf("loop: CallRepeatedly every %v; the interval must be positive", interval))
	}
	now := l.clock()
	h := l.callAt(now, saturate.Sum(now, interval), fn)
	if h.rare == nil {
		h.rare = new(rarities)
	}
	h.rare.every = interval
	return h
}

// CallSoonThreadsafe is CallSoon from any goroutine. It wakes a loop that
// waits; a busy one sees the call when it polls, at most 32 turns later. Calls
// from one goroutine keep their order. It keeps nothing alive: a loop may
// become idle before the call arrives. The error is ErrClosed.
func (l *Loop) CallSoonThreadsafe(fn func()) (*Handle, error) {
	h := l.handle(fn, soon)
	if err := l.Driver().Post(h); err != nil {
		return nil, err
	}
	return h, nil
}

// handle makes a Handle that is not scheduled yet. Safe from every goroutine.
func (l *Loop) handle(fn func(), when time.Duration) *Handle {
	if fn == nil {
		panic("loop: a callback must not be nil")
	}
	h := &Handle{loop: l, fn: fn, when: when}
	h.timer.Target = h
	if l.debug.Load() {
		h.rare = &rarities{site: caller()}
	}
	return h
}

// queue makes fn ready, as the callback that runs the user's function: it is
// user that messages name. The caller holds the baton.
func (l *Loop) queue(fn, user func(), site string) *Handle {
	h := &Handle{loop: l, fn: fn, when: soon, pc: pcOf(user)}
	if site != "" {
		h.rare = &rarities{site: site}
	}
	l.Driver().Ready(Entry{Runner: h})
	return h
}

// callAt schedules fn for when; now is the clock as the caller has read it,
// once for each call. A time that has passed goes into the ready queue at once,
// where it keeps its place among the CallSoons.
func (l *Loop) callAt(now, when time.Duration, fn func()) *Handle {
	h := l.handle(fn, when)
	if when <= now {
		l.Driver().Ready(Entry{Runner: h})
	} else {
		l.timers.start(&h.timer, when)
	}
	return h
}

// Wake queues the callback: its timer is due or it has come from another
// goroutine. It is the loop's to call.
func (h *Handle) Wake() {
	if h.fn != nil {
		h.loop.Driver().Ready(Entry{Runner: h})
	}
}

// Run calls the callback. It is the loop's to call. What runs once is dropped
// first: from inside, its own Handle is no longer pending. What repeats may
// cancel itself from inside.
func (h *Handle) Run() {
	fn := h.fn
	if fn == nil {
		return
	}
	if h.rare == nil || h.rare.every == 0 {
		h.drop()
		fn()
		return
	}
	fn()
	if h.fn != nil {
		h.when = saturate.Sum(h.loop.clock(), h.rare.every)
		h.loop.timers.start(&h.timer, h.when)
	}
}

// Cancel removes the callback for good, even if it is already in this turn's
// batch, and drops the function. It may be called any number of times; after
// the callback has run it does nothing, and on a closed loop nothing is left to
// remove.
func (h *Handle) Cancel() {
	if h.fn == nil {
		return
	}
	if !h.loop.closed.Load() {
		h.loop.mustHold("Handle.Cancel")
	}
	h.drop()
	h.loop.Driver().StopTimer(&h.timer)
}

// drop lets go of the function and what it captured, but not of its name.
func (h *Handle) drop() {
	if h.pc == 0 {
		h.pc = pcOf(h.fn)
	}
	h.fn = nil
}

// Pending reports whether the callback is still to run. On a closed loop none is:
// Close has dropped them all, without a look at each.
func (h *Handle) Pending() bool { return h.fn != nil && !h.loop.closed.Load() }

// When tells for when the callback is or was scheduled; the zero time means the
// turn after the call.
func (h *Handle) When() time.Time {
	if h.when == soon {
		return time.Time{}
	}
	return h.loop.start.Add(h.when)
}

// String names the function, and in debug mode where it was scheduled.
func (h *Handle) String() string {
	site := ""
	if h.rare != nil {
		site = h.rare.site
	}
	if h.pc == 0 {
		return nameOf(h.fn, site)
	}
	return name(h.pc, site)
}

// pcOf tells functions apart for messages; it keeps nothing alive.
func pcOf(fn func()) uintptr { return reflect.ValueOf(fn).Pointer() }

func nameOf(fn func(), site string) string { return name(pcOf(fn), site) }

// name is the function at pc, as the linker calls it, and where it was
// scheduled.
func name(pc uintptr, site string) string {
	s := runtime.FuncForPC(pc).Name()
	if site != "" {
		s += " scheduled at " + site
	}
	return s
}

// site is the place from which the loop was called, in debug mode; it is empty
// otherwise, for walking the stack is not free.
func (l *Loop) site() string {
	if !l.debug.Load() {
		return ""
	}
	return caller()
}

// caller is the place outside this package from which it was called.
func caller() string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !more || !inLoop(f.Function) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// inLoop reports whether a function is a method of this package's, as
// everything is by which a callback can come in.
func inLoop(function string) bool {
	return strings.HasPrefix(function, reflect.TypeFor[Loop]().PkgPath()+".(")
}
