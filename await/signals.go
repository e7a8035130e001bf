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

// Signals returns an iterator over the signals of the given kinds that the process
// receives:
//
//	for sig, err := range await.Signals(ctx, os.Interrupt, syscall.SIGHUP) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// Receiving begins with the call of Signals, not with the range. So a program can report
// that it is ready before the range begins. While signals are received, their default
// action is off. Receiving ends when the range ends, ctx is cancelled, or the loop ends.
// When the last receiver of a signal has ended, the previous action is restored.
//
// Several tasks and loops may receive the same signal: each gets it. If a signal comes
// several times while the body of the range runs, the range returns it once, as in the
// kernel (signal(7)). Different signals come in the order in which the loop received
// them.
//
// A receiver replaces the signal handling of task.Main: while a task receives os.Interrupt,
// an interrupt does not cancel main, and a second one does not end the process. The same
// holds for SIGTERM.
//
// Signals itself never switches. Each step of the range may switch. A step with an error is
// the last one. The error is the *task.Canceled, os.ErrInvalid for a signal that no program
// can catch, or errors.ErrUnsupported in a simulated world, where there are no signals.
//
// Only the task that called Signals may range over the iterator, and only once; a second
// range returns os.ErrClosed. To know that another task receives signals, start that task
// with [task.StartReady]. A task that waits for signals is not deadlocked. Signals panics if
// kinds is empty.
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

// signals is the state of one range. The task and the loop share it, so its user must hold
// the baton.
type signals struct {
	pending []os.Signal // each kind once
	queue   task.WaitQueue
	stops   []func()
	err     error // of begin; os.ErrClosed after end
}

// begin begins to receive signals of each kind, until ctx is cancelled.
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

// receive records a signal. The loop calls it.
func (s *signals) receive(sig os.Signal) {
	if !slices.Contains(s.pending, sig) {
		s.pending = append(s.pending, sig)
		s.queue.WakeOne()
	}
}

// next waits for a signal. A signal that comes after a cancel stays pending.
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
		d.Open() // a signal comes from an external source
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

// end stops receiving. It may be called more than once.
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
