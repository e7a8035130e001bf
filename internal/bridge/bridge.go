// SPDX-License-Identifier: Apache-2.0

// Package bridge holds what the rooms above package task need of it and users do not.
// For users deadlines are package await's only. Package task sets the functions when
// it is initialized. AtExit and Exit are the other way round: what task needs of rooms
// above it.
package bridge

import (
	"context"
	"time"
)

var (
	// WithDeadline returns a context that is cancelled at a time on the loop's clock.
	WithDeadline func(ctx context.Context, when time.Time) (context.Context, context.CancelFunc)

	// Reschedule moves the deadline of the nearest WithDeadline around ctx.
	Reschedule func(ctx context.Context, when time.Time) bool

	// WithCancel returns a context that cancel ends with a cause. Cancel and release
	// belong to the loop. Release ends the context, and must be called.
	WithCancel func(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc)

	// Expired reports whether err says only that the deadline of timed, a context of
	// WithDeadline, has passed.
	Expired func(timed context.Context, err error) bool

	// WithValues returns ctx with the values of another context before its own, and with
	// the sooner deadline of the two. It ends with ctx alone. The other context may belong to
	// any task: ctx goes on to belong to its own.
	WithValues func(ctx, values context.Context) context.Context

	// GoUnder starts fn as a task under ctx, for a task or callback that ctx does not
	// belong to. It returns the *task.Ref, which is nil if the scope of ctx has ended. The
	// end of ctx cancels fn, and so does its scope when no other task is left in it.
	GoUnder func(ctx context.Context, fn func(ctx context.Context) error) (ref any)

	// AfterEnd has the loop call fn when ctx, a context of a task, has ended. Fn must not
	// switch. AfterEnd and stop belong to the loop. After stop, fn is not called.
	AfterEnd func(ctx context.Context, fn func()) (stop func())

	// AddValues gives a scope's own context more values: add gets the context that has those
	// of now, and returns the one that has them all. No task or goroutine may have the context
	// yet.
	AddValues func(ctx context.Context, add func(values context.Context) context.Context)

	// Local returns what belongs to the scope of ctx under key, which make makes at the
	// first call. It ends with the scope.
	Local func(ctx context.Context, key any, make func(ctx context.Context) any) any

	// Watch counts the caller as awaiting a task, a *task.Ref, until stop is called: the
	// error of a task that has ended, or ends meanwhile, is the caller's.
	Watch func(ref any) (stop func())
)
