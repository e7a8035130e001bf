// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
)

// Calls that looptest does not test also panic on a closed loop, with a message that names
// the call.
func TestUseAfterClose(t *testing.T) {
	l := simulated(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for call, use := range map[string]func(){
		"Submit":                     func() { l.Driver().Submit(&poll.Op{Kind: poll.Lookup, Host: "localhost"}) },
		"AddSignalHandler":           func() { l.AddSignalHandler(os.Interrupt, func() {}) },
		"AddBackgroundSignalHandler": func() { l.AddBackgroundSignalHandler(os.Interrupt, func() {}) },
		"RunInExecutor":              func() { l.RunInExecutor(func() { t.Error("it ran") }, nil) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.Contains(v, call+" on ") || !strings.Contains(v, "closed") {
					t.Errorf("%s after Close: panic %q", call, v)
				}
			}()
			use()
		}()
	}
	if err := l.Driver().Post(nil); !errors.Is(err, loop.ErrClosed) {
		t.Errorf("Post after Close: %v, want ErrClosed", err)
	}
}

// Close drops what is scheduled; Pending of its handles returns false.
func TestPendingAfterClose(t *testing.T) {
	l := simulated(t)
	nothing := func() {}
	posted, err := l.CallSoonThreadsafe(nothing)
	if err != nil {
		t.Fatal(err)
	}
	handles := []*loop.Handle{
		l.CallSoon(nothing), l.CallLater(time.Hour, nothing), l.CallRepeatedly(time.Hour, nothing), posted,
	}
	for i, want := range []bool{true, false} {
		for _, h := range handles {
			if h.Pending() != want {
				t.Errorf("after %d calls of Close: %v is pending: %v", i, h, h.Pending())
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range handles {
		h.Cancel() // deferred cleanup runs in any order
	}
}

// Close waits five seconds for the executor by default. Its error says how many functions
// still run.
func TestCloseWaitsForDrain(t *testing.T) {
	for _, c := range []struct{ drain, want time.Duration }{
		{0, 5 * time.Second}, {time.Minute, time.Minute}, {-1, -1},
	} {
		for left, message := range []string{"", "1 functions of RunInExecutor still run after " + max(c.want, 0).String()} {
			executor := &inline{left: left}
			l, err := loop.New(loop.Config{Executor: executor, Drain: c.drain})
			if err != nil {
				t.Fatal(err)
			}
			err = l.Close()
			if (err == nil) != (left == 0) || err != nil && !strings.Contains(err.Error(), message) {
				t.Errorf("Close with %d functions left: %v, want %q", left, err, message)
			}
			if executor.drain != c.want {
				t.Errorf("Drain %v: the executor's Close was called with %v, want %v", c.drain, executor.drain, c.want)
			}
		}
	}
}

// atOnce is an executor whose Submit returns after the function has ended.
type atOnce struct{}

func (atOnce) Submit(fn func()) (cancel func() bool) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fn()
	}()
	<-ended
	return func() bool { return false }
}

func (atOnce) Close(time.Duration) (left int) { return 0 }

// Close logs a panic that the loop has not yet processed.
func TestPanicBeforeClose(t *testing.T) {
	guard(t)
	var printed lockedBuffer
	defer setLog(&printed)()
	l, err := loop.New(loop.Config{Executor: atOnce{}})
	if err != nil {
		t.Fatal(err)
	}
	l.RunInExecutor(func() { panic("unheard") }, nil)
	l.RunInExecutor(func() { panic(loop.Exception{Message: "as it is"}) }, nil)
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, want := range []string{"panicked: unheard\n", "as it is\n"} {
		if s := printed.String(); !strings.Contains(s, want) {
			t.Errorf("the log does not contain %q:\n%s", want, s)
		}
	}
}
