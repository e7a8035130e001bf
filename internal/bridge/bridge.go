// SPDX-License-Identifier: Apache-2.0

// Package bridge has functions of package task for the packages above it, not for users.
// Users get deadlines from package await only. Package task sets the variables when
// it is initialized. AtExit and Exit work in the other direction: package task calls
// functions that packages above it registered.
package bridge

import (
	"context"
	"time"
)

var (
	// WithDeadline returns a context that is cancelled at a time on the loop's clock.
	WithDeadline func(ctx context.Context, when time.Time) (context.Context, context.CancelFunc)

	// Reschedule moves the deadline of the nearest WithDeadline around ctx; the zero time
	// removes it. It reports false if there is none, or if its context is cancelled already.
	Reschedule func(ctx context.Context, when time.Time) bool

	// WithCancel returns a context and its cancel function, which takes a cause. Only the
	// holder of the baton may call cancel. release ends the context, and must be called.
	WithCancel func(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc)

	// Expired reports whether err says only that the deadline of timed, a context of
	// WithDeadline, has passed.
	Expired func(timed context.Context, err error) bool

	// WithValues returns ctx with the values of another context added, which take precedence,
	// and with the earlier deadline of the two. It ends together with ctx. The other context
	// may belong to any task; the result belongs to the task of ctx.
	WithValues func(ctx, values context.Context) context.Context

	// GoUnder starts fn as a task under ctx, for a task or callback to which ctx does not
	// belong. It returns the *task.Ref, or nil if the scope of ctx has ended. The end of ctx
	// cancels fn. The scope also cancels fn when no other task is left in it.
	GoUnder func(ctx context.Context, fn func(ctx context.Context) error) (ref any)

	// AfterEnd makes the loop call fn when ctx, a context of a task, has ended. fn must not
	// switch. Only the holder of the baton may call AfterEnd and stop. After stop, fn is not
	// called.
	AfterEnd func(ctx context.Context, fn func()) (stop func())

	// AddValues adds values to a scope's own context: add receives the context with the
	// present values, and returns one with all values. No task or goroutine may use the
	// context yet.
	AddValues func(ctx context.Context, add func(values context.Context) context.Context)

	// Local returns the value of the scope of ctx for key. The first call for a key creates the
	// value with make. The value lives as long as the scope.
	Local func(ctx context.Context, key any, make func(ctx context.Context) any) any

	// Watch keeps the error of a task, a *task.Ref, from failing its scope until stop is
	// called. The caller awaits the task until then, or leaves the error to the scope.
	Watch func(ref any) (stop func())
)
