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

// A LineReader reads lines from a Reader without a ReadLine method, such as a file. Only
// one task may use it at a time.
type LineReader struct {
	src   Reader
	limit int
	ahead []byte // read, and not yet returned
	spare []byte // the memory of ahead, from its start
	skip  bool   // the rest of a line that was too long must be dropped
	end   error  // of src
}

// NewLineReader returns a LineReader of src. It does not switch.
func NewLineReader(src Reader) *LineReader { return &LineReader{src: src, limit: DefaultLineLimit} }

// SetLineLimit sets the maximum length of a line, in bytes, from the next call on. Zero
// means [DefaultLineLimit]. It does not switch.
func (l *LineReader) SetLineLimit(n int) {
	if n <= 0 {
		n = DefaultLineLimit
	}
	l.limit = n
}

// ReadLine returns the next line without its line feed, and without a carriage return
// before the line feed. It may switch. At the end of the source the error is io.EOF.
//
// The last line of a file need not end with a line feed: ReadLine returns it like any other
// line. (Stream.ReadLine returns it with io.ErrUnexpectedEOF.) If a line is longer than the
// limit, the error is ErrTooLong, and the next call returns the next line. A cancel loses
// nothing: the next call continues the line.
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

// fill reads more. After an error other than io.EOF the LineReader is unchanged.
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

// Lines returns an iterator over the lines. Each step is a ReadLine, and may switch. The
// iteration ends at the end of the source, or after an error other than ErrTooLong.
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

// Read returns bytes that were read ahead, or reads from the source. It may switch.
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
