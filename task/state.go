// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"sync/atomic"
	"time"

	"baton/internal/holder"
	"baton/internal/relay"
	"baton/loop"
)

// This file is the data of a tree of tasks. The types point at each other; the files
// that use them depend only on each other's earlier ones, in the order that a test in
// internal/rooms lists. All of it belongs to the holder of the baton, except where it
// says otherwise.

// State says where a task stands.
type State uint8

const (
	Ready   State = iota // its step is in the loop's ready queue
	Running              // it holds the baton
	Parked               // it waits
	Done                 // its function has returned
)

// String returns the name of the state.
func (s State) String() string {
	return [...]string{"ready", "running", "parked", "done"}[s]
}

// A Ref is a task, whatever the type of its result. A Ref belongs to the loop: to
// whoever holds its baton while it runs. ID, Name and String are safe from
// every goroutine.
type Ref struct {
	// What a switch reads and writes stands together, in one line of the
	// processor's cache with the beginning of ctx: among ten thousand tasks the
	// lines that a switch touches are what it costs.
	b      *baton
	worker *worker // whose goroutine it runs on, from the first step to the end

	state    State
	started  bool // by Start, and the function that has called Start has not returned
	observed bool // it was awaited
	goexit   bool // its function ended by runtime.Goexit
	daemon   bool // by goUnder: it ends with the context that it was started under
	budget   int32
	parks    uint32 // counts parks, so that late news of an earlier one is known

	ctx node // the task's own context

	qnext, qprev *Ref // parked: in a line

	id       uint64
	body     body
	err      error
	awaiters taskList // see outcome
	extra    atomic.Pointer[extra]
}

// extra is what few tasks need.
type extra struct {
	name      atomic.Pointer[string]
	callbacks callbacks
	panics    []*PanicError // returned by its scopes
	finish    func(error)   // gives the error to the call of a portal
	stop      func()        // ends the watching of a standard context
	between   []*Canceled   // that have ended its context, but for the first and the last
	watchers  int           // running calls of await.All and await.Each
	unawaited []*Ref        // tasks of Start, started by it, that have failed: see settle
}

// more returns r's extra, which it makes at the first need: most tasks end
// without one. It belongs to the holder of the baton, but for the name.
func (r *Ref) more() *extra {
	x := r.extra.Load()
	if x == nil {
		x = &extra{}
		r.extra.Store(x)
	}
	return x
}

// A body is the function of a task, with room for its result.
type body interface {
	// run calls the function under the task's own context, on its worker's
	// goroutine, and keeps the result.
	run(*Ref) error

	// function is what Name names.
	function() any
}

// A line is parked tasks in the order in which they came, linked through
// themselves, so that one who leaves from the middle costs nothing. The head's
// qprev is the tail: a task has a line of its own, and a hundred thousand tasks
// are a hundred thousand words less. It belongs to the holder of the baton; a
// task stands in at most one line, since it waits for one thing at a time.
type taskList struct{ head *Ref }

// A Reason is what a parked task waits for, in words for people. Both methods
// are called with the baton, for reports; they must not switch and should not
// change anything.
type Reason interface {
	// Reason completes "task 7 has waited 1s for …".
	Reason() string
	// Owners are the tasks that could end the wait; nil if there is nobody in
	// particular.
	Owners() []*Ref
}

// A Waiter is one thing that a task can wait for. It is for building primitives
// on [Park]; [WaitQueue] is the one that most of them need.
type Waiter interface {
	Reason
	// Cancel is called when r is cancelled while it is parked, or was cancelled
	// before it could park. True means that the wait is over without effect: Park
	// returns the *Canceled. False means that something lent out must come back
	// first (a buffer that the kernel uses): the waiter will Wake r itself, later.
	// The caller holds the baton. Cancel must not switch, and must not wake r.
	// After false it may be called again, if something further out is cancelled
	// too. Trio calls it abort_fn.
	Cancel(r *Ref) bool
}

// A node is a context of ours: a place in the tree of what can be cancelled. A
// task has one, and so have a scope, a timeout and a shield inside it. It says
// which task may use it, and it is light: cancelling a scope of many tasks
// marks their nodes and wakes those that are parked, nothing else. Only what is
// asked for Done or handed to context.WithCancel grows a shadow in the standard
// library.
//
// Done, Err, Value, Deadline and AfterFunc are safe from every goroutine; all
// else belongs to the baton.
type node struct {
	ref     *Ref      // the task that may switch under this context; nil above the root
	current *Canceled // what switch points return; nil while not cancelled
	scope   *scope    // the nearest scope: where Go starts tasks
	parent  *node     // whose cancel comes down here; nil for a root

	inherited *inherited // what the contexts further out tell

	// canceled is set once and decides Err and Cause, which must not change any
	// more once they have been told (package context's rule). by is the same
	// until a scope further out is cancelled too: then switch points return that
	// cancel, whose scope is the one to leave.
	canceled atomic.Pointer[Canceled]

	first      *node // children: those that a cancel goes down to, in order; its prev is the last one
	next, prev *node
	stdContext atomic.Pointer[stdContext] // nil until somebody needs it: see shade
	limit      *limit                     // of a timeout or shield, or nil
}

// A horizon is what a context tells of those further out. Other goroutines read
// it, so it never changes; all contexts that tell the same share it.
type inherited struct {
	values    context.Context // the nearest one of the standard library
	deadlines *limit          // the nearest timeout, from which Deadline goes outwards, or nil
}

// A limit is a context with a time: a deadline, or a shield, which holds a
// cancel off for a bounded time. Its timer runs on the loop's clock.
type limit struct {
	node
	timer    loop.Timer
	stop     func() // ends the watching of a standard context, or nil
	ended    bool   // released
	standard bool   // the loop's clock is that of package time

	// What Deadline tells other goroutines: when, or nil if the deadline was taken
	// away, and where to go on.
	deadline atomic.Pointer[time.Time]
	outer    *limit    // the next timeout outwards, as far as no shield hides it
	storage  inherited // what the context tells; here, so that it is no allocation

	timeless bool // of withCancel: neither a deadline nor a shield

	shield  bool
	bound   time.Duration // negative is none
	pending *Canceled     // what a shield holds off: the last cancel from outside
}

// A scope owns tasks: it ends when its function and all of them have ended.
// Trio calls it a nursery. It belongs to the holder of the baton.
type scope struct {
	node
	phase   phase
	count   int // of live tasks
	daemons int // of those, the tasks of goUnder

	failed    bool                   // and cancelled for it; errs may be empty all the same
	errs      []error                // failures, the first first
	unawaited []*Ref                 // tasks of Start, started by its function, that have failed: see settle
	cause     error                  // of ScopeRef.Cancel; what Scope returns if nothing fails
	portals   []interface{ Close() } // open ones, in the order of OpenPortal
	locals    map[any]any            // of bridge.Local
}

// A phase is how far a scope has come. It never goes back.
type phase uint8

const (
	open    phase = iota // its function runs
	joining              // the function has returned, tasks still run
	closed               // no task is left, and none can start
)

// A worker is a goroutine that runs tasks, one after another, and what belongs to the
// task that it runs now. It is the relay.Seat of its relay.Worker.
type worker struct {
	// What a switch touches stands together: see relay.Worker.
	//
	// The wait of its task, while that is parked. It is here and not in the task,
	// for most tasks never wait, and there may be many that have not begun.
	under     *node         // the context of the call that parked
	waiter    Waiter        // what it waits for
	since     time.Duration // when it began, on the loop's clock
	abortedBy *Canceled     // the cancel that has ended it, or nil

	task *Ref // nil while idle; task.worker is this one
	relay.Worker

	// shown is task, for the watchdog. It is written when a task begins and cleared
	// when the worker becomes idle, and not for each step: that is what naming steps
	// costs.
	watchdogTask atomic.Pointer[Ref]

	timer loop.Timer // of the task's sleep
}

// A baton is what the tasks of one loop share: who runs now, and the goroutines
// that can. Each Run makes one. It belongs to its holder; other goroutines read
// loop and word, which never change.
type baton struct {
	loop  *loop.Loop
	word  *holder.Word
	relay *relay.Relay

	// cur is the running task; nil in callbacks, while polling and between tasks.
	// It says nothing to a goroutine that word does not name: look there first.
	cur *Ref

	virtual     bool   // the loop's clock is not that of package time
	hasWatchdog bool   // the loop has a watchdog
	root        *Ref   // the task of main
	over        bool   // the turn after its end runs, or has run; or Run has given up
	lastID      uint64 // of the task that was made last
	foreign     foreignContexts

	// deadlock is the cancel of all tasks for the first deadlock, or nil.
	deadlock *Canceled

	// panics are those of tasks, for verdict: whoever caught one may have dropped
	// it. Reported ones leave when the list would grow.
	panics []*PanicError
}

// stepBudget is how many calls that need not wait a task may make in one step
// before one of them yields, so that nobody starves the loop by never parking.
const stepBudget = 256
