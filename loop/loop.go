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

// ErrClosed is returned to other goroutines that come to a closed loop. For the
// owner of the loop, using it after Close is misuse and panics.
var ErrClosed = errors.New("loop: closed")

// A Loop runs callbacks and steps of tasks, one at a time, in turns. Except
// where a method says otherwise, a loop belongs to the goroutine that holds its
// baton while it runs, and to whoever made it while it does not run; a call
// from elsewhere panics.
//
// A Loop is made by [New] and must be closed.
type Loop struct {
	id     uint64
	cfg    Config
	poller poll.Poller
	atHome bool      // turns begin on the loop's own goroutine only
	real   bool      // the poller's clock is the machine's
	start  time.Time // timers count from here

	// The word is right whenever a user's code runs. enter and leave write it,
	// and in between the tasks, each when it has received the baton.
	word *holder.Word

	// The ready queue: batch[head:] is what this turn still runs, ready what
	// has been added meanwhile for the next one. The two change places with each
	// turn, so that a busy loop allocates nothing. Entries before head are zero
	// and keep nothing alive.
	batch []Entry
	head  int
	ready []Entry
	order arrangement

	timers timerHeap
	now    time.Duration // since start, as of the last poll
	done   []*poll.Op    // what the last poll has reported; reused by the next

	turnsSincePoll int
	stepsSincePoll int
	busyPolls      uint // polls that did not wait
	alone          bool // there is one processor
	mode           mode
	stopping       bool          // Stop was called, in this Run or before it
	calling        bool          // a callback runs
	limit          time.Duration // of the wait of a RunOnce; negative is none

	// What can still make something ready, besides timers: see Idle.
	inflight int // operations submitted and not reported
	jobs     int // functions in the executor
	doors    int // portals and contexts from outside

	mail     mailbox
	watchers map[uintptr]*watched // by descriptor
	signals  signalHandlers
	dog      *watchdog // nil without one
	before   func()    // of BeforePoll

	// Besides the word, the mailbox and what never changes, other goroutines
	// touch only what is from here on.
	marks   atomic.Uint32 // by the watchdog and by Probe, until the next step
	overdue atomic.Bool   // the watchdog asks for a poll
	running atomic.Bool
	closed  atomic.Bool
	debug   atomic.Bool

	// The jobs that have not ended, by whether somebody waits for them. Of an end the
	// loop may not know yet: jobs counts it until then.
	awaited   atomic.Int32
	abandoned atomic.Int32

	handlerMu sync.Mutex
	handler   func(*Loop, Exception)
}

// A mode is which Run method runs, as far as a turn must know.
type mode uint8

const (
	idleMode    mode = iota // Run: return when nothing can happen any more
	foreverMode             // RunForever
	onceMode                // RunOnce
)

var lastID atomic.Uint64

// New makes a loop. The error is that of the poller. Until it runs, the loop
// belongs to the caller, who may prepare it.
func New(cfg Config) (*Loop, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("loop: new: %w", err)
	}
	l := &Loop{
		id:       lastID.Add(1),
		cfg:      cfg,
		poller:   cfg.Poller,
		atHome:   cfg.Poller.Caps().Has(poll.Pinned) || cfg.Order != nil,
		real:     !cfg.Poller.Caps().Has(poll.Virtual),
		start:    cfg.Poller.Now(),
		word:     new(holder.Word),
		watchers: make(map[uintptr]*watched),
	}
	l.debug.Store(cfg.Debug)
	if cfg.SlowStep > 0 && !cfg.Poller.Caps().Has(poll.Virtual) {
		l.dog = newWatchdog(l)
		l.dog.labels = l.Driver().Labels(context.Background())
	}
	return l, nil
}

// String names the loop in messages. Safe from every goroutine.
func (l *Loop) String() string { return fmt.Sprintf("loop %d", l.id) }

// Poller returns the loop's world. Its methods belong to the loop.
func (l *Loop) Poller() poll.Poller { return l.poller }

// Rand returns the loop's source of random numbers. It belongs to the loop.
func (l *Loop) Rand() *rand.Rand { return l.cfg.Rand }

// Held reports whether the calling goroutine holds the loop's baton: it is the
// running task, or the loop's own goroutine. Safe from every goroutine.
func (l *Loop) Held() bool { return l.word.Held() }

// Time tells the time of the loop's world, which never goes backwards. Safe
// from every goroutine.
func (l *Loop) Time() time.Time { return l.poller.Now() }

// clock is how long the loop has existed, on its own clock. That of a real
// world is the machine's, and of that the monotonic part is enough: it costs
// half. Safe from every goroutine, though only the holder asks.
func (l *Loop) clock() time.Duration {
	if l.real {
		return time.Since(l.start)
	}
	return l.poller.Now().Sub(l.start)
}

// IsRunning reports whether the loop is inside one of its Run methods. Safe from every
// goroutine.
func (l *Loop) IsRunning() bool { return l.running.Load() }

// IsClosed reports whether Close was called. Safe from every goroutine.
func (l *Loop) IsClosed() bool { return l.closed.Load() }

// SetDebug switches debug mode: handles remember where they were made, and
// reports of failing or slow callbacks tell it. Safe from every goroutine.
func (l *Loop) SetDebug(on bool) { l.debug.Store(on) }

// Debug reports whether debug mode is on. Safe from every goroutine.
func (l *Loop) Debug() bool { return l.debug.Load() }

// Close ends the loop: handles still queued are dropped, signal handlers
// removed, watched descriptors released; functions in the executor get
// Config.Drain to end, unless they were abandoned, and those that do not are
// reported in the error, joined to that of the poller. Close blocks the
// calling goroutine so long. Close panics if the loop runs; a second Close
// does nothing. The mailbox goes first, so that nobody comes in any more.
func (l *Loop) Close() error {
	if l.running.Load() {
		panic(fmt.Sprintf("loop: Close of %v while it runs; call Stop and let Run return first", l))
	}
	left, open := l.mail.close()
	if !open {
		return nil
	}
	l.closed.Store(true)
	for _, w := range left {
		if j, ok := w.(*Job); ok {
			j.drop()
		}
	}
	l.closeSignals()
	if l.dog != nil {
		l.dog.close()
	}
	var errs []error
	if left := l.drain(l.cfg.Drain); left > 0 {
		errs = append(errs, fmt.Errorf("loop: close: %d blocking functions still run after %v", left, max(l.cfg.Drain, 0)))
	}
	if err := l.poller.Close(); err != nil {
		errs = append(errs, fmt.Errorf("loop: close: %w", err))
	}
	l.batch, l.ready, l.head = nil, nil, 0
	l.timers.clear()
	clear(l.watchers)
	return errors.Join(errs...)
}

// mustHold panics unless the caller may use the loop: it holds the baton, or
// the loop does not run and is open. Which goroutine it belongs to while it
// does not run nobody knows, so nothing is checked then.
func (l *Loop) mustHold(call string) {
	if l.word.Held() {
		return
	}
	if l.closed.Load() {
		panic(fmt.Sprintf("loop: %s on %v, which is closed", call, l))
	}
	if !l.word.Free() {
		panic(fmt.Sprintf("loop: %s on %v from a goroutine that does not hold its baton; use CallSoonThreadsafe or a portal", call, l))
	}
}

// running loops, so that a goroutine can find the loop whose baton it holds.
var registry struct {
	sync.Mutex
	loops []*Loop
}

// Current returns the running loop whose baton the calling goroutine holds, or
// nil. It is a slow path, for messages and adapters. Safe from every goroutine.
// A loop is listed while it runs, and a goroutine holds one baton at a time.
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

// enter makes the calling goroutine the loop's own until leave. The
// compare-and-swap comes before the word: of two goroutines that run one loop
// at the same time the second panics and has touched nothing.
func (l *Loop) enter(call string) {
	if l.closed.Load() {
		panic(fmt.Sprintf("loop: %s of %v, which is closed", call, l))
	}
	if other := Current(); other != nil {
		panic(fmt.Sprintf("loop: %s of %v inside %v; a goroutine runs one loop at a time", call, l, other))
	}
	if !l.running.CompareAndSwap(false, true) {
		panic(fmt.Sprintf("loop: %s of %v, which already runs", call, l))
	}
	l.word.Hold(gid.G())
	l.alone = runtime.GOMAXPROCS(0) == 1
	registry.Lock()
	registry.loops = append(registry.loops, l)
	registry.Unlock()
	if l.dog != nil {
		pprof.SetGoroutineLabels(l.dog.labels)
		l.dog.arm()
	}
}

// leave gives the baton up, and the mark of the watchdog, which would otherwise
// be the last step's. The word is freed before running: another goroutine may
// enter from then on, and write its own.
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
	l.moved()
	if l.dog != nil {
		pprof.SetGoroutineLabels(context.Background())
	}
	l.word.Hold(0)
	l.running.Store(false)
}
