// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"testing"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// Between PauseReading and ResumeReading, the protocol receives nothing, and no byte is lost.
// Second calls do nothing.
func TestPausedBytesArriveAfterResumeReading(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		want := pattern(300_000, 3)
		write(ctx, t, s, want[:1000])
		must(t, c.UntilData(ctx, 1000))
		for range 3 {
			tr.PauseReading()
			tr.PauseReading()
			if tr.IsReading() {
				t.Error("IsReading while reading is paused")
			}
			had, calls := len(c.Data), len(c.Calls)
			next := min(had+100_000, len(want))
			join := goTask(ctx, func(ctx context.Context) error {
				_, err := s.Write(ctx, want[had:next])
				return err
			})
			turns(ctx, t, 50)
			if len(c.Data) != had || len(c.Calls) != calls {
				t.Errorf("%d bytes while reading is paused; calls %v", len(c.Data)-had, c.Calls[calls:])
			}
			tr.ResumeReading()
			tr.ResumeReading()
			if !tr.IsReading() {
				t.Error("not IsReading")
			}
			must(t, c.UntilData(ctx, next))
			must(t, join(ctx))
		}
		tr.PauseReading()
		must(t, s.Close())
		turns(ctx, t, 20)
		if len(c.Calls) > 1 {
			t.Errorf("calls %v while reading is paused", c.Calls)
		}
		tr.ResumeReading()
		must(t, c.UntilLost(ctx))
		if !bytes.Equal(c.Data, want[:len(c.Data)]) || c.Err != nil {
			t.Errorf("a wrong byte at %d of %d; %v", differ(c.Data, want), len(c.Data), c.Err)
		}
	})
}

// A protocol may call PauseReading within the call that passes bytes.
func TestPauseWithinACall(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t, Size: 7}
		c.OnData = func([]byte) { c.Transport.PauseReading() }
		c.OnReceive = func(context.Context, []byte) error { c.Transport.PauseReading(); return nil }
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		want := pattern(1000, 5)
		write(ctx, t, s, want)
		must(t, s.CloseWrite())
		for !c.Lost() {
			chunks := c.Chunks
			turns(ctx, t, 5)
			if c.Chunks > chunks+1 {
				t.Fatal("bytes after PauseReading")
			}
			tr.ResumeReading()
		}
		if !bytes.Equal(c.Data, want) {
			t.Errorf("a wrong byte at %d", differ(c.Data, want))
		}
		must(t, s.Close())
	})
}

// A counting counts the reads of a virtual poller that are not for streams.
type counting struct {
	poll.Poller
	reads int
}

func (c *counting) Submit(op *poll.Op) bool {
	if _, ok := op.Owner.(*protocol.Transport); ok && op.Kind == poll.Read {
		c.reads++
	}
	return c.Poller.Submit(op)
}

// While reading is paused, a transport keeps the bytes of at most one read.
func TestPausedTransportKeepsOneRead(t *testing.T) {
	for _, sort := range sorts {
		t.Run(sort.name, func(t *testing.T) {
			world := &counting{Poller: virtual.New(virtual.Config{})}
			err := task.Runner{Config: loop.Config{Poller: world}}.Run(t.Context(), func(ctx context.Context) error {
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, protocol.Config{}, sort.of(c))
				turns(ctx, t, 3)
				before := world.reads
				tr.PauseReading()
				join := goTask(ctx, func(ctx context.Context) error {
					_, err := s.Write(ctx, make([]byte, 1<<20))
					return err
				})
				turns(ctx, t, 50)
				for range 3 {
					tr.PauseReading()
					turns(ctx, t, 2)
				}
				if before != 1 || world.reads != before {
					t.Errorf("%d reads before, %d while reading is paused", before, world.reads-before)
				}
				tr.ResumeReading()
				must(t, c.UntilData(ctx, 1<<20))
				must(t, join(ctx))
				return s.Close()
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
