// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/loop"
)

// setLog redirects package log to w, until restore is called.
func setLog(w io.Writer) (restore func()) {
	old := log.Writer()
	log.SetOutput(w)
	return func() { log.SetOutput(old) }
}

// captureLog returns what fn prints with package log.
func captureLog(fn func()) string {
	var printed lockedBuffer
	defer setLog(&printed)()
	fn()
	return printed.String()
}

func explode() { panic(errors.New("broken on purpose")) }

func TestExceptionHandler(t *testing.T) {
	l := simulated(t)
	var got []loop.Exception
	l.SetExceptionHandler(func(from *loop.Loop, e loop.Exception) {
		if from != l || !l.Held() {
			t.Error("the handler received another loop, or ran without the baton")
		}
		got = append(got, e)
	})
	h := l.CallSoon(explode)
	l.Run()
	if len(got) != 1 {
		t.Fatalf("%d exceptions, want 1", len(got))
	}
	e := got[0]
	if e.Handle != h || h.Pending() {
		t.Error("the exception has another handle, or the handle is still pending")
	}
	for _, s := range []string{e.Message, string(e.Stack), e.String()} {
		if !strings.Contains(s, "loop_test.explode") {
			t.Errorf("%q does not name the function that panicked", s)
		}
	}
	if !strings.Contains(e.String(), "broken on purpose") {
		t.Errorf("%q does not contain the error", e)
	}
}

// A message about a panic names the user's function, however the function was scheduled.
func TestExceptionNamesFunction(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(l *loop.Loop)
	}{
		{"CallLater", func(l *loop.Loop) { l.CallLater(time.Second, explode) }},
		{"CallRepeatedly", func(l *loop.Loop) { l.CallRepeatedly(time.Second, explode) }},
		{"CallSoonThreadsafe", func(l *loop.Loop) { l.CallSoonThreadsafe(explode) }},
		{"RunInExecutor", func(l *loop.Loop) { l.RunInExecutor(explode, nil) }},
		{"then", func(l *loop.Loop) { l.RunInExecutor(func() {}, explode) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard(t)
			l := simulated(t)
			l.SetDebug(true)
			var messages []string
			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { messages = append(messages, e.Message) })
			c.call(l)
			l.Run()
			if len(messages) != 1 || !strings.Contains(messages[0], "loop_test.explode") ||
				!strings.Contains(messages[0], "exception_test.go:") {
				t.Errorf("messages %q, want one that names explode and where it was passed", messages)
			}
		})
	}
}

func TestDefaultExceptionHandler(t *testing.T) {
	l := simulated(t)
	called := 0
	l.SetExceptionHandler(func(*loop.Loop, loop.Exception) { called++ })
	l.SetExceptionHandler(nil)
	ran := false
	printed := captureLog(func() {
		l.CallSoon(explode)
		l.CallSoon(func() { ran = true })
		l.Run()
	})
	if called != 0 || !ran || !strings.Contains(printed, "broken on purpose") || !strings.Contains(printed, "explode") {
		t.Errorf("the default handler printed %q; the next callback ran: %v", printed, ran)
	}
}

func TestExceptionHandlerThatPanics(t *testing.T) {
	l := simulated(t)
	l.SetExceptionHandler(func(*loop.Loop, loop.Exception) { panic("the handler, too") })
	ran := false
	printed := captureLog(func() {
		l.CallSoon(explode)
		l.CallSoon(func() { ran = true })
		l.Run()
	})
	if !ran || !strings.Contains(printed, "broken on purpose") || !strings.Contains(printed, "the handler, too") {
		t.Errorf("a handler that panics left %q; the next callback ran: %v", printed, ran)
	}
}

// SetExceptionHandler and SetDebug are safe for concurrent use.
func TestSettersFromAnotherGoroutine(t *testing.T) {
	l := open(t, loop.Config{})
	quiet := func(*loop.Loop, loop.Exception) {}
	l.SetExceptionHandler(quiet)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 1000 {
			l.SetExceptionHandler(quiet)
			l.SetDebug(!l.Debug())
		}
	}()
	for range 100 {
		l.CallSoon(explode)
	}
	l.Run()
	<-ended
}

func TestHandleString(t *testing.T) {
	l := simulated(t)
	if s := l.CallSoon(explode).String(); s != "baton/loop_test.explode" {
		t.Errorf("String of a handle is %q", s)
	}
	l.SetDebug(true)
	_, file, line, _ := runtime.Caller(0)
	for i, h := range []*loop.Handle{
		l.CallSoon(explode),
		l.CallLater(time.Second, explode),
		l.CallAt(time.Time{}, explode),
		l.CallRepeatedly(time.Second, explode),
	} {
		if !strings.HasSuffix(h.String(), fmt.Sprintf("%s:%d", filepath.Base(file), line+2+i)) {
			t.Errorf("String of handle %d is %q", i, h)
		}
		h.Cancel()
		if !strings.Contains(h.String(), "loop_test.explode") {
			t.Errorf("String of a cancelled handle is %q", h)
		}
	}
}

func TestPending(t *testing.T) {
	l := simulated(t)
	soon, later := l.CallSoon(func() {}), l.CallLater(time.Second, func() {})
	n := 0
	var often *loop.Handle
	often = l.CallRepeatedly(time.Second, func() {
		if !often.Pending() {
			t.Error("a repeated callback is not pending while it runs")
		}
		if n++; n == 2 {
			often.Cancel()
		}
	})
	l.SetExceptionHandler(func(*loop.Loop, loop.Exception) {})
	broken := l.CallRepeatedly(time.Second, explode)
	for _, h := range []*loop.Handle{soon, later, often, broken} {
		if !h.Pending() {
			t.Errorf("%v is not pending before the run", h)
		}
	}
	l.Run()
	for _, h := range []*loop.Handle{soon, later, often, broken} {
		if h.Pending() {
			t.Errorf("%v is pending after the run", h)
		}
	}
}

// A callback that calls Goexit ends the goroutine of Run, and its own CallRepeatedly. The
// next Run continues with the turn.
func TestGoexitEndsRunAndChain(t *testing.T) {
	l := simulated(t)
	var ran notes
	chain := l.CallRepeatedly(time.Second, func() {
		ran.add("chain")()
		runtime.Goexit()
	})
	l.CallLater(time.Second, ran.add("next"))
	ended := make(chan bool)
	go func() {
		defer func() { ended <- true }()
		l.Run()
		ended <- false
	}()
	if !<-ended {
		t.Fatal("Run returned after Goexit in a callback")
	}
	if chain.Pending() {
		t.Error("the repeated callback is still pending after Goexit")
	}
	l.Run()
	ran.want(t, "in all", "chain next")
}
