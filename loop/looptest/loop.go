// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"os"
	"time"
)

// A Handle is a callback that was scheduled.
type Handle interface {
	Cancel()
	When() time.Time
}

// A Loop is what the suite tests; H is what its Call methods return. A
// *loop.Loop is a Loop[*loop.Handle].
//
// Misuse panics: a nil callback, a call from another goroutine while the loop
// runs, running a loop inside itself, using a closed one.
type Loop[H Handle] interface {
	// Time is the loop's own clock.
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

	// Run runs until Stop, or until nothing is left that could happen.
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

// target is a Loop without its type parameter, so that cases need none.
type target interface{ Loop[Handle] }

// erased makes a target of a Loop.
type erased[H Handle] struct{ Loop[H] }

func (e erased[H]) CallSoon(fn func()) Handle { return e.Loop.CallSoon(fn) }

func (e erased[H]) CallLater(d time.Duration, fn func()) Handle { return e.Loop.CallLater(d, fn) }

func (e erased[H]) CallAt(when time.Time, fn func()) Handle { return e.Loop.CallAt(when, fn) }

func (e erased[H]) CallRepeatedly(interval time.Duration, fn func()) Handle {
	return e.Loop.CallRepeatedly(interval, fn)
}

func (e erased[H]) CallSoonThreadsafe(fn func()) (Handle, error) {
	return e.Loop.CallSoonThreadsafe(fn)
}
