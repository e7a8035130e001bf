// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The output has the stacks at each moment of the task's life.
func TestStacksOfATask(t *testing.T) {
	var out strings.Builder
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	err := runner.Run(context.Background(), func(ctx context.Context) error { return show(ctx, &out) })
	if err != nil {
		t.Fatalf("show = %v", err)
	}
	const divide = `.*\.divide\(.*\n\t.*main\.go:\d+`
	moments := []struct{ title, want string }{
		{"before: the task has not begun", `task 2 \(divide\), ready\n\n`},
		{"inside the task", `task 2 \(divide\), running\n(?:.*\n)*` + divide},
		{"during: it waits for a line", `task 2 \(divide\), parked, waits for .+\n` + divide},
		{"during: it waits for a line", `catching .*divide by zero of task 2 \(divide\)\n` + divide},
		{"after: it has ended", `exception handler gets: task 2 \(divide\) panicked .*divide by zero`},
	}
	for _, m := range moments {
		_, shown, found := strings.Cut(out.String(), "--- "+m.title+" ---\n")
		shown, _, _ = strings.Cut(shown, "--- ")
		if !found || !regexp.MustCompile(m.want).MatchString(shown) {
			t.Errorf("%s: %q is missing in\n%s", m.title, m.want, shown)
		}
		if m.title == "after: it has ended" && strings.Contains(shown, "divide), ") {
			t.Errorf("%s: the ended task has a stack:\n%s", m.title, shown)
		}
	}
}

// frames returns the frames of main.go, or all frames.
func TestFrames(t *testing.T) {
	var stack []byte
	err := task.Run(context.Background(), func(ctx context.Context) error {
		stack = task.Self(ctx).Stack()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := frames(stack); got != "" { // this file is not main.go
		t.Errorf("the frames of main.go are\n%s", got)
	}
	*full = true
	defer func() { *full = false }()
	if got := frames(stack); got != string(stack) || !strings.Contains(got, "TestFrames") {
		t.Errorf("all frames are\n%s", got)
	}
}
