// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package terminal

import (
	"context"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"baton/internal/bridge"
	"baton/task"
)

// A mode is a temporary mode of a terminal.
type mode struct {
	file            *os.File
	before, changed unix.Termios
}

// within calls fn while the terminal f is in a changed mode. The function change computes that
// mode from the present one.
func within(ctx context.Context, op string, f *os.File, change func(*unix.Termios), fn func(ctx context.Context) error) error {
	m := &mode{file: f}
	err := control(f, func(fd int) error {
		before, err := unix.IoctlGetTermios(fd, getTermios)
		if err == nil {
			m.before, m.changed = *before, *before
		}
		return err
	})
	if err != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: err}
	}
	change(&m.changed)
	// restore fails only if the terminal is gone, and then there is nothing to restore. It is
	// registered before the change and removed after the restoration, so that a signal can end
	// the process at any moment.
	restore := func() { _ = m.set(&m.before) }
	defer bridge.AtExit(restore)()
	defer restore()
	if err := m.set(&m.changed); err != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: err}
	}
	unstop, err := m.stops(ctx, restore)
	if err != nil {
		return err
	}
	defer unstop()
	return fn(ctx)
}

// stops arranges that the terminal is restored while SIGTSTP has stopped the process.
func (m *mode) stops(ctx context.Context, restore func()) (end func(), err error) {
	d := task.Loop(ctx).Driver()
	stopped, err := d.ReceiveSignal(unix.SIGTSTP, func() {
		restore()
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // cannot fail
	})
	if err != nil {
		return nil, err
	}
	continued, err := d.ReceiveSignal(unix.SIGCONT, func() { _ = m.set(&m.changed) })
	if err != nil {
		stopped()
		return nil, err
	}
	return func() { stopped(); continued() }, nil
}

// set changes the mode of the terminal. It does nothing if the process is in the background,
// where the kernel would stop the process for it. It is safe for concurrent use.
func (m *mode) set(t *unix.Termios) error {
	return control(m.file, func(fd int) error {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
			return nil
		}
		return unix.IoctlSetTermios(fd, setTermios, t)
	})
}

// raw changes the mode as cfmakeraw(3) does.
func raw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// silent changes the mode so that the terminal shows only the end of each line.
func silent(t *unix.Termios) {
	t.Iflag |= unix.ICRNL
	t.Lflag &^= unix.ECHO
	t.Lflag |= unix.ICANON | unix.ISIG | unix.ECHONL
}

func withinRaw(ctx context.Context, f *os.File, fn func(ctx context.Context) error) error {
	return within(ctx, "raw", f, raw, fn)
}

func withinSilent(ctx context.Context, f *os.File, fn func(ctx context.Context) error) error {
	return within(ctx, "silence", f, silent, fn)
}

// isTerminal reports whether f is a terminal: whether it has a mode.
func isTerminal(f *os.File) bool {
	return control(f, func(fd int) error { _, err := unix.IoctlGetTermios(fd, getTermios); return err }) == nil
}

// sizeChanged is the signal that reports a new size of the window.
const sizeChanged = unix.SIGWINCH

func size(f *os.File) (s Size, err error) {
	err = control(f, func(fd int) error {
		w, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil {
			s = Size{Columns: int(w.Col), Rows: int(w.Row)}
		}
		return err
	})
	if err != nil {
		err = &fs.PathError{Op: "size", Path: f.Name(), Err: err}
	}
	return s, err
}
