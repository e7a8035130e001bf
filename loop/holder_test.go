// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"fmt"
	"strings"
	"testing"

	"baton/loop"
)

func TestCurrent(t *testing.T) {
	l := simulated(t)
	if loop.Current() != nil || l.Held() {
		t.Error("a loop that does not run has a holder")
	}
	l.CallSoon(func() {
		if loop.Current() != l || !l.Held() {
			t.Error("a callback does not hold the baton")
		}
		elsewhere := make(chan bool)
		go func() { elsewhere <- loop.Current() != nil || l.Held() }()
		if <-elsewhere {
			t.Error("another goroutine holds the baton")
		}
	})
	l.Run()
	if loop.Current() != nil || l.Held() {
		t.Error("a loop that has run has a holder")
	}
}

// Misuse panics with a message that names the loops and says what to do.
func TestMisuse(t *testing.T) {
	inner, outer, closed := simulated(t), simulated(t), simulated(t)
	closed.Close()
	outer.CallSoon(func() {
		for _, c := range []struct {
			name string
			call func()
			says []string
		}{
			{"a loop in another one", func() { inner.Run() }, []string{inner.String(), outer.String()}},
			{"a loop in itself", func() { outer.RunOnce(0) }, []string{outer.String()}},
			{"Close inside", func() { outer.Close() }, []string{outer.String(), "Stop"}},
			{"closed", func() { closed.CallSoon(func() {}) }, []string{"CallSoon", closed.String(), "closed"}},
			{"Run of closed", func() { closed.Run() }, []string{"Run", closed.String()}},
			{"executor of closed", func() { closed.RunInExecutor(func() {}, nil) }, []string{"RunInExecutor", "closed"}},
			{"nil for the executor", func() { outer.RunInExecutor(nil, nil) }, []string{"nil"}},
			{"foreign goroutine", func() {
				foreign := make(chan any)
				go func() {
					defer func() { foreign <- recover() }()
					outer.CallSoon(func() {})
				}()
				panic(<-foreign)
			}, []string{"CallSoon", outer.String(), "CallSoonThreadsafe"}},
		} {
			message := fmt.Sprint(panics(t, c.call))
			for _, s := range c.says {
				if !strings.Contains(message, s) {
					t.Errorf("%s: the message %q does not contain %q", c.name, message, s)
				}
			}
		}
		// Two loops may run at the same time, each on its own goroutine.
		ran, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			inner.CallSoon(func() { ran = loop.Current() == inner })
			inner.Run()
		}()
		if <-ended; !ran {
			t.Error("another goroutine could not run another loop")
		}
	})
	outer.Run()
}
