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

// Raw calls fn while the terminal f, usually os.Stdin, is in raw mode. In raw mode the program
// receives each key at once, by [Input.Read]. The terminal does not show typed keys and does
// not interpret them: Ctrl-C is the byte 3 and sends no signal. A written line must end with
// "\r\n".
//
// Raw restores the mode of the terminal when fn returns or panics. It is also restored
//
//   - after a SIGINT or SIGTERM under task.Main, which cancels fn, and after a second signal,
//     which ends the process;
//   - while the process is stopped by SIGTSTP. After SIGCONT the terminal is raw again.
//
// The terminal stays raw if another signal, such as SIGKILL or SIGQUIT, ends the process. It
// also stays raw after os.Exit, and after a panic outside Baton's tasks. The user can then
// type "stty sane". While the process is in the background, Raw does not change the mode. Raw mode
// also affects other programs that use the same terminal.
//
// Raw may switch, and so may fn. Raw returns the error of fn, or a [*fs.PathError]: ENOTTY if f
// is not a terminal, and errors.ErrUnsupported on systems without termios. In a simulated world
// the error is errors.ErrUnsupported.
func Raw(ctx context.Context, f *os.File, fn func(ctx context.Context) error) error {
	if err := begin(ctx); err != nil {
		return err
	}
	return withinRaw(ctx, f, fn)
}

// begin is a checkpoint. It fails in a simulated world, which has no terminals.
func begin(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err == nil && r.Loop().Poller().Caps().Has(poll.Virtual) {
		err = fmt.Errorf("terminal: a simulated world has no terminals: %w", errors.ErrUnsupported)
	}
	return err
}

// ReadPassword writes the prompt to the terminal and reads a line that is not shown. It uses the
// terminal of the process (/dev/tty), also if standard input and output are files. See
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

// ReadPassword reads a line like ReadLine, but the terminal does not show what is typed, except
// for the end of the line. ReadPassword restores the mode of the terminal, in the same cases
// as [Raw]. If the Input is not a terminal, ReadPassword is ReadLine. The file from which the
// Input was made must still be open.
func (in *Input) ReadPassword(ctx context.Context) (string, error) {
	return in.readPassword(ctx, in.of, "")
}

// readPassword writes the prompt after it has hidden the input, because the user may type at
// once. It writes in the executor, because the user may have stopped the output.
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

// A Size is the size of a window in characters. Both fields are zero if the terminal does not
// know its size.
type Size struct{ Columns, Rows int }

// SizeOf returns the size of the window of f, usually os.Stdout. The error is a
// [*fs.PathError]: ENOTTY if f is not a terminal. SizeOf does not switch.
func SizeOf(f *os.File) (Size, error) { return size(f) }

// Sizes returns the size of the window of f, and then each new size (SIGWINCH), for use with
// range. Each step except the first waits for a change. An error ends the range: the error of
// a cancel, or of [SizeOf].
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

// sizes yields one size after another, until yield returns false.
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
		d.Open() // an external source: a signal can end the wait
		err = changed.Wait(ctx)
		d.Shut()
		if err != nil {
			return err
		}
	}
}
