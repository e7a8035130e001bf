// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
)

// A cancelled call returns its cancel, even if an earlier call has timed out.
func TestCancelAfterTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{ReadTimeout: time.Second})
		defer near.Close()
		defer far.Close()
		_, err := near.Read(ctx, make([]byte, 1))
		want(t, "Read", err, os.ErrDeadlineExceeded)
		near.SetReadTimeout(0)
		reader := blocked(ctx, func(ctx context.Context) (int, error) { return near.Read(ctx, make([]byte, 1)) })
		cause := errors.New("enough")
		reader.Cancel(cause)
		_, err = reader.Await(ctx)
		if errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Read = %v, want its cancel", err)
		}
	})
}
