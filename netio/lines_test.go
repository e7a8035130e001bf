// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A range over lines ends with the stream or with a break. An error ends the range, except if it
// concerns only one line.
func TestLines(t *testing.T) {
	type end = func(ctx context.Context, s, far *netio.Stream) error
	ends := func(_ context.Context, _, far *netio.Stream) error { return far.CloseWrite() }
	for _, c := range []struct {
		name  string
		sent  string
		end   end    // called while the range waits for more lines
		until string // the line at which the loop breaks
		lines []string
		err   error  // of the last step
		rest  string // what the next ReadLine returns
	}{
		{"end of the stream", "a\nb\r\n\n", ends, "", []string{"a", "b", ""}, nil, ""},
		{"nothing", "", ends, "", nil, nil, ""},
		{"break", "a\nb\nc\n", ends, "b", []string{"a", "b"}, nil, "c"},
		{"cut off", "a\nhal", ends, "", []string{"a", "hal"}, io.ErrUnexpectedEOF, ""},
		{"too long", "a\n012345678\nb\n", ends, "", []string{"a", "!", "b"}, nil, ""},
		{"too long, cut off", "a\n012345678", ends, "", []string{"a", "!"}, nil, ""},
		{"timeout", "a\nhal", func(ctx context.Context, s, far *netio.Stream) error {
			err := sleep(ctx, time.Minute)
			write(ctx, t, far, "f\n")
			return err
		}, "", []string{"a", ""}, os.ErrDeadlineExceeded, "half"},
		{"Close", "a\n", func(_ context.Context, s, _ *netio.Stream) error { return s.Close() }, "", []string{"a", ""}, net.ErrClosed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{LineLimit: 8, ReadTimeout: time.Second})
				defer near.Close()
				defer far.Close()
				write(ctx, t, far, c.sent)
				task.Go(ctx, func(ctx context.Context) error {
					for range 10 { // the reader waits again
						if err := task.Yield(ctx); err != nil {
							return err
						}
					}
					return c.end(ctx, near, far)
				})
				lines, err := ranged(ctx, near, c.until)
				want(t, "the last step", err, c.err)
				if !slices.Equal(lines, c.lines) {
					t.Errorf("the lines are %q, want %q", lines, c.lines)
				}
				want(t, "sleep", sleep(ctx, time.Hour), nil)
				if rest, err := near.ReadLine(ctx); rest != c.rest || (err == nil) != (c.rest != "") {
					t.Errorf("then ReadLine = %q, %v; want %q", rest, err, c.rest)
				}
			})
		})
	}
}

// ranged ranges over the lines of s, until the line until if it is not empty. It records "!" for
// a line that was too long. Unlike a program, it does not stop at an error.
func ranged(ctx context.Context, s *netio.Stream, until string) (lines []string, last error) {
	for line, err := range s.Lines(ctx) {
		if errors.Is(err, netio.ErrTooLong) {
			line, err = "!", nil
		}
		lines, last = append(lines, line), err
		if until != "" && line == until {
			break
		}
	}
	return lines, last
}

// A cancel ends the range. The next read returns the beginning of the line.
func TestLinesCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		write(ctx, t, far, "one\nhal")
		var lines []string
		reader := blocked(ctx, func(ctx context.Context) (err, _ error) {
			lines, err = ranged(ctx, near, "")
			return err, nil
		})
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine while the range waits", err, netio.ErrBusy)
		reader.Cancel(nil)
		want(t, "the last step", must(reader.Await(ctx))(t), context.Canceled)
		if !slices.Equal(lines, []string{"one", ""}) {
			t.Errorf("the lines are %q, want \"one\" and an empty one", lines)
		}
		write(ctx, t, far, "f\n")
		if line := must(near.ReadLine(ctx))(t); line != "half" {
			t.Errorf("ReadLine = %q, want \"half\"", line)
		}
	})
}

// An empty read does not wait, even for the rest of a line that was too long.
func TestEmptyReadAfterTooLong(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{LineLimit: 4})
		defer near.Close()
		defer far.Close()
		write(ctx, t, far, "too long")
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine", err, netio.ErrTooLong)
		near.SetReadTimeout(time.Second)
		for name, read := range map[string]func(context.Context, []byte) (int, error){
			"Read": near.Read, "ReadFull": near.ReadFull,
		} {
			_, err := read(ctx, nil)
			want(t, name, err, nil)
		}
	})
}
