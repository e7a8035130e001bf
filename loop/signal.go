// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
)

// A signalHandler is what a loop does about one signal. Each has a channel of
// its own, so that a flood of one signal cannot push out another one, and so
// that removing one leaves the others installed at every moment.
//
// It is a Waker, and posted by its relay; fn, site and background belong to the
// loop.
type signalHandler struct {
	loop       *Loop
	fn         func() // nil: removed
	site       string // where it was added, in debug mode
	background bool   // does not keep the loop from being idle

	incoming chan os.Signal // capacity 1: what comes faster than it is fetched is one
	posted   atomic.Bool    // in the mailbox already
}

// AddSignalHandler has fn run as a callback whenever the process receives sig;
// it must not switch. It replaces the handler set before for sig on this loop;
// other loops and packages receive the signal as well. Signals of one kind that
// come faster than the loop turns are one, as with the kernel (signal(7)). The
// handlers of different signals run in any order, whichever was sent first. A
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
	h := l.signals[sig]
	if h == nil {
		h = &signalHandler{loop: l, incoming: make(chan os.Signal, 1)}
		l.signals[sig] = h
		signal.Notify(h.incoming, sig)
		l.relays.Go(h.relay)
	}
	h.fn, h.site, h.background = fn, l.site(), background
	return nil
}

// RemoveSignalHandler restores what sig did before, and reports whether there
// was a handler. A call of it that is already queued does not run any more. On a
// closed loop it reports false.
func (l *Loop) RemoveSignalHandler(sig os.Signal) bool {
	if l.closed.Load() {
		return false
	}
	l.mustHold("RemoveSignalHandler")
	h := l.signals[sig]
	if h == nil {
		return false
	}
	delete(l.signals, sig)
	h.remove()
	return true
}

// closeSignals removes all handlers and waits for their goroutines. The loop is
// closed already, so what they still post is refused.
func (l *Loop) closeSignals() {
	for _, h := range l.signals {
		h.remove()
	}
	clear(l.signals)
	l.relays.Wait()
}

// expectsSignal reports whether a handler is left that keeps the loop alive.
func (l *Loop) expectsSignal() bool {
	for _, h := range l.signals {
		if !h.background {
			return true
		}
	}
	return false
}

// remove ends the relay, which ends with its channel. A handler is removed
// once.
func (h *signalHandler) remove() {
	signal.Stop(h.incoming) // nothing is sent on the channel after this
	close(h.incoming)
	h.fn = nil
}

// relay brings signals to the loop, on a goroutine of its own. A loop that is
// stuck has at most one of them in its mailbox.
func (h *signalHandler) relay() {
	for range h.incoming {
		if h.posted.CompareAndSwap(false, true) {
			h.loop.Driver().Post(h)
		}
	}
}

// Wake queues the handler's callback. It is the loop's to call.
func (h *signalHandler) Wake() {
	h.posted.Store(false) // first: a signal from here on must come again
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
