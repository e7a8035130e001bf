// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"baton/internal/bridge"
	"baton/loop/poll"
	"baton/task"
)

// Signals returns the signals of these kinds that the process receives, for use with
// range:
//
//	for sig, err := range await.Signals(ctx, os.Interrupt, syscall.SIGHUP) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// The signals are received from this call on, and no longer do what they do by default: so a
// program can say that it is ready before the range begins. They are received until the
// range ends, ctx is cancelled, or the loop ends. When the last receiver of a signal has ended, the signal does
// what it did before.
//
// Any number of tasks and loops can receive the same signal: each gets it. Signals of one
// kind that come while the body runs are one, as with the kernel (signal(7)); those of
// several kinds come in the order in which the loop has seen them.
//
// Under task.Main a receiver takes the place of what Main does: while a task receives
// os.Interrupt, that does not cancel main, and a second one does not end the process. The
// same holds for SIGTERM.
//
// The call never switches. Each step of the range waits, and may switch. An error is the
// last step: the *task.Canceled, or os.ErrInvalid for a signal that no program can catch.
// The range is for one task, once; a second one returns os.ErrClosed. A task that waits for
// signals is not deadlocked. No kinds at all are misuse and panic. In a simulated world the
// error is errors.ErrUnsupported: signals come from outside of it.
func Signals(ctx context.Context, kinds ...os.Signal) iter.Seq2[os.Signal, error] {
	if len(kinds) == 0 {
		misuse("Signals of no kind; name the signals to receive")
	}
	s := new(signals)
	s.err = s.begin(ctx, kinds)
	return func(yield func(os.Signal, error) bool) {
		defer s.end()
		for {
			sig, err := s.next(ctx)
			if !yield(sig, err) || err != nil {
				return
			}
		}
	}
}

// signals are what one range receives. The task of the range and the loop share it by the
// baton.
type signals struct {
	pending []os.Signal // each kind once
	queue   task.WaitQueue
	stops   []func()
	err     error // of begin; os.ErrClosed after end
}

// begin receives signals of each kind until ctx ends.
func (s *signals) begin(ctx context.Context, kinds []os.Signal) error {
	l := task.Loop(ctx)
	if l.Poller().Caps().Has(poll.Virtual) {
		return fmt.Errorf("await: signals in %v: %w", l, errors.ErrUnsupported)
	}
	for _, kind := range kinds {
		stop, err := l.Driver().ReceiveSignal(kind, func() { s.receive(kind) })
		if err != nil {
			s.end()
			return err
		}
		s.stops = append(s.stops, stop)
	}
	s.stops = append(s.stops, bridge.AfterEnd(ctx, s.end))
	return nil
}

// receive is called by the loop.
func (s *signals) receive(sig os.Signal) {
	if !slices.Contains(s.pending, sig) {
		s.pending = append(s.pending, sig)
		s.queue.WakeOne()
	}
}

// next waits for a signal. One that comes after a cancel stays pending.
func (s *signals) next(ctx context.Context) (os.Signal, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	if len(s.pending) == 0 {
		d := r.Loop().Driver()
		d.Open() // a signal comes from outside
		err := s.queue.Wait(ctx, task.Text("a signal"))
		d.Shut()
		if err != nil {
			return nil, err
		}
	}
	sig := s.pending[0]
	s.pending = slices.Delete(s.pending, 0, 1)
	return sig, nil
}

// end stops receiving, once.
func (s *signals) end() {
	stops := s.stops
	s.stops = nil
	for _, stop := range stops {
		stop()
	}
	if s.err == nil {
		s.err = fmt.Errorf("await: signals are no longer received: %w", os.ErrClosed)
	}
}
