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

// ReadLine reads up to the next line feed. It returns the line without the line feed, and
// without a carriage return before the line feed.
//
// If the stream ends within a line, ReadLine returns the beginning of the line with
// io.ErrUnexpectedEOF. If the stream ends after a line, the error is io.EOF. If a line is
// longer than the LineLimit, the error is ErrTooLong: the line is dropped, and the next
// call reads what follows it. A cancel or a timeout loses nothing: the next call continues
// the line.
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

// readLine implements ReadLine for the user of s.in. It looks at every byte once, even if
// the line comes in many packets. The limit includes a carriage return, but not the line
// feed.
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

// Lines returns an iterator over the lines. Each step is a ReadLine, and may switch. The
// iteration ends at the end of the stream, or after an error other than ErrTooLong; after
// ErrTooLong the next step returns the next line.
//
// If the stream ends within a line, the beginning of the line comes with the error. After a
// cancel or a timeout, a later call can continue the line. Only the task of ctx may range
// over the iterator. Between two steps other calls may read from the stream.
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

// skipLine drops the rest of a line that was too long, up to the line feed or the end of
// the stream. Every call that reads calls it first. The ReadLine that failed does not, so
// that it can return at once, however long the line is. An interrupted skipLine is
// continued by the next call. The user of s.in calls it, and it may switch.
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

// ReadUntil reads up to and including the next delim. The caller owns the returned bytes.
//
// If the stream ends before a delim, ReadUntil returns the remaining bytes with
// io.ErrUnexpectedEOF, or nil with io.EOF if there are none. If more bytes than the
// LineLimit come before delim, the error is ErrTooLong, and the bytes stay in the stream. A
// cancel or a timeout loses nothing either. An empty delim panics.
func (s *Stream) ReadUntil(ctx context.Context, delim []byte) ([]byte, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if len(delim) == 0 {
		misuse("ReadUntil with an empty delimiter; use Read to read what is available")
	}
	if err := s.begin(&s.in, r); err != nil {
		return nil, err
	}
	data, err := s.readUntil(ctx, delim)
	s.in.release()
	return data, err
}

// readUntil implements ReadUntil for the user of s.in. The limit is for the bytes before
// delim. delim must begin at the limit at the latest, so up to len(delim) more bytes may be
// read.
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
