// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/task"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settle lets all other tasks run until each of them waits.
func settle(ctx context.Context) { await.Sleep(ctx, time.Nanosecond) }

// check fails the test if err is not nil.
func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
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

// A waiter is a task that calls something that waits.
type waiter struct {
	*task.Task[struct{}]
	err  error
	done bool
}

// wait starts fn as a task, and returns when it waits or has ended.
func wait(ctx context.Context, fn func(ctx context.Context) error) *waiter {
	w := begin(ctx, fn)
	settle(ctx)
	return w
}

// begin starts fn as a task, which has not run yet.
func begin(ctx context.Context, fn func(ctx context.Context) error) *waiter {
	w := &waiter{}
	w.Task = task.Start(ctx, func(ctx context.Context) (struct{}, error) {
		w.err = fn(ctx)
		w.done = true
		return struct{}{}, nil
	})
	return w
}

// want checks the state of each waiter: "-" if it waits, "ok" if it returned nil, "cancel"
// if it returned a cancel, and the error's text otherwise.
func want(t *testing.T, waiters []*waiter, states ...string) {
	t.Helper()
	var got []string
	for _, w := range waiters {
		switch {
		case !w.done:
			got = append(got, "-")
		case w.err == nil:
			got = append(got, "ok")
		case errors.Is(w.err, context.Canceled):
			got = append(got, "cancel")
		default:
			got = append(got, w.err.Error())
		}
	}
	if !slices.Equal(got, states) {
		t.Errorf("the states of the waiters are %v, want %v", got, states)
	}
}

// elsewhere runs a loop on another goroutine, with a task that calls wait. While that task
// is parked, elsewhere calls meet in a task of a second loop. After that, it calls free in
// a task of the first loop.
func elsewhere(t *testing.T, wait func(ctx context.Context) error, meet func(ctx context.Context, first string), free func(ctx context.Context)) {
	t.Helper()
	parked, leave := make(chan string), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- task.Run(context.Background(), func(ctx context.Context) error {
			task.Go(ctx, wait)
			if err := task.Yield(ctx); err != nil {
				return err
			}
			name := task.Loop(ctx).String()
			_, err := await.Blocking(ctx, func(context.Context) (bool, error) {
				parked <- name
				<-leave
				return true, nil
			})
			free(ctx)
			return err
		})
	}()
	first := <-parked
	err := task.Run(context.Background(), func(ctx context.Context) error {
		meet(ctx, first)
		return nil
	})
	close(leave)
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
}
