// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"os"
	"time"
)

// A Handle is a scheduled callback.
type Handle interface {
	Cancel()
	When() time.Time
}

// A Loop is an event loop that the suite can test. H is the type that its Call methods
// return. *loop.Loop, for example, is a Loop[*loop.Handle].
//
// Misuse must panic: a nil callback, a call from another goroutine while the loop runs,
// running a loop inside itself, or using a closed loop.
type Loop[H Handle] interface {
	// Time returns the time on the loop's own clock.
	Time() time.Time

	CallSoon(fn func()) H
	CallLater(d time.Duration, fn func()) H
	CallAt(when time.Time, fn func()) H
	CallRepeatedly(interval time.Duration, fn func()) H
	CallSoonThreadsafe(fn func()) (H, error)

	AddReader(fd uintptr, fn func()) error
	AddWriter(fd uintptr, fn func()) error
	RemoveReader(fd uintptr) bool
	RemoveWriter(fd uintptr) bool
	AddSignalHandler(sig os.Signal, fn func()) error
	RemoveSignalHandler(sig os.Signal) bool

	// Run runs turns until Stop is called or the loop is idle.
	Run() (stopped bool)
	RunOnce(max time.Duration)
	RunForever()
	Stop()
	Idle() bool
	NextDeadline() (time.Time, bool)

	Close() error
	IsRunning() bool
	IsClosed() bool
}

// A target is a Loop without its type parameter, so that the cases do not need it.
type target interface{ Loop[Handle] }

// untyped makes a target from a Loop.
type untyped[H Handle] struct{ Loop[H] }

func (e untyped[H]) CallSoon(fn func()) Handle { return e.Loop.CallSoon(fn) }

func (e untyped[H]) CallLater(d time.Duration, fn func()) Handle { return e.Loop.CallLater(d, fn) }

func (e untyped[H]) CallAt(when time.Time, fn func()) Handle { return e.Loop.CallAt(when, fn) }

func (e untyped[H]) CallRepeatedly(interval time.Duration, fn func()) Handle {
	return e.Loop.CallRepeatedly(interval, fn)
}

func (e untyped[H]) CallSoonThreadsafe(fn func()) (Handle, error) {
	return e.Loop.CallSoonThreadsafe(fn)
}
