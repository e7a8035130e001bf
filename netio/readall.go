// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"fmt"
	"io"
	"slices"

	"baton/task"
)

// ReadAll reads to the end of the stream and returns the bytes. The end is not an error.
// ReadAll returns at most limit bytes. If the stream has more, ReadAll returns the first
// limit bytes with ErrTooLong, and the rest stays in the stream. After another error, such
// as a cancel or a timeout, it returns the bytes that it has read, which are no longer in
// the stream. The LineLimit does not apply. A negative limit panics.
func (s *Stream) ReadAll(ctx context.Context, limit int) ([]byte, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		misuse("ReadAll of at most %d bytes; the limit must not be negative", limit)
	}
	if err := s.begin(&s.in, r); err != nil {
		return nil, err
	}
	data, err := s.readAll(ctx, limit)
	s.in.release()
	if err == io.EOF {
		err = nil
	}
	return data, err
}

// readAll implements ReadAll for the user of s.in. At the limit it reads ahead to find out
// whether there is more.
func (s *Stream) readAll(ctx context.Context, limit int) (data []byte, err error) {
	err = s.skipLine(ctx)
	for err == nil && len(data) < limit {
		if len(data) == cap(data) {
			data = slices.Grow(data, min(max(len(data), firstSize), limit-len(data)))
		}
		if err = s.in.yieldIfDue(ctx); err == nil {
			var n int
			n, err = s.read(ctx, data[len(data):min(cap(data), limit)])
			data = data[:len(data)+n]
			s.in.moved += n
		}
	}
	if err == nil && s.ahead.len() == 0 {
		err = s.fill(ctx)
	}
	if err == nil {
		err = fmt.Errorf("netio: read all: %w of %d", ErrTooLong, limit)
	}
	return data, err
}
