// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
)

// TestTimeoutWords: what the body has wrapped the cancel in stays in the text, and
// nothing of the cancel does.
func TestTimeoutWords(t *testing.T) {
	const expired = "await: timeout after 1s: "
	for _, c := range []struct {
		name string
		wrap func(echo error) error
		want string
	}{
		{"bare", func(echo error) error { return echo }, expired + "context deadline exceeded"},
		{"wrapped", func(echo error) error { return fmt.Errorf("load: %w", echo) }, expired + "load: context deadline exceeded"},
		{"wrapped twice", func(echo error) error { return fmt.Errorf("start: %w", fmt.Errorf("load: %w", echo)) },
			expired + "start: load: context deadline exceeded"},
		{"the bare sentinel, wrapped", func(error) error { return fmt.Errorf("load: %w", context.DeadlineExceeded) },
			expired + "load: context deadline exceeded"},
		{"in the middle", func(echo error) error { return fmt.Errorf("load (%w)", echo) }, expired + "context deadline exceeded"},
		{"joined", func(echo error) error { return errors.Join(echo, errBody) },
			"the body failed\n" + expired + "context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
					return c.wrap(await.Sleep(ctx, time.Hour))
				})
				if err == nil || err.Error() != c.want {
					t.Errorf("Timeout = %v, want %s", err, c.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Errorf("Timeout = %v, which is not the deadline alone", err)
				}
			})
		})
	}
}
