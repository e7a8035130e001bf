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

// programVar names the one of programs that the test binary is to run.
const programVar = "BATON_TEST_PROGRAM"

// programs are mains of programs of their own.
var programs = map[string]func(ctx context.Context) error{}

// check fails the test if err is not nil.
func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}

// took checks how long something took on the loop's clock.
func took(ctx context.Context, t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if d := task.Now(ctx).Sub(began); d != want {
		t.Errorf("it took %v, want %v", d, want)
	}
}

// panics calls fn and checks that it panics with a message that contains all of
// words.
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
				t.Errorf("the panic says %q, without %q", message, w)
			}
		}
	}()
	fn()
}

// after starts a task that takes d, and then returns v and err.
func after[T any](ctx context.Context, d time.Duration, v T, err error) *task.Task[T] {
	return task.Start(ctx, func(ctx context.Context) (T, error) {
		if err := await.Sleep(ctx, d); err != nil {
			var none T
			return none, err
		}
		return v, err
	})
}
