// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"testing"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// gauge is a poller in which every read fills its buffer with lines of 1000 bytes. It records
// the size of the largest buffer.
type gauge struct {
	poll.Poller
	provided bool
	moved    int
	largest  int
}

func (w *gauge) Caps() poll.Caps {
	if w.provided {
		return w.Poller.Caps()
	}
	return w.Poller.Caps() &^ poll.Provided
}

func (w *gauge) Submit(op *poll.Op) bool {
	if op.Kind != poll.Read {
		return w.Poller.Submit(op)
	}
	if op.Buf == nil {
		op.Buf = make([]byte, 4<<10)
	}
	w.largest = max(w.largest, len(op.Buf))
	for i := range op.Buf {
		op.Buf[i] = 'x'
		if w.moved++; w.moved%1000 == 0 {
			op.Buf[i] = '\n'
		}
	}
	op.N, op.Err = len(op.Buf), nil
	return true
}

func (w *gauge) Recycle([]byte) {}

// A stream that reads many lines reads them in large pieces: its buffer grows. With a poller
// that provides buffers, it grows to their size, otherwise to what an idle stream may keep.
func TestReadAheadGrows(t *testing.T) {
	for provided, most := range map[bool]int{true: 64 << 10, false: 16 << 10} {
		w := &gauge{Poller: virtual.New(virtual.Config{}), provided: provided}
		l := must(loop.New(loop.Config{Poller: w}))(t)
		defer l.Close()
		want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			for range 1000 {
				if line, err := near.ReadLine(ctx); len(line) != 999 || err != nil {
					t.Fatalf("ReadLine returned %d bytes, %v; want 999", len(line), err)
				}
			}
			return nil
		}), nil)
		if w.largest > most || w.largest < most/2 {
			t.Errorf("provided %v: the largest buffer was %d bytes, want at most %d and at least half of it", provided, w.largest, most)
		}
	}
}
