// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// A LineReader reads lines from a Reader that has no lines of its own, such as a file. A
// [Stream] has them. It is for one task at a time.
type LineReader struct {
	src   Reader
	limit int
	ahead []byte // read, and not yet asked for
	spare []byte // the memory of ahead, from its beginning on
	skip  bool   // the rest of a line that was too long is to be dropped
	end   error  // of src
}

// NewLineReader returns a LineReader of src. It never switches.
func NewLineReader(src Reader) *LineReader { return &LineReader{src: src, limit: DefaultLineLimit} }

// SetLineLimit bounds the lines from the next call on; zero is DefaultLineLimit. It never
// switches.
func (l *LineReader) SetLineLimit(n int) {
	if n <= 0 {
		n = DefaultLineLimit
	}
	l.limit = n
}

// ReadLine returns the next line without its line feed, and without a carriage return
// before that. It may switch. At the end of the source the error is io.EOF.
//
// The last line of a file need not have a line feed: ReadLine returns it like any other,
// where that of a [Stream] returns io.ErrUnexpectedEOF with it. In other respects both are
// alike. A line longer than the limit is ErrTooLong, and the next call returns the line
// after it. A cancel loses nothing: the beginning of the line waits for the next call.
func (l *LineReader) ReadLine(ctx context.Context) (string, error) {
	for seen := 0; ; {
		at := bytes.IndexByte(l.ahead[seen:], '\n')
		switch {
		case at < 0 && l.skip:
			l.ahead, seen = nil, 0
		case at >= 0 && l.skip:
			l.ahead, l.skip, seen = l.ahead[seen+at+1:], false, 0
			continue
		case at >= 0 && seen+at <= l.limit:
			line := string(bytes.TrimSuffix(l.ahead[:seen+at], []byte("\r")))
			l.ahead = l.ahead[seen+at+1:]
			return line, nil
		case at >= 0 || len(l.ahead) > l.limit:
			l.skip = true
			return "", fmt.Errorf("netio: read line: %w of %d", ErrTooLong, l.limit)
		default:
			seen = len(l.ahead)
		}
		if l.end == nil {
			if err := l.fill(ctx); err != nil {
				return "", err
			}
			continue
		}
		if len(l.ahead) == 0 {
			return "", l.end
		}
		line := string(l.ahead)
		l.ahead = nil
		return line, nil
	}
}

// fill reads more. An error that is not the end of the source leaves all as it is.
func (l *LineReader) fill(ctx context.Context) error {
	const least = 64 << 10
	if free := cap(l.ahead) - len(l.ahead); free < least/2 {
		if cap(l.spare) < len(l.ahead)+least {
			l.spare = make([]byte, 0, max(least, 2*len(l.ahead)+least))
		}
		l.ahead = append(l.spare[:0], l.ahead...)
	}
	n, err := l.src.Read(ctx, l.ahead[len(l.ahead):cap(l.ahead)])
	l.ahead = l.ahead[:len(l.ahead)+n]
	if err == io.EOF {
		l.end, err = err, nil
	}
	return err
}

// Lines returns the lines, for use with range. Each step is a ReadLine, and may switch. The
// range ends at the end of the source. An error is its last step, except ErrTooLong: a loop
// that goes on gets the next line.
func (l *LineReader) Lines(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			line, err := l.ReadLine(ctx)
			if err == io.EOF || !yield(line, err) || err != nil && !errors.Is(err, ErrTooLong) {
				return
			}
		}
	}
}

// Read returns what was read ahead, or reads from the source. It may switch.
func (l *LineReader) Read(ctx context.Context, p []byte) (int, error) {
	if len(l.ahead) > 0 {
		n := copy(p, l.ahead)
		l.ahead = l.ahead[n:]
		return n, nil
	}
	if l.end != nil {
		return 0, l.end
	}
	return l.src.Read(ctx, p)
}
