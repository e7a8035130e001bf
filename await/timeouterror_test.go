// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// The error of a timeout contains the text of the error that the function returned. For a
// bare cancel of the timeout, the text is only that the deadline has passed.
func TestTextOfTimeout(t *testing.T) {
	const expired = "await: timeout after 1s: "
	for _, c := range []struct {
		name string
		wrap func(cancel error) error
		want string
	}{
		{"bare", func(cancel error) error { return cancel }, expired + "context deadline exceeded"},
		{"the bare sentinel", func(error) error { return context.DeadlineExceeded }, expired + "context deadline exceeded"},
		{"the sentinel, wrapped", func(error) error { return fmt.Errorf("load: %w", context.DeadlineExceeded) },
			expired + "load: context deadline exceeded"},
		{"wrapped twice", func(cancel error) error { return fmt.Errorf("start: %w", fmt.Errorf("load: %w", cancel)) },
			expired + "start: load: task: a deadline of "},
		{"joined with itself", func(cancel error) error { return errors.Join(context.DeadlineExceeded, fmt.Errorf("load: %w", cancel)) },
			expired + "context deadline exceeded\nload: task: a deadline of "},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
					return c.wrap(await.Sleep(ctx, time.Hour))
				})
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("Timeout = %v, want %s", err, c.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, new(*task.Canceled)) {
					t.Errorf("Timeout = %v, want only a DeadlineExceeded", err)
				}
			})
		})
	}
}
