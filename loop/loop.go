// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"baton/internal/gid"
	"baton/internal/holder"
	"baton/loop/poll"
)

// ErrClosed is returned to goroutines that post to a closed loop. Other uses of a closed
// loop are misuse and panic.
var ErrClosed = errors.New("loop: closed")

// A Loop runs callbacks and steps of tasks, one at a time, in turns. Create a Loop with
// [New], and close it when it is no longer needed.
//
// While the loop runs, only the holder of its baton may call its methods. While the loop
// does not run, only the goroutine that owns it may call them. Methods that are safe for
// concurrent use say so.
type Loop struct {
	id         uint64
	cfg        Config
	poller     poll.Poller
	turnsInRun bool      // turns begin in Run, and never in Take
	realTime   bool      // the poller's clock is the machine's
	start      time.Time // timers count from here

	// word names the goroutine that holds the baton. It is correct whenever user code runs.
	// enter and leave write it, and every task writes it when it has received the baton.
	word *holder.Word

	// The ready queue. batch[head:] is the rest of this turn, and ready is the next turn.
	// The two slices are swapped each turn, so that a busy loop does not allocate. Entries
	// before head are zero, so that they keep nothing alive.
	batch []Entry
	head  int
	ready []Entry
	order arrangement

	timers timerHeap
	now    time.Duration // since start, as of the last poll
	done   []*poll.Op    // the completed operations of the last poll; the slice is reused

	turnsSincePoll int
	stepsSincePoll int
	busyPolls      uint // polls that did not wait
	oneProcessor   bool // GOMAXPROCS is 1
	mode           mode
	stopping       bool          // Stop was called, in this Run or before it
	calling        bool          // a callback runs
	limit          time.Duration // the longest wait of a RunOnce; negative means no limit

	// What can still make something ready, besides timers: see Idle.
	inflight int // operations that were submitted and not reported
	jobs     int // functions in the executor
	sources  int // external sources: see Driver.Open

	mail       mailbox
	watchers   map[uintptr]*watched // by descriptor
	signals    signalHandlers
	watchdog   *watchdog // nil if there is none
	beforePoll func()    // set by BeforePoll

	// Other goroutines may touch only word, mail, signals.mu and what it guards, the fields
	// below, and fields that never change.
	marks         atomic.Uint32 // set by the watchdog and by Probe, cleared by the next step
	pollRequested atomic.Bool   // set by the watchdog
	running       atomic.Bool
	closed        atomic.Bool
	debug         atomic.Bool

	// Functions in the executor that have not ended. An ended job that the loop has not
	// processed yet is no longer counted here, but still in jobs.
	awaitedJobs   atomic.Int32 // not abandoned
	abandonedJobs atomic.Int32 // abandoned

	handlerMu sync.Mutex
	handler   func(*Loop, Exception)
}

// A mode says which Run method is running.
type mode uint8

const (
	idleMode    mode = iota // Run: return when the loop is idle
	foreverMode             // RunForever
	onceMode                // RunOnce
)

var lastID atomic.Uint64

// New creates a loop. It returns an error if it cannot create the poller. Until the loop
// runs, it belongs to the calling goroutine.
func New(cfg Config) (*Loop, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("loop: new: %w", err)
	}
	l := &Loop{
		id:         lastID.Add(1),
		cfg:        cfg,
		poller:     cfg.Poller,
		turnsInRun: cfg.Poller.Caps().Has(poll.Pinned) || cfg.Order != nil,
		realTime:   !cfg.Poller.Caps().Has(poll.Virtual),
		start:      cfg.Poller.Now(),
		word:       new(holder.Word),
		watchers:   make(map[uintptr]*watched),
	}
	l.debug.Store(cfg.Debug)
	if cfg.SlowStep > 0 && !cfg.Poller.Caps().Has(poll.Virtual) {
		l.watchdog = newWatchdog(l)
		l.watchdog.labels = l.Driver().Labels(context.Background())
	}
	return l, nil
}

// String returns the name of the loop for messages. It is safe for concurrent use.
func (l *Loop) String() string { return fmt.Sprintf("loop %d", l.id) }

// Poller returns the loop's poller. Except for the methods that are safe for concurrent
// use, only the holder may call its methods.
func (l *Loop) Poller() poll.Poller { return l.poller }

// Rand returns the loop's source of random numbers. Only the holder may use it.
func (l *Loop) Rand() *rand.Rand { return l.cfg.Rand }

// Held reports whether the calling goroutine holds the loop's baton. It is safe for
// concurrent use.
func (l *Loop) Held() bool { return l.word.Held() }

// Time returns the current time of the loop's clock, which never goes backwards. It is safe
// for concurrent use.
func (l *Loop) Time() time.Time { return l.poller.Now() }

// clock returns the time since the loop's start. On the machine's clock, it reads only the
// monotonic time, which takes half as long.
func (l *Loop) clock() time.Duration {
	if l.realTime {
		return time.Since(l.start)
	}
	return l.poller.Now().Sub(l.start)
}

// IsRunning reports whether the loop is inside one of its Run methods. It is safe for
// concurrent use.
func (l *Loop) IsRunning() bool { return l.running.Load() }

// IsClosed reports whether Close was called. It is safe for concurrent use.
func (l *Loop) IsClosed() bool { return l.closed.Load() }

// SetDebug turns debug mode on or off. In debug mode, Handles record where they were
// created, and reports of panics and slow callbacks say so. SetDebug is safe for concurrent
// use.
func (l *Loop) SetDebug(on bool) { l.debug.Store(on) }

// Debug reports whether debug mode is on. It is safe for concurrent use.
func (l *Loop) Debug() bool { return l.debug.Load() }

// Close closes the loop and its poller. It drops queued callbacks, and removes signal
// handlers and watched descriptors. It blocks until the functions in the executor have
// ended, for at most Config.Drain, and not at all if only abandoned functions run. Close
// returns an error if unabandoned functions still run, joined with the error of the poller.
//
// Close panics if the loop is running. A second Close does nothing.
func (l *Loop) Close() error {
	if l.running.Load() {
		panic(fmt.Sprintf("loop: Close of %v while it runs; call Stop, and Close when Run has returned", l))
	}
	left, open := l.mail.close() // first: no other goroutine gets in from here on
	if !open {
		return nil
	}
	l.closed.Store(true)
	for _, w := range left {
		if j, ok := w.(*Job); ok {
			j.logFailure()
		}
	}
	l.closeSignals()
	if l.watchdog != nil {
		l.watchdog.close()
	}
	var errs []error
	if left := l.drain(l.cfg.Drain); left > 0 {
		errs = append(errs, fmt.Errorf("loop: close: %d functions of RunInExecutor still run after %v", left, max(l.cfg.Drain, 0)))
	}
	if err := l.poller.Close(); err != nil {
		errs = append(errs, fmt.Errorf("loop: close: %w", err))
	}
	l.batch, l.ready, l.head = nil, nil, 0
	l.timers.clear()
	clear(l.watchers)
	return errors.Join(errs...)
}

// mustHold panics if the loop is closed, or if it runs and the calling goroutine does not
// hold the baton. While the loop does not run, its owner is not known, so mustHold does not
// check the goroutine.
func (l *Loop) mustHold(call string) {
	if l.word.Held() {
		return
	}
	if l.closed.Load() {
		panic(fmt.Sprintf("loop: %s on %v, which is closed; call it before Close", call, l))
	}
	if !l.word.Free() {
		panic(fmt.Sprintf("loop: %s on %v from a goroutine that does not hold its baton; use CallSoonThreadsafe or a task.Portal", call, l))
	}
}

// registry lists the running loops.
var registry struct {
	sync.Mutex
	loops []*Loop
}

// Current returns the loop whose baton the calling goroutine holds, or nil. It searches all
// running loops under a lock; use it for messages and adapters, not in fast paths. It is
// safe for concurrent use.
func Current() *Loop {
	registry.Lock()
	defer registry.Unlock()
	for _, l := range registry.loops {
		if l.word.Held() {
			return l
		}
	}
	return nil
}

// enter gives the baton to the calling goroutine. If two goroutines run one loop at the
// same time, the compare-and-swap makes the second one panic before it changes anything.
func (l *Loop) enter(call string) {
	if l.closed.Load() {
		panic(fmt.Sprintf("loop: %s of %v, which is closed; create a new loop", call, l))
	}
	if other := Current(); other != nil {
		panic(fmt.Sprintf("loop: %s of %v inside %v; run it on another goroutine", call, l, other))
	}
	if !l.running.CompareAndSwap(false, true) {
		panic(fmt.Sprintf("loop: %s of %v, which is already running; let its Run return first", call, l))
	}
	l.word.Hold(gid.G())
	l.oneProcessor = runtime.GOMAXPROCS(0) == 1
	registry.Lock()
	registry.loops = append(registry.loops, l)
	registry.Unlock()
	if l.watchdog != nil {
		pprof.SetGoroutineLabels(l.watchdog.labels)
		l.watchdog.arm()
	}
}

// leave gives up the baton and clears the marks of the last step. It frees the word before
// it clears running, because another goroutine may enter from then on and write the word.
func (l *Loop) leave() {
	registry.Lock()
	for i, other := range registry.loops {
		if other == l {
			last := len(registry.loops) - 1
			registry.loops[i] = registry.loops[last]
			registry.loops[last] = nil
			registry.loops = registry.loops[:last]
			break
		}
	}
	registry.Unlock()
	l.clearMarks()
	if l.watchdog != nil {
		pprof.SetGoroutineLabels(context.Background())
	}
	l.word.Hold(0)
	l.running.Store(false)
}
