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

// A mode is a change of a terminal that is taken back in the end.
type mode struct {
	file         *os.File
	before, then unix.Termios
}

// within calls fn while the terminal of f has the mode that change makes of its own.
func within(ctx context.Context, op string, f *os.File, change func(*unix.Termios), fn func(ctx context.Context) error) error {
	m := &mode{file: f}
	err := control(f, func(fd int) error {
		before, err := unix.IoctlGetTermios(fd, getTermios)
		if err == nil {
			m.before, m.then = *before, *before
		}
		return err
	})
	if err == nil {
		change(&m.then)
		err = m.set(&m.then)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: err}
	}
	// To restore may fail if the terminal has gone, and then there is nothing to restore.
	restore := func() { _ = m.set(&m.before) }
	defer restore()
	defer bridge.AtExit(restore)()
	unstop, err := m.stops(ctx, restore)
	if err != nil {
		return err
	}
	defer unstop()
	return fn(ctx)
}

// stops has the terminal restored while the process is stopped by SIGTSTP.
func (m *mode) stops(ctx context.Context, restore func()) (end func(), err error) {
	d := task.Loop(ctx).Driver()
	stopped, err := d.ReceiveSignal(unix.SIGTSTP, func() {
		restore()
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // a process may stop itself
	})
	if err != nil {
		return nil, err
	}
	continued, err := d.ReceiveSignal(unix.SIGCONT, func() { _ = m.set(&m.then) })
	if err != nil {
		stopped()
		return nil, err
	}
	return func() { stopped(); continued() }, nil
}

// set changes the mode, unless the terminal is that of another job: the kernel would stop
// this one. Safe from every goroutine.
func (m *mode) set(t *unix.Termios) error {
	return control(m.file, func(fd int) error {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
			return nil
		}
		return unix.IoctlSetTermios(fd, setTermios, t)
	})
}

// raw is what cfmakeraw(3) does.
func raw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// silent shows only the end of the line.
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

// isTerminal reports whether f has the mode of a terminal.
func isTerminal(f *os.File) bool {
	return control(f, func(fd int) error { _, err := unix.IoctlGetTermios(fd, getTermios); return err }) == nil
}

// sizeChanged is the signal of a window that has another size.
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
