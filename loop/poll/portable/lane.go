// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"sync"
	"time"

	"baton/loop/poll"
)

// A lane is one direction of a socket: one operation after the other, each on a
// goroutine of its own.
//
// A goroutine kept for the lane, and fed through a channel, was measured beside
// this. It is no faster, since the runtime keeps the goroutines that ended, and
// it would cost every idle socket two stacks.
type lane struct {
	poller *Poller
	// do performs an operation, on the goroutine.
	do func(op *poll.Op)
	// deadline sets the time at which do gives up.
	deadline func(time.Time) error
	// start is the goroutine's function. It is made once and finds its
	// operation in op: a go statement with arguments allocates.
	start func()
	op    *poll.Op // for start alone

	running  sync.WaitGroup // goroutines that have not posted their operation
	busy     bool           // an operation is in flight
	canceled bool           // a deadline has passed and must be lifted
}

// open makes l ready; it must not be copied afterwards, for start points to it.
func (l *lane) open(p *Poller, do func(*poll.Op), deadline func(time.Time) error) {
	l.poller, l.do, l.deadline = p, do, deadline
	l.start = func() {
		op := l.op // The next one may stand there as soon as this one is posted.
		l.do(op)
		p.post(op)
		l.running.Done()
	}
}

// owner, stop and free make a lane a worker.
func (l *lane) owner() *Poller { return l.poller }

// submit starts op. A deadline that an earlier Cancel has set is lifted first;
// nobody else uses the deadline of this direction, so no other can be lost.
func (l *lane) submit(op *poll.Op) bool {
	if l.busy {
		return fail(op, poll.ErrBusy)
	}
	if l.canceled {
		l.canceled = false
		if err := l.deadline(time.Time{}); err != nil {
			return fail(op, cause(err))
		}
	}
	l.op, l.busy = op, true
	op.Private.Any = l
	l.running.Add(1)
	go l.start()
	return false
}

// stop makes do give up, by a deadline that has passed. If that comes too late
// for this operation, submit lifts it before the next one. An error means that
// the socket is closed, which ends do as well.
func (l *lane) stop() {
	l.canceled = true
	_ = l.deadline(time.Unix(1, 0))
}

// free lets the next operation in. Only a report does: one that is finished and
// not reported still is in flight for everybody else.
func (l *lane) free() { l.busy = false }

// end waits until the operation is posted. The socket must be closed, so that
// this does not take long.
func (l *lane) end() { l.running.Wait() }
