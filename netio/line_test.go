// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// send writes data in pieces, such that each piece needs a read of its own, and then ends the
// stream.
func send(ctx context.Context, s *netio.Stream, data []byte, sizes []byte) error {
	for i := 0; len(data) > 0; i++ {
		size := len(data)
		if len(sizes) > 0 {
			size = min(1+int(sizes[i%len(sizes)]), size)
		}
		if _, err := s.Write(ctx, data[:size]); err != nil {
			return err
		}
		data = data[size:]
		for range 3 { // the reader parks again
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
	}
	return s.CloseWrite()
}

// results calls next until it returns io.EOF, and returns all results as text.
func results[T any](next func() (T, error)) []string {
	var all []string
	for range 10_000 {
		v, err := next()
		all = append(all, fmt.Sprintf("%s %v", any(v), err))
		if err == io.EOF {
			break
		}
	}
	return all
}

// chunked sends data in pieces and returns what read returns.
func chunked(t testing.TB, data, sizes []byte, limit int, read func(ctx context.Context, s *netio.Stream) []string) []string {
	var got []string
	err := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}.Run(context.Background(),
		func(ctx context.Context) error {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{LineLimit: limit})
			defer near.Close()
			defer far.Close()
			task.Go(ctx, func(ctx context.Context) error { return send(ctx, far, data, sizes) })
			got = read(ctx, near)
			return nil
		})
	if err != nil {
		t.Error(err)
	}
	return got
}

func lines(ctx context.Context, s *netio.Stream) []string {
	return results(func() (string, error) { return s.ReadLine(ctx) })
}

// modelLines is a simple model of ReadLine.
func modelLines(data []byte, limit int) []string {
	var all []string
	tooLong := fmt.Sprintf(" netio: read line: longer than the limit of %d", limit)
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		switch {
		case len(line) > limit:
			all = append(all, tooLong)
		case whole:
			all = append(all, fmt.Sprintf("%s %v", bytes.TrimSuffix(line, []byte("\r")), nil))
		default:
			all = append(all, fmt.Sprintf("%s %v", line, io.ErrUnexpectedEOF))
		}
	}
	return append(all, " EOF")
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n\nthree"), []byte{0, 4}, byte(5))
	f.Add([]byte("0123456789\nshort\n0123456789"), []byte{2}, byte(4))
	f.Add([]byte("abcde\nx"), []byte{4}, byte(4)) // the limit, and then the line feed
	f.Add([]byte("ab\rcd\r\r\n\n"), []byte{}, byte(3))
	f.Fuzz(func(t *testing.T, data, sizes []byte, limit byte) {
		data = data[:min(len(data), 1000)]
		want := modelLines(data, int(limit)+1)
		if got := chunked(t, data, sizes, int(limit)+1, lines); !slices.Equal(got, want) {
			t.Errorf("%q in pieces of %v, limit %d:\n got %q\nwant %q", data, sizes, int(limit)+1, got, want)
		}
	})
}

// until returns a function that reads with ReadUntil. It skips too long data byte by byte.
func until(delim []byte) func(ctx context.Context, s *netio.Stream) []string {
	return func(ctx context.Context, s *netio.Stream) []string {
		return results(func() ([]byte, error) {
			data, err := s.ReadUntil(ctx, delim)
			if errors.Is(err, netio.ErrTooLong) {
				one := make([]byte, 1)
				_, failure := s.Read(ctx, one)
				return one, errors.Join(err, failure)
			}
			return data, err
		})
	}
}

// modelUntil is a simple model of until.
func modelUntil(data, delim []byte, limit int) []string {
	var all []string
	tooLong := fmt.Sprintf("netio: read until %q: longer than the limit of %d", delim, limit)
	for len(data) > 0 {
		switch i := bytes.Index(data, delim); {
		case i >= 0 && i <= limit:
			all = append(all, fmt.Sprintf("%s %v", data[:i+len(delim)], nil))
			data = data[i+len(delim):]
		case i > limit || len(data) >= limit+len(delim):
			all = append(all, fmt.Sprintf("%s %s", data[:1], tooLong))
			data = data[1:]
		default:
			all = append(all, fmt.Sprintf("%s %v", data, io.ErrUnexpectedEOF))
			data = nil
		}
	}
	return append(all, " EOF")
}

func FuzzReadUntil(f *testing.F) {
	f.Add([]byte("one--two----three-"), []byte("--"), []byte{0, 4}, byte(5))
	f.Add([]byte("aaab aab ab"), []byte("aab"), []byte{1}, byte(9))
	f.Add([]byte("01234"), []byte(";;"), []byte{}, byte(2)) // the delimiter would be too late
	f.Add([]byte("0123456789;0;"), []byte(";"), []byte{2}, byte(3))
	f.Fuzz(func(t *testing.T, data, delim, sizes []byte, limit byte) {
		if len(delim) == 0 {
			return
		}
		data = data[:min(len(data), 1000)]
		want := modelUntil(data, delim, int(limit)+1)
		if got := chunked(t, data, sizes, int(limit)+1, until(delim)); !slices.Equal(got, want) {
			t.Errorf("%q in pieces of %v, limit %d:\n got %q\nwant %q", data, sizes, int(limit)+1, got, want)
		}
	})
}

// ReadLine returns lines of all lengths around the sizes of its buffers, in every world.
func TestReadLine(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{LineLimit: 100_000})
		defer near.Close()
		defer far.Close()
		sizes := []int{0, 1, 4095, 4096, 4097, 16<<10 - 1, 16 << 10, 60_000, 100_000, 3}
		task.Go(ctx, func(ctx context.Context) error {
			for i, size := range sizes {
				if i == 5 { // the lines after one that is too long are read
					size := 100_001
					if _, err := far.Write(ctx, []byte(strings.Repeat("-", size)+"\n")); err != nil {
						return err
					}
				}
				line := strings.Repeat(string(rune('a'+i)), size) + "\r\n"
				if size == 100_000 {
					line = line[:size] + "\n" // the limit counts the carriage return
				}
				if _, err := far.Write(ctx, []byte(line)); err != nil {
					return err
				}
			}
			return far.CloseWrite()
		})
		for i, size := range sizes {
			if i == 5 {
				_, err := near.ReadLine(ctx)
				want(t, "a long line", err, netio.ErrTooLong)
			}
			line, err := near.ReadLine(ctx)
			if line != strings.Repeat(string(rune('a'+i)), size) || err != nil {
				t.Errorf("line %d has %d bytes, %v; want %d", i, len(line), err, size)
			}
		}
		_, err := near.ReadLine(ctx)
		want(t, "at the end", err, io.EOF)
	})
}
