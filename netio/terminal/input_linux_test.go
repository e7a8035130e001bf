// SPDX-License-Identifier: Apache-2.0

package terminal_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netio"
	"baton/netio/terminal"
	"baton/sim"
	"baton/task"
)

// An Input returns the same lines from a terminal, a pipe and a file.
func TestInputLines(t *testing.T) {
	const typed = "one\ntwo\n\nlast\n"
	for _, source := range []struct {
		name string
		open func(t *testing.T) *os.File
	}{
		{"terminal", func(t *testing.T) *os.File {
			p := openPTY(t)
			p.types(t, typed+"\x04") // Ctrl-D
			return p.slave
		}},
		{"pipe", func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			want(t, "Pipe", err, nil)
			t.Cleanup(func() { r.Close() })
			must(w.WriteString(strings.TrimSuffix(typed, "\n")))(t) // a last line without a line feed is a line, too
			w.Close()
			return r
		}},
		{"file", func(t *testing.T) *os.File {
			name := filepath.Join(t.TempDir(), "file")
			want(t, "WriteFile", os.WriteFile(name, []byte("skipped\n"+typed), 0o666), nil)
			f := must(os.Open(name))(t)
			t.Cleanup(func() { f.Close() })
			must(f.Seek(int64(len("skipped\n")), io.SeekStart))(t)
			return f
		}},
	} {
		t.Run(source.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T) {
				in := must(terminal.NewInput(ctx, source.open(t)))(t)
				defer in.Close()
				var lines []string
				for line, err := range in.Lines(ctx) {
					want(t, "Lines", err, nil)
					lines = append(lines, line)
				}
				if got := strings.Join(lines, "|"); got != "one|two||last" {
					t.Errorf("the lines are %q", got)
				}
				_, err := in.ReadLine(ctx)
				want(t, "ReadLine at the end", err, io.EOF)
			})
		})
	}
}

// An Input of the null device is at its end.
func TestInputOfNullDevice(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		null := must(os.Open(os.DevNull))(t)
		defer null.Close()
		in := must(terminal.NewInput(ctx, null))(t)
		defer in.Close()
		_, err := in.ReadLine(ctx)
		want(t, "ReadLine", err, io.EOF)
	})
}

// A cancel ends a call that waits for a line, and no part of the line is lost.
func TestCancelledReadLineLosesNothing(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w, err := os.Pipe() // a terminal would keep an unfinished line
		want(t, "Pipe", err, nil)
		defer r.Close()
		defer w.Close()
		in := must(terminal.NewInput(ctx, r))(t)
		defer in.Close()
		read := func() *task.Task[string] { return task.Start(ctx, in.ReadLine) }
		must(w.WriteString("first\nsec"))(t)
		if line, err := read().Await(ctx); line != "first" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		second := read()
		task.Yield(ctx)
		second.Cancel(nil)
		_, err = second.Await(ctx)
		var canceled *task.Canceled
		if !errors.As(err, &canceled) {
			t.Errorf("the cancelled ReadLine: %v", err)
		}
		must(w.WriteString("ond\n"))(t)
		if line, err := read().Await(ctx); line != "second" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
	})
}

// After a cancel, an unfinished line of a terminal is not lost either.
func TestCancelledReadLineOfTerminalLosesNothing(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		p := openPTY(t)
		in := must(terminal.NewInput(ctx, p.slave))(t)
		defer in.Close()
		p.types(t, "hal")
		reader := task.Start(ctx, in.ReadLine)
		task.Yield(ctx)
		reader.Cancel(nil)
		_, err := reader.Await(ctx)
		want(t, "ReadLine", err, context.Canceled)
		p.types(t, "f\n")
		if line, err := in.ReadLine(ctx); line != "half" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
	})
}

// A line that is too long is reported as an error, and the next line follows.
func TestInputReportsLongLines(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w, err := os.Pipe()
		want(t, "Pipe", err, nil)
		defer r.Close()
		must(w.WriteString("12345\n123456\nnext\n123456"))(t)
		w.Close()
		in := must(terminal.NewInput(ctx, r))(t)
		defer in.Close()
		in.SetLineLimit(5)
		var got []string
		for line, err := range in.Lines(ctx) {
			if errors.Is(err, netio.ErrTooLong) {
				line = "too long"
			} else {
				want(t, "Lines", err, nil)
			}
			got = append(got, line)
		}
		if s := strings.Join(got, "|"); s != "12345|too long|next|too long" {
			t.Errorf("the lines are %q", s)
		}
	})
}

// A simulated world has no terminal.
func TestInputInSim(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		_, err := terminal.Stdin(ctx)
		want(t, "Stdin", err, errors.ErrUnsupported)
	})
}
