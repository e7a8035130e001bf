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

// A Handle is a scheduled callback. Only the holder may cancel it. Cancel panics on other
// goroutines, even on the goroutine that created the Handle by CallSoonThreadsafe.
type Handle struct {
	loop  *Loop
	fn    func()        // nil after the last run or after Cancel
	timer Timer         // not used by CallSoon
	when  time.Duration // since the loop's start, or soon
	pc    uintptr       // the function to name in messages, if it is not fn or fn was dropped
	extra *handleExtra  // nil for most Handles, so that a Handle fits in one cache line
}

// handleExtra holds the fields that few Handles need.
type handleExtra struct {
	every time.Duration // the interval of CallRepeatedly, or 0
	site  string        // where it was scheduled, in debug mode
}

// soon is the time of a callback of CallSoon, which has none.
const soon time.Duration = math.MinInt64

// CallSoon schedules fn to run in the next turn. Callbacks run in the order of the CallSoon
// calls, each exactly once, on the goroutine that called Run. fn must not switch. CallSoon
// is call_soon of PEP 3156; use a closure to pass arguments.
func (l *Loop) CallSoon(fn func()) *Handle {
	l.mustHold("CallSoon")
	h := l.handle(fn, soon)
	l.Driver().Ready(Entry{Runner: h})
	return h
}

// CallLater schedules fn to run when d has passed on the loop's clock. fn never runs early.
// It runs late if callbacks or steps before it take long. With a d of zero or less,
// CallLater is CallSoon: a negative delay does not put fn before other callbacks.
func (l *Loop) CallLater(d time.Duration, fn func()) *Handle {
	l.mustHold("CallLater")
	now := l.clock()
	return l.callAt(now, saturate.Sum(now, d), fn)
}

// CallAt schedules fn to run at when on the loop's clock. fn never runs early. Callbacks
// with equal times run in the order of the calls. If when has passed, CallAt is CallSoon.
func (l *Loop) CallAt(when time.Time, fn func()) *Handle {
	l.mustHold("CallAt")
	return l.callAt(l.clock(), when.Sub(l.start), fn)
}

// CallRepeatedly schedules fn to run again and again: first after interval, and then each
// time interval has passed since fn returned. The interval does not include the running
// time of fn, and a late call is not made up for by a burst of calls. If fn panics, it does
// not run again. CallRepeatedly panics if interval is not positive.
func (l *Loop) CallRepeatedly(interval time.Duration, fn func()) *Handle {
	l.mustHold("CallRepeatedly")
	if interval <= 0 {
		panic(fmt.Sprintf("loop: CallRepeatedly with the interval %v; pass a positive interval", interval))
	}
	now := l.clock()
	h := l.callAt(now, saturate.Sum(now, interval), fn)
	if h.extra == nil {
		h.extra = new(handleExtra)
	}
	h.extra.every = interval
	return h
}

// CallSoonThreadsafe is CallSoon for any goroutine; it is safe for concurrent use. It wakes
// a waiting loop. A busy loop queues the call in its next poll, at most 32 turns later.
// Calls from one goroutine keep their order. The call does not keep the loop from becoming
// idle before it arrives. CallSoonThreadsafe returns ErrClosed if the loop is closed.
func (l *Loop) CallSoonThreadsafe(fn func()) (*Handle, error) {
	h := l.handle(fn, soon)
	if err := l.Driver().Post(h); err != nil {
		return nil, err
	}
	return h, nil
}

// handle makes a Handle that is not scheduled yet. It is safe for concurrent use.
func (l *Loop) handle(fn func(), when time.Duration) *Handle {
	if fn == nil {
		panic("loop: the callback is nil; pass a function")
	}
	h := &Handle{loop: l, fn: fn, when: when}
	h.timer.Target = h
	if l.debug.Load() {
		h.extra = &handleExtra{site: caller()}
	}
	return h
}

// queue makes fn ready, as a callback. Messages name the function user, on whose behalf fn
// runs.
func (l *Loop) queue(fn, user func(), site string) *Handle {
	h := &Handle{loop: l, fn: fn, when: soon, pc: pcOf(user)}
	if site != "" {
		h.extra = &handleExtra{site: site}
	}
	l.Driver().Ready(Entry{Runner: h})
	return h
}

// callAt schedules fn for when; now is the loop's clock. If when has passed, fn goes to the
// ready queue, behind the CallSoon calls before it.
func (l *Loop) callAt(now, when time.Duration, fn func()) *Handle {
	h := l.handle(fn, when)
	if when <= now {
		l.Driver().Ready(Entry{Runner: h})
	} else {
		l.timers.start(&h.timer, when)
	}
	return h
}

// Wake queues the callback. Only the loop calls it: when the timer is due, or when the
// callback has arrived from another goroutine.
func (h *Handle) Wake() {
	if h.fn != nil {
		h.loop.Driver().Ready(Entry{Runner: h})
	}
}

// Run calls the callback. Only the loop calls it. A callback that runs once is no longer
// pending while it runs. A callback of CallRepeatedly is, and may cancel itself.
func (h *Handle) Run() {
	fn := h.fn
	if fn == nil {
		return
	}
	if h.extra == nil || h.extra.every == 0 {
		h.drop()
		fn()
		return
	}
	fn()
	if h.fn != nil {
		h.when = saturate.Sum(h.loop.clock(), h.extra.every)
		h.loop.timers.start(&h.timer, h.when)
	}
}

// Cancel removes the callback, even from the batch of the current turn, and releases the
// function. Cancel does nothing if the callback has run, was cancelled before, or if the
// loop is closed.
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

// drop releases the function and what it captured, and keeps its name.
func (h *Handle) drop() {
	if h.pc == 0 {
		h.pc = pcOf(h.fn)
	}
	h.fn = nil
}

// Pending reports whether the callback is still to run. It returns false if the loop is
// closed.
func (h *Handle) Pending() bool { return h.fn != nil && !h.loop.closed.Load() }

// When returns the time for which the callback is or was scheduled. For CallSoon, it
// returns the zero time.
func (h *Handle) When() time.Time {
	if h.when == soon {
		return time.Time{}
	}
	return h.loop.start.Add(h.when)
}

// String returns the name of the function and, in debug mode, where it was scheduled.
func (h *Handle) String() string {
	site := ""
	if h.extra != nil {
		site = h.extra.site
	}
	if h.pc == 0 {
		return nameOf(h.fn, site)
	}
	return name(h.pc, site)
}

// pcOf returns the entry point of fn, for messages. It does not keep fn alive.
func pcOf(fn func()) uintptr { return reflect.ValueOf(fn).Pointer() }

func nameOf(fn func(), site string) string { return name(pcOf(fn), site) }

// name returns the linker's name of the function at pc, and where it was scheduled.
func name(pc uintptr, site string) string {
	s := runtime.FuncForPC(pc).Name()
	if site != "" {
		s += " scheduled at " + site
	}
	return s
}

// callSite returns where the loop was called from. It returns "" outside debug mode,
// because it has to walk the stack.
func (l *Loop) callSite() string {
	if !l.debug.Load() {
		return ""
	}
	return caller()
}

// caller returns the innermost file and line outside this package.
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

// inLoop reports whether function is a method of this package. Every call that schedules a
// callback is a method.
func inLoop(function string) bool {
	return strings.HasPrefix(function, reflect.TypeFor[Loop]().PkgPath()+".(")
}
