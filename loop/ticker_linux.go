// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A timerfd is a ticker on a timer of the kernel, and waits in Go's network poller: see
// timerfd_create(2). While any Go timer is set, Go's scheduler reads the clock each time it
// looks for a goroutine to run. With handoff by channel, this took a seventh of a switch.
// The scheduler checks the network poller only when it is idle, or every 10 ms.
type timerfd struct {
	file  *os.File
	fired []byte // where read stores the number of ticks, which is not used
}

// newTicker returns a stopped ticker. If no descriptor is left, the ticker uses a Go timer.
func newTicker() ticker {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return newGoTicker()
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	if err := file.SetReadDeadline(time.Time{}); err != nil { // the network poller cannot watch it
		file.Close()
		return newGoTicker()
	}
	return &timerfd{file: file, fired: make([]byte, 8)}
}

// start sets the first tick and all later ones. CLOCK_MONOTONIC does not jump when the
// machine's clock is set.
func (t *timerfd) start(tick time.Duration) {
	every := unix.NsecToTimespec(int64(tick))
	t.set(&unix.ItimerSpec{Interval: every, Value: every})
}

// stop disarms the timer; a zero value means that to the kernel.
func (t *timerfd) stop() { t.set(&unix.ItimerSpec{}) }

// set uses the descriptor through the file, so that a concurrent close cannot free its
// number for another file.
func (t *timerfd) set(spec *unix.ItimerSpec) {
	conn, err := t.file.SyscallConn()
	if err == nil {
		conn.Control(func(fd uintptr) { unix.TimerfdSettime(int(fd), 0, spec, nil) })
	}
}

// wait parks in Go's network poller, without a thread. Ticks that were missed count as one.
func (t *timerfd) wait() bool {
	_, err := t.file.Read(t.fired)
	return err == nil
}

func (t *timerfd) close() { t.file.Close() }
