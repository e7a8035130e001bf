// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"baton/loop/poll"
	"baton/netio"
	"baton/netio/file"
	"baton/netio/process"
	"baton/task"
)

// An Input reads what a user types, or what a pipe or a file has in the place of that. It
// has the lines of a [netio.LineReader] and is for one task at a time. It must be closed.
type Input struct {
	*netio.LineReader
	of     *os.File
	stream *netio.Stream // of a pipe or terminal, or nil
	file   *os.File      // a regular file, or nil
}

// Stdin returns the standard input of the process as lines:
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
// The range ends at the end of the input: where the file ends, when the last writer of the
// pipe has closed it, or when the user types Ctrl-D. A cancel ends a call that waits for a
// line, and what was typed of it is not lost: the next call returns the whole line.
//
// Two Inputs of one file take lines from each other. Stdin does not switch for long. In a
// simulated world, and for pipes and terminals of systems that are not of the UNIX sort,
// the error is errors.ErrUnsupported.
func Stdin(ctx context.Context) (*Input, error) { return NewInput(ctx, os.Stdin) }

// NewInput is like [Stdin], of a terminal, pipe, socket, device or regular file that was
// opened elsewhere. The Input reads from a duplicate; f stays the caller's.
//
// A terminal or pipe is a stream of [process.ReadPipe]. A regular file is read from its
// offset on, in the executor.
func NewInput(ctx context.Context, f *os.File) (*Input, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if r.Loop().Poller().Caps().Has(poll.Virtual) {
		return nil, fmt.Errorf("terminal: input in %v: %w", r.Loop(), errors.ErrUnsupported)
	}
	info, err := f.Stat() // of an open file, which waits for nothing but a distant disk
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		own, err := duplicate(f)
		if err != nil {
			return nil, err
		}
		return &Input{LineReader: netio.NewLineReader(file.New(own)), of: f, file: own}, nil
	}
	s, err := process.ReadPipe(ctx, f)
	if err != nil {
		return nil, err
	}
	return &Input{LineReader: netio.NewLineReader(s), of: f, stream: s}, nil
}

// Close closes the Input and not the file that it was made of. What was read ahead is lost.
// It never switches.
func (in *Input) Close() error {
	if in.stream != nil {
		return in.stream.Close()
	}
	return in.file.Close()
}
