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

// This file declares the data of a tree of tasks: the types refer to each other. The
// other files use only what earlier files declare, in the order that a test in
// internal/layers lists. All data belongs to the holder of the baton, unless a comment says
// otherwise.

// State is the state of a task.
type State uint8

const (
	Ready   State = iota // its next step is in the loop's ready queue
	Running              // it holds the baton
	Parked               // it waits
	Done                 // its function has returned, and its result is there
)

// String returns the name of the state.
func (s State) String() string {
	return [...]string{"ready", "running", "parked", "done"}[s]
}

// A Ref is a handle on a task with any type of result. ID, Name and String are safe for
// concurrent use. The other methods are for the tasks and callbacks of the task's loop,
// and for other goroutines only while the loop does not run.
type Ref struct {
	// The fields that a switch uses stand together, in one cache line with the beginning of
	// ctx: with ten thousand tasks, the cost of a switch is the number of cache lines that it
	// touches.
	b      *baton
	worker *worker // runs the task, from its first step to its end

	state    State
	started  bool   // made by Start; the function that called Start has not returned
	observed bool   // it was awaited, or has ended without a failure
	goexit   bool   // the function ended by runtime.Goexit
	daemon   bool   // made by goUnder: its scope does not wait for it
	budget   int32  // switch points left before the next one yields; see stepBudget
	parks    uint32 // counts parks, so that a late cancel of an earlier park is recognized

	ctx node // the task's own context

	qnext, qprev *Ref // links in the taskList in which the task waits

	id       uint64
	body     body
	err      error
	awaiters taskList // see awaitedTask
	extra    atomic.Pointer[extra]
}

// extra has the fields that few tasks need. See Ref.more.
type extra struct {
	name      atomic.Pointer[string]
	callbacks callbacks
	panics    []*PanicError // in errors that its scopes have returned to it
	finish    func(error)   // passes the error to a portal's Call
	stop      func()        // stops watching a context of the standard library
	between   []*Canceled   // cancels of its context after the first, before the current one
	watchers  int           // running calls of await.All and await.Each
	unawaited []*Ref        // failed tasks of Start that it has started; see assignError
}

// more returns r.extra, and makes it at the first call. Only the holder of the baton calls
// more. Other goroutines load r.extra, to read the name.
func (r *Ref) more() *extra {
	x := r.extra.Load()
	if x == nil {
		x = &extra{}
		r.extra.Store(x)
	}
	return x
}

// A body is the function of a task, and the place for its result.
type body interface {
	// run calls the function under the task's own context, on the worker's goroutine, and
	// stores the result.
	run(*Ref) error

	// function returns the function, for Ref.Name.
	function() any
}

// A taskList is a list of parked tasks in the order of their arrival. The tasks themselves
// are the links, so removing a task from the middle is cheap. The qprev of the head is the
// tail, which saves a word in every task. A task is in at most one taskList, because it
// waits for one thing at a time.
type taskList struct{ head *Ref }

// A Reason describes what a parked task waits for, for reports. The holder of the baton
// calls the methods. They must not switch and should not change anything.
type Reason interface {
	// Reason returns what the task waits for: it completes "task 7 has waited 1s for …".
	Reason() string
	// Owners returns the tasks that could end the wait, or nil if no particular task could.
	Owners() []*Ref
}

// A Waiter is what a task waits for in [Park]. Implement it to build a new kind of wait;
// [WaitQueue] is enough for most.
type Waiter interface {
	Reason
	// Cancel is called when r is cancelled while it is parked on the Waiter, or before it
	// parks. If Cancel returns true, the wait ends without effect and Park returns the
	// *Canceled. If it returns false, the wait goes on, and the Waiter must call r.Wake later:
	// for example when the kernel has returned a buffer. After false, Cancel may be called
	// again for a cancel of an outer context.
	//
	// The holder of the baton calls Cancel. Cancel must not switch and must not wake r. Trio
	// calls it abort_fn.
	Cancel(r *Ref) bool
}

// A node is a context made by this package: a task has one, and so has each of its scopes,
// timeouts and shields. The nodes of a loop form a tree, along which cancels spread. A
// cancel only marks nodes and wakes parked tasks, so a scope of many tasks is cheap to
// cancel. A node gets a stdContext only if its Done is called or if the standard library
// derives a context from it.
//
// Done, Err, Value, Deadline and AfterFunc are safe for concurrent use. All else is for
// the holder of the baton.
type node struct {
	ref     *Ref      // the task that may use this context; nil above the root task
	current *Canceled // what switch points return; nil if not cancelled
	scope   *scope    // the innermost scope, in which Go starts tasks
	parent  *node     // its cancels spread to this node; nil for the topmost

	inherited *inherited // values and deadlines of the outer contexts

	// canceled is the first cancel. It decides Err and Cause, which must never change once set
	// (a rule of package context). current is the same, until an outer context is cancelled
	// too: then switch points return the outer cancel, because the task must leave the outer
	// scope.
	canceled atomic.Pointer[Canceled]

	// The children of the node, in the order in which cancels reach them. They are linked by
	// next and prev; the prev of the first child is the last child.
	first      *node
	next, prev *node
	stdContext atomic.Pointer[stdContext] // nil until first used: see asStdContext
	limit      *limit                     // set if the node is a timeout, shield or cancel block
}

// An inherited is what a context inherits from the contexts around it. It never changes,
// because other goroutines read it. Contexts that inherit the same share it.
type inherited struct {
	values    context.Context // the nearest context of the standard library
	deadlines *limit          // the nearest timeout, where the search for the deadline begins, or nil
}

// A limit is a context with a time: a timeout, or a shield, which holds back a cancel for
// a limited time. Its timer runs on the loop's clock. A limit of withCancel has no time.
type limit struct {
	node
	timer    loop.Timer
	stop     func() // stops watching a context of the standard library, or nil
	ended    bool   // the block has ended
	standard bool   // the loop's clock is that of package time

	// Other goroutines read these two by calling Deadline. deadline is nil if the timeout has
	// no time: see reschedule.
	deadline atomic.Pointer[time.Time]
	outer    *limit    // the next outer timeout, unless a shield hides it
	storage  inherited // node.inherited points here, which saves an allocation

	timeless bool // made by withCancel: neither a timeout nor a shield

	shield  bool
	bound   time.Duration // how long the shield holds; negative is forever
	pending *Canceled     // the outermost cancel that the shield holds back, or nil
}

// A scope owns tasks. It ends when its function and all its tasks have ended. Trio calls
// it a nursery.
type scope struct {
	node
	phase   phase
	count   int // tasks that have not ended
	daemons int // how many of those are daemons: see goUnder

	failed    bool                   // cancelled because of a failure; errs may be empty all the same
	errs      []error                // the different failures, in the order of their arrival
	unawaited []*Ref                 // failed tasks of Start, started by its function; see assignError
	cause     error                  // of ScopeRef.Cancel; Scope returns it if nothing fails
	portals   []interface{ Close() } // open portals, in the order of OpenPortal
	locals    map[any]any            // values of bridge.Local
}

// A phase is the progress of a scope. It never decreases.
type phase uint8

const (
	open    phase = iota // the function runs
	joining              // the function has returned, tasks still run
	closed               // all tasks have ended, and none can start
)

// A worker is a goroutine that runs tasks, one after another, with the data of its current
// task. It is the relay.TaskRunner of its relay.Worker.
type worker struct {
	// The fields that a switch uses stand together: see relay.Worker.
	//
	// These four describe the wait of a parked task. They are not in the Ref, because there
	// may be many tasks that have not begun and have no worker.
	under     *node         // the context of the call that parked
	waiter    Waiter        // what the task waits for
	since     time.Duration // when the wait began, as the loop's age
	abortedBy *Canceled     // the cancel that has ended the wait, or nil

	task *Ref // nil while idle
	relay.Worker

	// watchdogTask is the task, for the watchdog's goroutine. It is written when a task
	// begins, and cleared when the worker becomes idle; to write it at every step would be too
	// expensive.
	watchdogTask atomic.Pointer[Ref]

	timer loop.Timer // of ParkUntil
}

// A baton is what the tasks of one Run share: the running task and the workers. It belongs
// to its holder. Other goroutines may read loop and word, which never change.
type baton struct {
	loop  *loop.Loop
	word  *holder.Word
	relay *relay.Relay

	// cur is the running task. It is nil in callbacks, during a poll and between tasks. A
	// goroutine must check that word names it before it reads cur.
	cur *Ref

	virtual     bool   // the loop's clock is not that of package time
	hasWatchdog bool   // the loop has a watchdog
	root        *Ref   // the main task
	over        bool   // the last turn runs or has run, or Run has given up
	lastID      uint64 // ID of the newest task
	foreign     foreignContexts

	// deadlock is the cancel of all tasks because of the first deadlock, or nil.
	deadlock *Canceled

	// panics are the panics of tasks, for result: a task may have dropped the error that held
	// one. Reported panics are removed when the list would grow.
	panics []*PanicError
}

// stepBudget is how many switch points without a wait a task may pass in one step. The
// next one yields, so that a task that never parks does not starve the other tasks.
const stepBudget = 256
