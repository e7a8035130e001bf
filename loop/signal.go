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

// A signalHandler is the state of one signal on a loop: the user's handler and the
// receivers. Each signal has its own channel. So a flood of one signal does not displace
// another signal, and removing one handler never uninstalls another.
//
// A signalHandler is a Waker. forward and Signal post it, from any goroutine; everything
// else is for the holder only.
type signalHandler struct {
	loop       *Loop
	sig        os.Signal
	fn         func() // the user's handler, or nil
	site       string // where fn was added, in debug mode
	background bool   // fn does not keep the loop from being idle
	receivers  []*signalReceiver

	// incoming has capacity 1, so that signals that arrive together count as one. incoming
	// is nil if Signal delivers this signal.
	incoming chan os.Signal
	posted   atomic.Bool // h is in the mailbox
}

// A signalReceiver is one call of ReceiveSignal.
type signalReceiver struct{ fn func() }

// signalHandlers is the set of handlers of a loop. The holder changes list under the mutex,
// and reads it without the mutex. Other goroutines read it under the mutex.
type signalHandlers struct {
	mu             sync.Mutex
	list           map[os.Signal]*signalHandler
	broughtSignals []os.Signal    // delivered by Signal, and not by package os/signal
	forwarders     sync.WaitGroup // the goroutines that run forward
}

// set sets the handler of sig; nil removes it.
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

// AddSignalHandler makes the loop run fn as a callback whenever the process receives sig.
// fn must not switch. AddSignalHandler replaces the handler of sig that was set before on
// this loop. It is add_signal_handler of PEP 3156. To receive signals in tasks, use
// await.Signals, in any number of tasks.
//
// Other loops and packages receive the signal as well. Only task.Main does not react to a
// signal that has a handler.
//
// Signals of one kind that arrive faster than the loop runs turns may be merged, as in the
// kernel (signal(7)). The handlers of different signals run in any order.
//
// The error is os.ErrInvalid (errors.Is) if no program can catch sig. The handler keeps the
// loop from being idle until it is removed.
func (l *Loop) AddSignalHandler(sig os.Signal, fn func()) error {
	return l.addSignalHandler("AddSignalHandler", sig, fn, false)
}

// AddBackgroundSignalHandler is AddSignalHandler for a handler that does not keep the loop
// from being idle.
func (l *Loop) AddBackgroundSignalHandler(sig os.Signal, fn func()) error {
	return l.addSignalHandler("AddBackgroundSignalHandler", sig, fn, true)
}

// addSignalHandler calls signal.Notify only once for each signal. While a handler is
// replaced, the signal therefore never has its default effect.
func (l *Loop) addSignalHandler(call string, sig os.Signal, fn func(), background bool) error {
	l.mustHold(call)
	if fn == nil {
		panic("loop: the signal handler is nil; pass a function, or call RemoveSignalHandler")
	}
	if err := catchable(sig); err != nil {
		return fmt.Errorf("loop: add a handler for the signal %v: %w", sig, err)
	}
	h := l.handlerOf(sig)
	h.fn, h.site, h.background = fn, l.callSite(), background
	return nil
}

// handlerOf returns the signalHandler of sig. It creates one if there is none.
func (l *Loop) handlerOf(sig os.Signal) *signalHandler {
	h := l.signals.list[sig]
	if h == nil {
		h = &signalHandler{loop: l, sig: sig}
		if !slices.Contains(l.signals.broughtSignals, sig) {
			h.incoming = make(chan os.Signal, 1)
			signal.Notify(h.incoming, sig)
			l.signals.forwarders.Go(h.forward)
		}
		l.signals.set(sig, h)
	}
	return h
}

// ReceiveSignal makes the loop call fn whenever the process receives sig, until stop is
// called. A signal goes to all its receivers, and to the handler of AddSignalHandler. The
// loop calls fn like a Waker: between two steps, with the baton. fn must not switch, and
// must not call ReceiveSignal or stop. A receiver does not keep the loop from being idle.
// Only the holder may call ReceiveSignal and stop. On a closed loop, stop does nothing.
func (d *Driver) ReceiveSignal(sig os.Signal, fn func()) (stop func(), err error) {
	l := (*Loop)(d)
	l.mustHold("ReceiveSignal")
	if err := catchable(sig); err != nil {
		return nil, fmt.Errorf("loop: receive the signal %v: %w", sig, err)
	}
	h, r := l.handlerOf(sig), &signalReceiver{fn}
	h.receivers = append(h.receivers, r)
	return func() {
		if l.closed.Load() {
			return
		}
		l.mustHold("the stop function of ReceiveSignal")
		if i := slices.Index(h.receivers, r); i >= 0 {
			h.receivers = slices.Delete(h.receivers, i, i+1)
			h.removeIfUnused()
		}
	}, nil
}

// BringSignals declares that the caller itself receives these signals from the operating
// system, and passes them to the loop by Signal. Each of the signals then has one receiver:
// the handler of this loop if there is one, and otherwise the caller. A handler that was
// added before still receives its signal from package os/signal.
func (d *Driver) BringSignals(sigs ...os.Signal) {
	l := (*Loop)(d)
	l.mustHold("BringSignals")
	l.signals.broughtSignals = sigs
}

// Signal acts as if the process had received sig: it runs the handler of sig. It returns
// false if there is no handler. Signal is safe for concurrent use.
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

// RemoveSignalHandler removes the handler of sig, so that the signal has its earlier effect
// again. It reports whether there was a handler. A call of the handler that is already
// queued does not run. On a closed loop, RemoveSignalHandler returns false.
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
	h.removeIfUnused()
	return true
}

// closeSignals removes all handlers and waits for their goroutines. The loop is already
// closed, so it refuses their posts.
func (l *Loop) closeSignals() {
	for sig, h := range l.signals.list {
		l.signals.set(sig, nil)
		h.remove()
	}
	l.signals.forwarders.Wait()
}

// expectsSignal reports whether a signal handler keeps the loop from being idle.
func (l *Loop) expectsSignal() bool {
	for _, h := range l.signals.list {
		if h.fn != nil && !h.background {
			return true
		}
	}
	return false
}

// removeIfUnused removes h if it has neither a handler nor receivers.
func (h *signalHandler) removeIfUnused() {
	if h.fn == nil && len(h.receivers) == 0 {
		h.loop.signals.set(h.sig, nil)
		h.remove()
	}
}

// remove ends forward by closing its channel. It is called once.
func (h *signalHandler) remove() {
	h.fn, h.receivers = nil, nil
	if h.incoming != nil {
		signal.Stop(h.incoming) // after Stop, package os/signal sends nothing more
		close(h.incoming)
	}
}

// forward passes signals on to the loop, on its own goroutine.
func (h *signalHandler) forward() {
	for range h.incoming {
		h.post()
	}
}

// post posts h to the loop, unless h is already in the mailbox. So a blocked loop has each
// signal in its mailbox at most once.
func (h *signalHandler) post() {
	if h.posted.CompareAndSwap(false, true) {
		h.loop.Driver().Post(h)
	}
}

// Wake calls the receivers and queues the handler's callback. Only the loop calls it.
func (h *signalHandler) Wake() {
	h.posted.Store(false) // first, so that a signal that arrives from here on is posted again
	for _, r := range h.receivers {
		r.fn()
	}
	if h.fn != nil {
		h.loop.queue(h.call, h.fn, h.site)
	}
}

// call runs the user's handler, as a callback.
func (h *signalHandler) call() {
	if h.fn != nil { // nil if the handler was removed in this turn
		h.fn()
	}
}

// catchable returns an error if no program can catch sig.
func catchable(sig os.Signal) error {
	if slices.Contains(uncatchable, sig) {
		return fmt.Errorf("no program can catch it: %w", os.ErrInvalid)
	}
	return validSignal(sig)
}
