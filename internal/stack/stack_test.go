// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/internal/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recovered calls fn and returns the stack of its panic.
func recovered(fn func()) (calls []byte) {
	defer func() {
		recover()
		calls = stack.OfPanic()
	}()
	fn()
	return nil
}

//go:noinline
func explode() { panic("boom") }

//go:noinline
func explodeAgain() {
	defer func() {
		recover()
		explode()
	}()
	panic("first")
}

//go:noinline
func divide(by int) int { return 1 / by }

// The stack begins with the call that panicked.
func TestStackBeginsWithTheCallThatPanicked(t *testing.T) {
	for _, c := range []struct {
		name string
		fn   func()
		want string
	}{
		{"a panic", explode, "stack_test.explode("},
		{"a panic while another one is handled", explodeAgain, "stack_test.explode("},
		{"an error of the runtime", func() { _ = divide(0) }, "stack_test.divide("},
		{"a panic with the word in its text", func() { panic("\npanic(\n\n") }, "stack_test.TestStackBeginsWithTheCallThatPanicked."},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := strings.Split(string(recovered(c.fn)), "\n")
			if len(lines) < 5 || !strings.HasPrefix(lines[0], "goroutine ") || !strings.Contains(lines[1], c.want) {
				t.Errorf("the stack does not begin with %s:\n%s", c.want, strings.Join(lines, "\n"))
			}
		})
	}
}

// Without a panic the stack is complete.
func TestStackWithoutPanicIsComplete(t *testing.T) {
	if s := stack.OfPanic(); !bytes.Contains(s, []byte("stack.OfPanic")) || !bytes.Contains(s, []byte("TestStackWithoutPanicIsComplete")) {
		t.Errorf("the stack is not complete:\n%s", s)
	}
}
