// SPDX-License-Identifier: Apache-2.0

// Package bridge holds what package await needs of package task and users do not:
// users see deadlines as those of package await only. Package task sets the
// functions when it is initialized; their documentation stands there.
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

	// Expired reports whether err says only that the deadline of timed, a context of
	// WithDeadline, has passed.
	Expired func(timed context.Context, err error) bool

	// Watch makes the caller somebody who awaits a task, a *task.Ref, until stop is
	// called: the error of a task that ends meanwhile is the caller's.
	Watch func(ref any) (stop func())
)
