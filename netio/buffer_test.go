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

// A gauge is a world in which every read fills its buffer with short lines. It keeps
// the size of the largest one.
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

// Lines that come in bulk are read in bulk: the stream's own buffer grows, as far as a
// poller that brings buffers has it, and otherwise up to what an idle stream keeps.
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
					t.Fatalf("a line of %d bytes, %v", len(line), err)
				}
			}
			return nil
		}), nil)
		if w.largest > most || w.largest < most/2 {
			t.Errorf("provided %v: the largest read was of %d bytes, want %d less a part of a line", provided, w.largest, most)
		}
	}
}
