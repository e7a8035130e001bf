// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
)

// A signalHandler is what a loop does about one signal: it calls the handler of the
// user and the receivers. Each signal has a channel of its own, so that a flood of
// one signal cannot push out another one, and so that removing one leaves the
// others installed at every moment.
//
// It is a Waker, and posted by its relay, or by Signal; the rest belongs to the loop.
type signalHandler struct {
	loop       *Loop
	sig        os.Signal
	fn         func() // nil: none
	site       string // where fn was added, in debug mode
	background bool   // fn does not keep the loop from being idle
	receivers  []*signalReceiver

	incoming chan os.Signal // capacity 1: what comes faster than it is fetched is one; nil if Signal brings it
	posted   atomic.Bool    // in the mailbox already
}

// A signalReceiver is one of ReceiveSignal.
type signalReceiver struct{ fn func() }

// A signalHandlers is the set of handlers of a loop. The holder of the baton
// changes it under the lock, and so reads it without.
type signalHandlers struct {
	mu      sync.Mutex
	list    map[os.Signal]*signalHandler
	brought []os.Signal    // by Signal, and not by package os/signal
	relays  sync.WaitGroup // the goroutines of handlers
}

// set changes the handler of sig; nil is none.
func (s *signalHandlers) set(sig os.Signal, h *signalHandler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.list, sig)
		return
	}
	if s.list == nil {
		s.list = make(map[os.Signal]*signalHandler)
	}
	s.list[sig] = h
}

// AddSignalHandler has fn run as a callback whenever the process receives sig;
// it must not switch. It replaces the handler set before for sig on this loop;
// await.Signals is for any number of tasks. Other loops and packages receive the
// signal as well, but for task.Main, which leaves it to the handler. Signals of one kind that come faster than the
// loop turns are one, as with the kernel (signal(7)). The handlers of different
// signals run in any order, whichever was sent first. A
// signal that the system does not let programs catch is an error
// (os.ErrInvalid). The handler keeps the loop from being idle until it is
// removed. PEP 3156's add_signal_handler.
func (l *Loop) AddSignalHandler(sig os.Signal, fn func()) error {
	return l.addSignalHandler("AddSignalHandler", sig, fn, false)
}

// AddBackgroundSignalHandler is AddSignalHandler for a handler that waits for
// nothing in particular: with only such handlers left, a loop is idle.
func (l *Loop) AddBackgroundSignalHandler(sig os.Signal, fn func()) error {
	return l.addSignalHandler("AddBackgroundSignalHandler", sig, fn, true)
}

// addSignalHandler asks the os/signal package for a signal only once: replacing
// a handler leaves no moment in which the signal would do what it does by
// default.
func (l *Loop) addSignalHandler(call string, sig os.Signal, fn func(), background bool) error {
	l.mustHold(call)
	if fn == nil {
		panic("loop: a signal handler must not be nil")
	}
	if err := catchable(sig); err != nil {
		return fmt.Errorf("loop: add signal handler for %v: %w", sig, err)
	}
	h := l.handlerOf(sig)
	h.fn, h.site, h.background = fn, l.site(), background
	return nil
}

// handlerOf returns what the loop does about sig, which from then on is something.
func (l *Loop) handlerOf(sig os.Signal) *signalHandler {
	h := l.signals.list[sig]
	if h == nil {
		h = &signalHandler{loop: l, sig: sig}
		if !slices.Contains(l.signals.brought, sig) {
			h.incoming = make(chan os.Signal, 1)
			signal.Notify(h.incoming, sig)
			l.signals.relays.Go(h.relay)
		}
		l.signals.set(sig, h)
	}
	return h
}

// ReceiveSignal has fn called whenever the process receives sig, until stop is called.
// Any number of receivers get each signal, and so does the handler of
// AddSignalHandler. Fn is called like a Waker: with the baton, on whichever goroutine
// has it. It must not switch, and neither receive signals nor stop. A receiver does not keep the
// loop from being idle. Stop does nothing on a closed loop. Both belong to the loop.
func (d *Driver) ReceiveSignal(sig os.Signal, fn func()) (stop func(), err error) {
	l := (*Loop)(d)
	l.mustHold("ReceiveSignal")
	if err := catchable(sig); err != nil {
		return nil, fmt.Errorf("loop: receive signal %v: %w", sig, err)
	}
	h, r := l.handlerOf(sig), &signalReceiver{fn}
	h.receivers = append(h.receivers, r)
	return func() {
		if l.closed.Load() {
			return
		}
		l.mustHold("stop of ReceiveSignal")
		if i := slices.Index(h.receivers, r); i >= 0 {
			h.receivers = slices.Delete(h.receivers, i, i+1)
			h.tidy()
		}
	}, nil
}

// BringSignals says that the caller brings these signals by Signal, so that each of
// them has one receiver: the handler of this loop, if there is one, or else the
// caller. A handler that was added before keeps its signals. It belongs to the loop.
func (d *Driver) BringSignals(sigs ...os.Signal) {
	l := (*Loop)(d)
	l.mustHold("BringSignals")
	l.signals.brought = sigs
}

// Signal has the handler of sig run, as if the process had received sig, and reports
// whether there is a handler. Safe from every goroutine.
func (d *Driver) Signal(sig os.Signal) bool {
	l := (*Loop)(d)
	l.signals.mu.Lock()
	h := l.signals.list[sig]
	l.signals.mu.Unlock()
	if h != nil && h.incoming == nil {
		h.post()
	}
	return h != nil
}

// RemoveSignalHandler restores what sig did before, and reports whether there
// was a handler. A call of it that is already queued does not run any more. On a
// closed loop it reports false.
func (l *Loop) RemoveSignalHandler(sig os.Signal) bool {
	if l.closed.Load() {
		return false
	}
	l.mustHold("RemoveSignalHandler")
	h := l.signals.list[sig]
	if h == nil || h.fn == nil {
		return false
	}
	h.fn = nil
	h.tidy()
	return true
}

// closeSignals removes all handlers and waits for their goroutines. The loop is
// closed already, so what they still post is refused.
func (l *Loop) closeSignals() {
	for sig, h := range l.signals.list {
		l.signals.set(sig, nil)
		h.remove()
	}
	l.signals.relays.Wait()
}

// expectsSignal reports whether a handler is left that keeps the loop alive.
func (l *Loop) expectsSignal() bool {
	for _, h := range l.signals.list {
		if h.fn != nil && !h.background {
			return true
		}
	}
	return false
}

// tidy removes h when neither a handler nor a receiver is left.
func (h *signalHandler) tidy() {
	if h.fn == nil && len(h.receivers) == 0 {
		h.loop.signals.set(h.sig, nil)
		h.remove()
	}
}

// remove ends the relay, which ends with its channel. A handler is removed
// once.
func (h *signalHandler) remove() {
	h.fn, h.receivers = nil, nil
	if h.incoming != nil {
		signal.Stop(h.incoming) // nothing is sent on the channel after this
		close(h.incoming)
	}
}

// relay brings signals to the loop, on a goroutine of its own.
func (h *signalHandler) relay() {
	for range h.incoming {
		h.post()
	}
}

// post has the loop wake h. A loop that is stuck has h at most once in its mailbox.
func (h *signalHandler) post() {
	if h.posted.CompareAndSwap(false, true) {
		h.loop.Driver().Post(h)
	}
}

// Wake calls the receivers and queues the handler's callback. It is the loop's to call.
func (h *signalHandler) Wake() {
	h.posted.Store(false) // first: a signal from here on must come again
	for _, r := range h.receivers {
		r.fn()
	}
	if h.fn != nil {
		h.loop.queue(h.call, h.fn, h.site)
	}
}

// call is the callback.
func (h *signalHandler) call() {
	if h.fn != nil { // not removed in the same turn
		h.fn()
	}
}

// catchable reports an error for a signal that no program can catch.
func catchable(sig os.Signal) error {
	if slices.Contains(uncatchable, sig) {
		return fmt.Errorf("no program can catch it: %w", os.ErrInvalid)
	}
	return validSignal(sig)
}
