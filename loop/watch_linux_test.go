// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// onEpoll makes a loop on epoll, which can watch descriptors, whatever BATON_POLLER says.
func onEpoll(t *testing.T) *loop.Loop {
	t.Helper()
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, loop.Config{Poller: p})
}

// pipe makes a pipe of plain descriptors, which Go's network poller does not watch.
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

// high returns a copy of fd with a high number, which no other file gets by chance. The
// caller must close it.
func high(t *testing.T, fd int) uintptr {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, int(min(limit.Cur-1, 3000)))
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(copied)
}

func TestWatchHighDescriptor(t *testing.T) {
	guard(t)
	l := onEpoll(t)
	read, write := pipe(t)
	fd := high(t, read)
	defer unix.Close(int(fd))
	ran := false
	if err := l.AddReader(fd, func() {
		ran = true
		l.RemoveReader(fd)
	}); err != nil {
		t.Fatal(err)
	}
	unix.Write(write, []byte("x"))
	l.Run()
	if !ran {
		t.Errorf("the reader of descriptor %d did not run", fd)
	}
}

// If a descriptor cannot be watched, the message says why, and errors.Is finds the kernel's
// error.
func TestWatchErrors(t *testing.T) {
	l := onEpoll(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	read, _ := pipe(t)
	h, err := l.Poller().Adopt(uintptr(read))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, c := range []struct {
		fd   uintptr
		want error
		why  string
	}{
		{file.Fd(), unix.EPERM, "a regular file cannot be watched"},
		{dir.Fd(), unix.EPERM, "a directory cannot be watched"},
		{uintptr(read), unix.EEXIST, fmt.Sprintf("descriptor %d belongs to a handle of an earlier Adopt", read)},
		{1 << 20, unix.EBADF, "bad file descriptor"},
	} {
		for call, add := range map[string]func(uintptr, func()) error{"AddReader": l.AddReader, "AddWriter": l.AddWriter} {
			err := add(c.fd, func() {})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), call) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: %v, want %v and %q", call, err, c.want, c.why)
			}
		}
	}
	if !l.Idle() {
		t.Error("not idle after AddReader and AddWriter failed")
	}
}

// The descriptor belongs to the caller: neither removing the watcher nor closing the loop
// closes it.
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
			t.Errorf("the descriptor was closed: %v", err)
		}
	}
}

// If a watched descriptor is closed, the exception handler is called once for each
// direction. The loop does not spin, and becomes idle.
func TestWatchClosedDescriptor(t *testing.T) {
	guard(t)
	l := onEpoll(t)
	l.SetDebug(true)
	var reported []loop.Exception
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = append(reported, e) })
	_, write := pipe(t)
	fd := high(t, write) // no other file gets its number meanwhile
	calls := 0
	writer := func() {
		if calls++; calls == 1 {
			unix.Close(int(fd))
		}
	}
	if err := l.AddWriter(fd, writer); err != nil {
		t.Fatal(err)
	}
	l.Run() // until idle
	if calls != 1 || len(reported) != 1 || !l.Idle() {
		t.Fatalf("the writer ran %d times, reported: %v; idle: %v", calls, reported, l.Idle())
	}
	message := reported[0].String()
	for _, part := range []string{"the writer of descriptor", "TestWatchClosedDescriptor.func", "watch_linux_test.go:", "bad file descriptor"} {
		if !strings.Contains(message, part) {
			t.Errorf("reported %q, want %q in it", message, part)
		}
	}
	if !errors.Is(reported[0].Err, unix.EBADF) || l.RemoveWriter(fd) {
		t.Errorf("reported %v, and the writer is still there: %v", reported[0].Err, l.RemoveWriter(fd))
	}
}

// If one direction cannot be watched, the other direction is still watched.
func TestWatchFails(t *testing.T) {
	guard(t)
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	poller := &failing{Poller: p}
	l := open(t, loop.Config{Poller: poller})
	read, _ := pipe(t)
	var reported []error
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = append(reported, e.Err) })
	if err := l.AddReader(uintptr(read), func() { t.Error("the reader ran") }); err != nil {
		t.Fatal(err)
	}
	poller.now = true
	if err := l.AddWriter(uintptr(read), func() {}); !errors.Is(err, errFailing) || !strings.Contains(err.Error(), "AddWriter") {
		t.Errorf("AddWriter: %v, want %v", err, errFailing)
	}
	if l.RemoveWriter(uintptr(read)) {
		t.Error("there is a writer after AddWriter failed")
	}
	poller.late = true // now the operation in flight fails as well
	l.Run()
	if len(reported) != 1 || !errors.Is(reported[0], errFailing) {
		t.Errorf("reported: %v, want %v once", reported, errFailing)
	}
	if l.RemoveReader(uintptr(read)) {
		t.Error("there is still a reader after its operation failed")
	}
}

var errFailing = errors.New("the poller fails on purpose")

// A failing poller fails readiness operations: at once if now is set, or when they are
// reported if late is set.
type failing struct {
	poll.Poller
	now, late bool
	flying    *poll.Op
}

func (f *failing) Submit(op *poll.Op) bool {
	if f.now && (op.Kind == poll.Readable || op.Kind == poll.Writable) {
		op.Err = errFailing
		return true
	}
	f.flying = op
	return f.Poller.Submit(op)
}

func (f *failing) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	if f.late {
		f.Cancel(f.flying)
	}
	done = f.Poller.Wait(done, d)
	for _, op := range done {
		op.Err = errFailing
	}
	return done
}

// If a writer panics, the report names the writer and, in debug mode, the place of its
// AddWriter.
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
