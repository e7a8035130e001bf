// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/internal/bridge"
)

func init() { bridge.WithCancel = withCancel }

// withCancel is bridge.WithCancel: a limit whose time never comes.
func withCancel(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc) {
	l := newLimit(ctx)
	l.timeless = true
	l.attach(nodeOf(ctx), ctx)
	l.follow(ctx)
	return &l.node, l.end, l.release
}
