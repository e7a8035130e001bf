// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll/epoll"
)

// onEpoll makes a loop that can watch descriptors, whatever BATON_POLLER says.
func onEpoll(t *testing.T) *loop.Loop {
	t.Helper()
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, loop.Config{Poller: p})
}

// pipe makes a pipe of plain descriptors, so that nobody else watches them.
func pipe(t *testing.T) (read, write int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

func TestWatchPipe(t *testing.T) {
	guard(t)
	l := onEpoll(t)
	read, write := pipe(t)
	writes, got := 0, ""
	if err := l.AddWriter(uintptr(write), func() {
		unix.Write(write, []byte{'a' + byte(writes)})
		if writes++; writes == 3 {
			l.RemoveWriter(uintptr(write))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.AddReader(uintptr(read), func() {
		buf := make([]byte, 1)
		n, err := unix.Read(read, buf)
		if err != nil {
			t.Errorf("the reader ran with nothing to read: %v", err)
		}
		if got += string(buf[:n]); len(got) >= 3 {
			l.RemoveReader(uintptr(read))
		}
	}); err != nil {
		t.Fatal(err)
	}
	l.Run()
	if got != "abc" {
		t.Errorf("read %q, want abc", got)
	}
}

func TestWatchHighDescriptor(t *testing.T) {
	guard(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	l := onEpoll(t)
	read, write := pipe(t)
	high, err := unix.FcntlInt(uintptr(read), unix.F_DUPFD_CLOEXEC, int(min(limit.Cur-1, 3000)))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	ran := false
	if err := l.AddReader(uintptr(high), func() {
		ran = true
		l.RemoveReader(uintptr(high))
	}); err != nil {
		t.Fatal(err)
	}
	unix.Write(write, []byte("x"))
	l.Run()
	if !ran {
		t.Errorf("the reader of descriptor %d did not run", high)
	}
}

func TestWatchErrors(t *testing.T) {
	l := onEpoll(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name string
		fd   uintptr
		want error
	}{
		{"a regular file", file.Fd(), unix.EPERM},
		{"no descriptor", 1 << 20, unix.EBADF},
	} {
		if err := l.AddReader(c.fd, func() {}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "AddReader") {
			t.Errorf("AddReader of %s: %v, want %v", c.name, err, c.want)
		}
		if err := l.AddWriter(c.fd, func() {}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "AddWriter") {
			t.Errorf("AddWriter of %s: %v, want %v", c.name, err, c.want)
		}
	}
	if !l.Idle() {
		t.Error("not idle after watching has failed")
	}
}

// The descriptor is the caller's: removing the watcher, or closing the loop,
// leaves it open.
func TestWatchLeavesDescriptorOpen(t *testing.T) {
	read, _ := pipe(t)
	for range 2 {
		l := onEpoll(t)
		for range 2 {
			if err := l.AddReader(uintptr(read), func() {}); err != nil {
				t.Fatal(err)
			}
			l.RemoveReader(uintptr(read))
		}
		if err := l.AddReader(uintptr(read), func() {}); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := unix.FcntlInt(uintptr(read), unix.F_GETFD, 0); err != nil {
			t.Errorf("the descriptor is gone: %v", err)
		}
	}
}

// A panic in a reader is reported with the reader's own name, and in debug mode
// with the place of its AddReader.
func TestWatchNamesFunction(t *testing.T) {
	guard(t)
	l := onEpoll(t)
	l.SetDebug(true)
	_, write := pipe(t)
	var messages []string
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
		messages = append(messages, e.Message)
		l.RemoveWriter(uintptr(write))
	})
	if err := l.AddWriter(uintptr(write), explode); err != nil {
		t.Fatal(err)
	}
	l.Run()
	if len(messages) != 1 || !strings.Contains(messages[0], "loop_test.explode") ||
		!strings.Contains(messages[0], "watch_linux_test.go:") {
		t.Errorf("messages: %q", messages)
	}
}
