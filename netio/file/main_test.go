// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) {
	if poor() {
		return
	}
	goleak.VerifyTestMain(m)
}

// everywhere runs fn as the root task of a loop on each poller, and in a simulated world. The
// time limit is against hangs only.
func everywhere(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Run("sim", func(t *testing.T) { sim.Test(t, fn) })
	hosts(t, fn)
}

// hosts is everywhere without the simulated world.
func hosts(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	pollers := []string{"portable"}
	if runtime.GOOS == "linux" {
		pollers = []string{"epoll", "portable"}
	}
	for _, poller := range pollers {
		t.Run(poller, func(t *testing.T) {
			t.Setenv("BATON_POLLER", poller)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			err := task.Run(ctx, func(ctx context.Context) error {
				fn(ctx, t)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// must is for calls that are only to prepare a test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// want reports an error that is not the wanted one; nil wants none.
func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
