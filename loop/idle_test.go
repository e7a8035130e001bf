// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"net"
	"os"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
)

func TestExternalSourceKeepsRunning(t *testing.T) {
	l := simulated(t)
	l.Driver().Open()
	l.Driver().Open()
	l.CallSoon(l.Driver().Shut)
	shut := false
	l.CallLater(time.Hour, func() {
		if l.Idle() {
			t.Error("idle with an external source")
		}
		go l.CallSoonThreadsafe(func() {
			l.Driver().Shut()
			shut = true
		})
	})
	l.Run()
	if !shut {
		t.Error("Run returned before the external source was shut")
	}
	if !l.Idle() {
		t.Error("not idle after all external sources were shut")
	}
}

func TestOperationKeepsRunning(t *testing.T) {
	l := simulated(t)
	listener, err := l.Poller().Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := completer{}
	op := &poll.Op{Kind: poll.Accept, Handle: listener, Owner: done}
	if l.Driver().Submit(op) {
		t.Fatal("an Accept without a Connect completed at once")
	}
	if l.Idle() {
		t.Error("idle with an operation in flight")
	}
	l.CallLater(time.Hour, func() { l.Poller().Cancel(op) })
	l.Run()
	if !done[op] {
		t.Error("Run ended before the operation was reported")
	}
	if op := (&poll.Op{Kind: poll.Read, Buf: []byte{}, Owner: done}); !l.Driver().Submit(op) || done[op] {
		t.Error("an operation that fails at once was reported twice, or is in flight")
	}
	if !l.Idle() {
		t.Error("not idle after the operation")
	}
}

type completer map[*poll.Op]bool

func (c completer) Complete(op *poll.Op) { c[op] = true }

func TestBackgroundSignalHandlerIsIdle(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	if err := l.AddBackgroundSignalHandler(os.Interrupt, func() {}); err != nil {
		t.Fatal(err)
	}
	if l.Run() || !l.Idle() {
		t.Error("a background handler keeps the loop from being idle")
	}
	if err := l.AddSignalHandler(os.Interrupt, func() {}); err != nil {
		t.Fatal(err)
	}
	if l.Idle() {
		t.Error("idle with a signal handler")
	}
	l.RemoveSignalHandler(os.Interrupt)
	if !l.Idle() {
		t.Error("not idle after the handler was removed")
	}
}

func TestPostedCallIsNotIdle(t *testing.T) {
	l := simulated(t)
	var ran notes
	if _, err := l.CallSoonThreadsafe(ran.add("a")); err != nil {
		t.Fatal(err)
	}
	if l.Idle() {
		t.Error("idle with a call that has arrived")
	}
	l.Run()
	ran.want(t, "in the run", "a")
}

func TestPost(t *testing.T) {
	l := simulated(t)
	var ran notes
	if err := l.Driver().Post(waker(ran.add("woken"))); err != nil {
		t.Fatal(err)
	}
	ran.want(t, "before the loop ran", "")
	l.Run()
	ran.want(t, "in the run", "woken")
	l.Close()
	if err := l.Driver().Post(waker(ran.add("late"))); err != loop.ErrClosed {
		t.Errorf("Post on a closed loop: %v", err)
	}
}
