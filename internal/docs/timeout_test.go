// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
)

// TestTimeout stands in docs/design.md, to show a test in virtual time.
func TestTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ctx, cancel := await.WithTimeout(ctx, time.Hour)
		defer cancel()

		err := await.Sleep(ctx, 2*time.Hour) // no time passes outside
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep(2h) = %v, want deadline exceeded", err)
		}
	})
}
