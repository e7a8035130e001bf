// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"baton/await"
	"baton/locks"
	"baton/loop/poll"
	"baton/task"
)

// IsTerminal reports whether f is a terminal. It does not switch.
func IsTerminal(f *os.File) bool { return isTerminal(f) }

// Raw calls fn while the terminal of f, usually os.Stdin, is in raw mode: each key comes at
// once, is not echoed, and means nothing to the terminal. Read them with [Input.Read]. So
// Ctrl-C is a byte, 3, and no signal, and a line that is written ends with "\r\n".
//
// When fn returns or panics, the terminal is as it was before. So it is
//
//   - after a SIGINT or SIGTERM under task.Main, which cancels fn, and after the second one,
//     which ends the process;
//   - while the process is stopped by SIGTSTP: it is raw again after SIGCONT.
//
// It stays raw if another signal ends the process (SIGKILL, SIGQUIT), if the process calls
// os.Exit, or if it dies of a panic outside of Baton's tasks; then the user can type "stty
// sane". While the process is in the background the mode does not change. Other programs that
// use the same terminal find it raw, too.
//
// Raw may switch, as fn may. Its error is that of fn, or a [*fs.PathError]: with ENOTTY if f
// is no terminal, and with errors.ErrUnsupported on systems without termios. In a simulated
// world it is errors.ErrUnsupported.
func Raw(ctx context.Context, f *os.File, fn func(ctx context.Context) error) error {
	if err := begin(ctx); err != nil {
		return err
	}
	return withinRaw(ctx, f, fn)
}

// begin begins a call, which a simulated world does not have.
func begin(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err == nil && r.Loop().Poller().Caps().Has(poll.Virtual) {
		err = fmt.Errorf("terminal: terminals in %v: %w", r.Loop(), errors.ErrUnsupported)
	}
	return err
}

// ReadPassword writes the prompt to the terminal and reads a line that is not shown. It uses
// the terminal of the process (/dev/tty), and so also if input and output are files. See
// [Input.ReadPassword].
func ReadPassword(ctx context.Context, prompt string) (string, error) {
	if err := begin(ctx); err != nil {
		return "", err
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer tty.Close()
	in, err := NewInput(ctx, tty)
	if err != nil {
		return "", err
	}
	defer in.Close()
	return in.readPassword(ctx, tty, prompt)
}

// ReadPassword reads a line like ReadLine, and what is typed is not shown, except for the end
// of the line. The terminal is as it was before when ReadPassword returns, and in all the
// other cases of [Raw]. An Input that is no terminal is only read. The file that the Input
// was made of must still be open.
func (in *Input) ReadPassword(ctx context.Context) (string, error) {
	return in.readPassword(ctx, in.of, "")
}

// readPassword shows the prompt when f has become silent: its user may type at once. A terminal
// takes a prompt at once, unless the user has stopped the output.
func (in *Input) readPassword(ctx context.Context, f *os.File, prompt string) (line string, err error) {
	if !IsTerminal(f) {
		return in.ReadLine(ctx)
	}
	err = withinSilent(ctx, f, func(ctx context.Context) error {
		if prompt != "" {
			_, err := await.Blocking(ctx, func(context.Context) (int, error) { return io.WriteString(f, prompt) })
			if err != nil {
				return err
			}
		}
		line, err = in.ReadLine(ctx)
		return err
	})
	return line, err
}

// A Size is that of a window, in characters. A terminal that does not know its size has zeros.
type Size struct{ Columns, Rows int }

// SizeOf returns the size of the window of f, usually os.Stdout. The error is a
// [*fs.PathError], with ENOTTY if f is no terminal. It does not switch.
func SizeOf(f *os.File) (Size, error) { return size(f) }

// Sizes returns the size of the window of f, and then each other size that it gets (SIGWINCH),
// for use with range. Each step but the first waits, and may switch. An error is the last
// step: that of a cancel, or of [SizeOf].
func Sizes(ctx context.Context, f *os.File) iter.Seq2[Size, error] {
	return func(yield func(Size, error) bool) {
		err := begin(ctx)
		if err == nil {
			err = sizes(ctx, f, yield)
		}
		if err != nil {
			yield(Size{}, err)
		}
	}
}

// sizes yields one size after another, until yield has enough of them.
func sizes(ctx context.Context, f *os.File, yield func(Size, error) bool) error {
	var changed locks.Event
	d := task.Loop(ctx).Driver()
	stop, err := d.ReceiveSignal(sizeChanged, changed.Set)
	if err != nil {
		return err
	}
	defer stop()
	last := Size{-1, -1}
	for {
		changed.Clear()
		s, err := SizeOf(f)
		if err != nil {
			return err
		}
		if s != last && !yield(s, nil) {
			return nil
		}
		last = s
		d.Open() // a signal comes from outside
		err = changed.Wait(ctx)
		d.Shut()
		if err != nil {
			return err
		}
	}
}
