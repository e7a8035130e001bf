// SPDX-License-Identifier: Apache-2.0

package terminal_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) {
	if program := programs[os.Getenv(programVar)]; program != nil {
		task.Main(program)
	}
	goleak.VerifyTestMain(m)
}

// programVar names the one of programs that the test binary is to run.
const programVar = "BATON_TEST_PROGRAM"

// programs are mains of programs of their own.
var programs = map[string]func(ctx context.Context) error{}

// everywhere runs fn as the root task of a loop on each poller. The time limit is against
// hangs only.
func everywhere(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
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
