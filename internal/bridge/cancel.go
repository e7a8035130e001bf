// SPDX-License-Identifier: Apache-2.0

package bridge

import "context"

// WithCancel returns a context below ctx and a function that cancels it with a cause.
// It is context.WithCancelCause for the tasks of a loop: a wait under it allocates
// nothing. Both functions must be called with the baton, and release must be called.
// Package task sets it.
var WithCancel func(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc)
