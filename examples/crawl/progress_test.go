// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/sim"
	"baton/task"
)

// TestException: an error without a caller, and whatever else is said, begins a
// line of its own, below the progress line.
func TestException(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var said strings.Builder
		cfg := defaults()
		cfg.Log = &said
		c := newCrawler(cfg)
		task.Loop(ctx).SetExceptionHandler(c.exception)
		c.began = task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			watcher := task.Go(ctx, c.watch)
			defer watcher.Cancel(nil)
			if err := await.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			task.Loop(ctx).CallExceptionHandler(loop.Exception{Message: "a", Err: errors.New("b")})
			c.log(0, "c")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(said.String()) {
			if strings.HasPrefix(line, "\r") {
				line = "progress\n"
			}
			lines = append(lines, line)
		}
		if want := []string{"progress\n", "a: b\n", "c\n", "progress\n"}; !slices.Equal(lines, want) {
			t.Errorf("the lines are %q, want %q", lines, want)
		}
	})
}
