// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"baton/loop/poll"
	"baton/netio"
	"baton/netio/file"
	"baton/netio/process"
	"baton/task"
)

// An Input reads lines and keys from a terminal, or lines from a pipe or a file. It has the
// methods of a [netio.LineReader]. Only one task at a time may use it. An Input must be closed.
type Input struct {
	*netio.LineReader
	of     *os.File  // from which the Input was made
	source io.Closer // the stream of a pipe or terminal, or a duplicate of a regular file
}

// Stdin returns an Input for the standard input of the process:
//
//	in, err := terminal.Stdin(ctx)
//	if err != nil {
//		return err
//	}
//	defer in.Close()
//	for line, err := range in.Lines(ctx) {
//		…
//	}
//
// The range ends at the end of the input: at the end of a file, when the last writer of a pipe
// has closed it, or when the user types Ctrl-D. A cancel ends a call that waits for a line. No
// typed character is lost: the next call returns the whole line.
//
// Two Inputs of one file take lines from each other. Stdin may switch, but waits for nothing.
// In a simulated world the error is errors.ErrUnsupported, and so it is for pipes and terminals
// on systems other than UNIX.
func Stdin(ctx context.Context) (*Input, error) { return NewInput(ctx, os.Stdin) }

// NewInput is like [Stdin], for an open terminal, pipe, socket, device or regular file. The
// Input reads from a duplicate; the caller keeps f and closes it.
//
// NewInput reads a terminal or a pipe as [process.ReadPipe] does. It reads a regular file in
// the executor, from the offset of the file on.
func NewInput(ctx context.Context, f *os.File) (*Input, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if r.Loop().Poller().Caps().Has(poll.Virtual) {
		return nil, fmt.Errorf("terminal: a simulated world has no terminals: %w", errors.ErrUnsupported)
	}
	info, err := f.Stat() // does not block, except perhaps on a network file system
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		own, err := duplicate(f)
		if err != nil {
			return nil, err
		}
		return &Input{LineReader: netio.NewLineReader(file.New(own)), of: f, source: own}, nil
	}
	s, err := process.ReadPipe(ctx, f)
	if err != nil {
		return nil, err
	}
	return &Input{LineReader: netio.NewLineReader(s), of: f, source: s}, nil
}

// Close closes the Input, but not the file from which the Input was made. Bytes that the Input
// has read ahead are lost. Close never switches.
func (in *Input) Close() error { return in.source.Close() }
