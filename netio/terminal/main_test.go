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

// programVar is the environment variable with the name of the program that the test binary runs.
const programVar = "BATON_TEST_PROGRAM"

// programs are the programs that tests start, as processes with the test binary.
var programs = map[string]func(ctx context.Context) error{}

// everywhere runs fn as the root task of a loop, once with each poller. The time limit only
// ends tests that hang.
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

// must ends the test if err is not nil. It is for calls that prepare a test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// want reports a failure unless errors.Is(got, want). A nil want means no error.
func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
