// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"baton/task"
)

// ReadLine reads up to the next line feed and returns the line without it, and
// without a carriage return before it.
//
// A stream that ends in the middle of a line returns what there is, with
// io.ErrUnexpectedEOF, so that a line that was cut off is not taken for a whole
// one; after that, and after a whole line, the error is io.EOF. More bytes before
// the line feed than the stream's LineLimit are ErrTooLong: the line is lost, and
// whatever is read next begins after it. After a cancel or a timeout nothing is
// lost: the beginning of the line waits for the next call.
func (s *Stream) ReadLine(ctx context.Context) (string, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return "", err
	}
	if err := s.begin(&s.in, r); err != nil {
		return "", err
	}
	line, err := s.readLine(ctx)
	s.in.release()
	return line, err
}

// readLine is ReadLine for whoever is the user of s.in. It looks at every byte
// once, however many packets the line comes in. The line feed itself does not
// count against the limit, a carriage return before it does.
func (s *Stream) readLine(ctx context.Context) (string, error) {
	if err := s.skipLine(ctx); err != nil {
		return "", err
	}
	for seen := 0; ; {
		data := s.ahead.bytes()
		end := bytes.IndexByte(data[seen:], '\n')
		switch {
		case end >= 0 && seen+end <= s.limit:
			end += seen
			line := string(bytes.TrimSuffix(data[:end], []byte("\r")))
			s.ahead.drop(end + 1)
			return line, nil
		case end >= 0 || len(data) > s.limit:
			s.skip = true
			return "", fmt.Errorf("netio: read line: %w of %d", ErrTooLong, s.limit)
		}
		seen = len(data)
		if err := s.fill(ctx); err != nil {
			if err == io.EOF && seen > 0 {
				line := string(s.ahead.bytes())
				s.ahead.clear()
				return line, io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
}

// Lines returns the lines as they come, for use with range: each step is a ReadLine,
// and may switch. The range ends at the end of the stream. An error is its last step:
// that of a stream that ended in the middle of a line comes with what there is of it,
// and after a cancel or a timeout a later call can read what had come. Only
// ErrTooLong need not be the last step: a loop that goes on gets the next line. Only
// the task that ctx belongs to can range over it; between the steps the stream is
// free.
func (s *Stream) Lines(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			line, err := s.ReadLine(ctx)
			if err == io.EOF || !yield(line, err) || err != nil && !errors.Is(err, ErrTooLong) {
				return
			}
		}
	}
}

// pass drops the rest of a line that was too long, up to the line feed or the end
// of the stream, without keeping it. It is the first thing that every call which
// reads does, and not the last one of the ReadLine that failed: that one answers
// at once, however long the peer goes on. If it is interrupted the next call goes
// on with it. The user of s.in calls it, and it may switch.
func (s *Stream) skipLine(ctx context.Context) error {
	for s.skip {
		if end := bytes.IndexByte(s.ahead.bytes(), '\n'); end >= 0 {
			s.ahead.drop(end + 1)
			s.skip = false
			break
		}
		s.ahead.clear()
		if err := s.fill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ReadUntil reads up to the next delim and returns the bytes with it, in memory
// of their own.
//
// A stream that ends before a delim returns what there is, with
// io.ErrUnexpectedEOF, or nothing with io.EOF. More bytes before delim than the
// stream's LineLimit are ErrTooLong: they stay there to be read otherwise. After
// a cancel or a timeout nothing is lost either. An empty delim is misuse and
// panics.
func (s *Stream) ReadUntil(ctx context.Context, delim []byte) ([]byte, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if len(delim) == 0 {
		misuse("ReadUntil with an empty delimiter; use Read for what is there")
	}
	if err := s.begin(&s.in, r); err != nil {
		return nil, err
	}
	data, err := s.readUntil(ctx, delim)
	s.in.release()
	return data, err
}

// readUntil is ReadUntil for whoever is the user of s.in. The limit is for what is
// before delim, so as much as delim itself may be read beyond it: there it must
// begin at the latest.
func (s *Stream) readUntil(ctx context.Context, delim []byte) ([]byte, error) {
	if err := s.skipLine(ctx); err != nil {
		return nil, err
	}
	for seen := 0; ; {
		data := s.ahead.bytes()
		from := max(seen-len(delim)+1, 0) // delim may have begun before
		end := bytes.Index(data[from:], delim)
		switch {
		case end >= 0 && from+end <= s.limit:
			end += from + len(delim)
			found := bytes.Clone(data[:end])
			s.ahead.drop(end)
			return found, nil
		case end >= 0 || len(data) >= s.limit+len(delim):
			return nil, fmt.Errorf("netio: read until %q: %w of %d", delim, ErrTooLong, s.limit)
		}
		seen = len(data)
		if err := s.fill(ctx); err != nil {
			if err == io.EOF && seen > 0 {
				rest := bytes.Clone(s.ahead.bytes())
				s.ahead.clear()
				return rest, io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}
