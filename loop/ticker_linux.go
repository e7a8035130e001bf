// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timerfd is a ticker of the kernel's, waited for inside Go's network poller.
// While any timer of Go's own is set, Go's scheduler reads the clock each time
// it looks for a goroutine to run; for the channel hand-over that was a seventh
// of a switch. This one it asks for only when it is idle, or every 10 ms. See
// timerfd_create(2).
type timerfd struct {
	file  *os.File
	fired []byte // where read puts the number of ticks, which nobody needs
}

// newTicker returns a stopped ticker. When no descriptor is left, it is one of
// Go's own.
func newTicker() ticker {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return newGoTicker()
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	if err := file.SetReadDeadline(time.Time{}); err != nil { // Go's poller does not watch it
		file.Close()
		return newGoTicker()
	}
	return &timerfd{file: file, fired: make([]byte, 8)}
}

// start sets the first tick and those after it. CLOCK_MONOTONIC does not jump
// when somebody sets the machine's clock.
func (t *timerfd) start(tick time.Duration) {
	every := unix.NsecToTimespec(int64(tick))
	t.set(&unix.ItimerSpec{Interval: every, Value: every})
}

// stop disarms it: the kernel takes a zero value for that.
func (t *timerfd) stop() { t.set(&unix.ItimerSpec{}) }

// set goes through the file, so that a close at the same time cannot make the
// number somebody else's.
func (t *timerfd) set(spec *unix.ItimerSpec) {
	conn, err := t.file.SyscallConn()
	if err == nil {
		conn.Control(func(fd uintptr) { unix.TimerfdSettime(int(fd), 0, spec, nil) })
	}
}

// wait parks in Go's network poller, without a thread. Ticks that nobody waited
// for are one.
func (t *timerfd) wait() bool {
	_, err := t.file.Read(t.fired)
	return err == nil
}

func (t *timerfd) close() { t.file.Close() }
