// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/task"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if program := programs[os.Getenv(programVar)]; program != nil {
		task.Main(program)
	}
	goleak.VerifyTestMain(m)
}

// programVar is the environment variable that names the program in programs which the test
// binary runs.
const programVar = "BATON_TEST_PROGRAM"

// programs are the main functions of test programs.
var programs = map[string]func(ctx context.Context) error{}

// check fails the test if err is not nil.
func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}

// took checks how much time has passed on the loop's clock.
func took(ctx context.Context, t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if d := task.Now(ctx).Sub(began); d != want {
		t.Errorf("%v passed, want %v", d, want)
	}
}

// panics checks that fn panics with a message that contains all words.
func panics(t *testing.T, fn func(), words ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if v == nil {
			t.Error("no panic")
			return
		}
		message := fmt.Sprint(v)
		for _, w := range words {
			if !strings.Contains(message, w) {
				t.Errorf("panic with the message %q, which does not contain %q", message, w)
			}
		}
	}()
	fn()
}

// after starts a task that returns v and err after d.
func after[T any](ctx context.Context, d time.Duration, v T, err error) *task.Task[T] {
	return task.Start(ctx, func(ctx context.Context) (T, error) {
		if err := await.Sleep(ctx, d); err != nil {
			var none T
			return none, err
		}
		return v, err
	})
}
