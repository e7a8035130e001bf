// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// shortIOPoller is a poller with short reads and writes. It passes pieces of at most most bytes to
// the poller below, in the next Wait or a later one, as if the kernel had returned EAGAIN.
type shortIOPoller struct {
	poll.Poller
	most   int
	storm  int // the most Waits that an operation is delayed
	random *rand.Rand
	held   []*part // in the order of Submit
	flying map[*poll.Op]*part
	short  int // how many writes were cut
}

// A part is an operation that has not been reported yet.
type part struct {
	op       *poll.Op
	whole    []byte
	done     int
	delay    int // how many Waits it is delayed
	canceled bool
}

func newShortIOPoller(p poll.Poller, most, storm int) *shortIOPoller {
	return &shortIOPoller{Poller: p, most: most, storm: storm, random: rand.New(rand.NewPCG(8, 2)), flying: map[*poll.Op]*part{}}
}

func (w *shortIOPoller) Caps() poll.Caps { return w.Poller.Caps() &^ (poll.Provided | poll.Vectored) }

func (w *shortIOPoller) Submit(op *poll.Op) bool {
	if op.Kind != poll.Read && op.Kind != poll.Write || len(op.Buf) == 0 {
		return w.Poller.Submit(op)
	}
	w.hold(&part{op: op, whole: op.Buf})
	return false
}

func (w *shortIOPoller) hold(p *part) {
	p.delay = w.random.IntN(w.storm + 1)
	w.held = append(w.held, p)
}

func (w *shortIOPoller) Cancel(op *poll.Op) {
	for _, p := range w.held {
		if p.op == op {
			p.canceled = true
			return
		}
	}
	if p := w.flying[op]; p != nil {
		p.canceled = true
	}
	w.Poller.Cancel(op)
}

func (w *shortIOPoller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	held := w.held
	w.held = nil
	for _, p := range held {
		switch {
		case p.canceled:
			done = w.finish(done, p, 0, poll.ErrCanceled)
			continue
		case p.delay > 0:
			p.delay--
			w.held = append(w.held, p)
			continue
		}
		p.op.Buf = p.whole[p.done:min(len(p.whole), p.done+w.most)]
		if w.Poller.Submit(p.op) {
			done = w.finish(done, p, p.op.N, p.op.Err)
		} else {
			w.flying[p.op] = p
		}
	}
	if len(done) > 0 || len(w.held) > 0 {
		d = 0
	}
	for _, op := range w.Poller.Wait(nil, d) {
		p := w.flying[op]
		if p == nil {
			done = append(done, op)
			continue
		}
		delete(w.flying, op)
		done = w.finish(done, p, op.N, op.Err)
	}
	return done
}

// finish reports p, which has moved n more bytes, or holds it for the next piece.
func (w *shortIOPoller) finish(done []*poll.Op, p *part, n int, err error) []*poll.Op {
	p.done += n
	if p.op.Kind == poll.Write && err == nil && p.done < len(p.whole) {
		w.short++
		if !p.canceled {
			w.hold(p)
			return done
		}
		err = poll.ErrCanceled
	}
	p.op.Buf, p.op.N, p.op.Err = p.whole, p.done, err
	return append(done, p.op)
}

// withShortIO calls fn with short reads and writes, in virtual and in real worlds.
func withShortIO(t *testing.T, fn func(ctx context.Context, t *testing.T, w world)) {
	for _, c := range []struct{ most, storm int }{{1, 0}, {2, 3}, {7, 0}, {100, 20}, {5000, 1}} {
		for _, w := range worlds() {
			if w.network != "tcp" || w.poller != "virtual" && c.most == 1 {
				continue
			}
			t.Run(fmt.Sprintf("%v, %d bytes, storm %d", w, c.most, c.storm), func(t *testing.T) {
				ctx, below := context.Background(), poll.Poller(virtual.New(virtual.Config{}))
				if w.poller != "virtual" {
					limited, cancel := context.WithTimeout(ctx, patience)
					defer cancel()
					ctx = limited
					t.Setenv("BATON_POLLER", w.poller)
					l := must(loop.New(loop.Config{}))(t)
					defer l.Close()
					below = l.Poller()
				}
				double := newShortIOPoller(below, c.most, c.storm)
				err := task.Runner{Config: loop.Config{Poller: double}}.Run(ctx, func(ctx context.Context) error {
					fn(ctx, t, w)
					return nil
				})
				want(t, "Run", err, nil)
				if double.short == 0 && c.most == 1 {
					t.Error("no write was short")
				}
			})
		}
	}
}

// Dialogs succeed, and end correctly after a fault, however short the reads and writes are and
// however often the kernel returns EAGAIN.
func TestDialogsOverShortReadsAndWrites(t *testing.T) {
	withShortIO(t, func(ctx context.Context, t *testing.T, w world) {
		for _, f := range framings {
			d := newDialog(t, f)
			plain := proxy{step: 5000}
			plain.between(ctx, t, w, d)
			plain.check(t, d, true)
			everyFault(func(p proxy) {
				if p.fault == "stall" || p.fault == "split" {
					return
				}
				for _, p.at = range []int{1, 17, 40} {
					p := p
					p.between(ctx, t, w, d)
					p.check(t, d, w.poller == "virtual")
				}
			})
		}
	})
}

// A cancelled Write returns exactly how much its peer receives, even with short writes.
func TestCanceledWriteOverShortWrites(t *testing.T) {
	withShortIO(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		text := make([]byte, 10_000)
		for i := range text {
			text[i] = byte(i)
		}
		for yields := range 50 {
			writing := task.Start(ctx, func(ctx context.Context) ([2]int, error) {
				n, err := near.Write(ctx, text)
				if err == nil && n < len(text) {
					t.Errorf("Write = %d of %d, without an error", n, len(text))
				}
				return [2]int{n}, nil
			})
			for range yields {
				must(0, task.Yield(ctx))(t)
			}
			writing.Cancel(nil)
			n := must(writing.Await(ctx))(t)[0]
			got := make([]byte, n)
			if _, err := far.ReadFull(ctx, got); err != nil || !slices.Equal(got, text[:n]) {
				t.Fatalf("Write returned %d bytes, ReadFull of the peer: %v", n, err)
			}
		}
		want(t, "Close", near.Close(), nil)
		rest, err := far.ReadAll(ctx, 1)
		if len(rest) > 0 || err != nil {
			t.Errorf("the peer received %d bytes more, %v", len(rest), err)
		}
		far.Close()
	})
}
