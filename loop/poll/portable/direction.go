// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"sync"
	"time"

	"baton/loop/poll"
)

// A direction is the reading or the writing side of a socket. It runs one operation at a time,
// each on a new goroutine.
//
// A permanent goroutine per direction, with a channel, was measured too. It is no faster,
// because the runtime reuses the goroutines that have ended. And every idle socket would have
// two stacks.
type direction struct {
	poller *Poller
	// do performs an operation. The goroutine calls it.
	do func(op *poll.Op)
	// deadline sets the time at which do fails.
	deadline func(time.Time) error
	// start is the function of the goroutine. It takes the operation from op, and is allocated
	// once: a go statement with arguments would allocate.
	start func()
	op    *poll.Op // used only by start

	running  sync.WaitGroup // counts goroutines that have not posted their operation
	busy     bool           // an operation is in flight
	canceled bool           // stop has set a deadline, which submit must clear
}

// init initializes d. d must not be copied afterwards, because start points to it.
func (d *direction) init(p *Poller, do func(*poll.Op), deadline func(time.Time) error) {
	d.poller, d.do, d.deadline = p, do, deadline
	d.start = func() {
		op := d.op // after post, submit may replace it
		d.do(op)
		p.post(op)
		d.running.Done()
	}
}

// owner implements runner.
func (d *direction) owner() *Poller { return d.poller }

// submit starts op. If an earlier Cancel has set a deadline, submit clears it first. No other
// code sets the deadline of this direction.
func (d *direction) submit(op *poll.Op) bool {
	if d.busy {
		return fail(op, poll.ErrBusy)
	}
	if d.canceled {
		d.canceled = false
		if err := d.deadline(time.Time{}); err != nil {
			return fail(op, unwrap(err))
		}
	}
	d.op, d.busy = op, true
	op.Private.Any = d
	d.running.Add(1)
	go d.start()
	return false
}

// stop implements runner. It makes do fail by a deadline in the past. If the operation has
// completed already, submit clears the deadline before the next one. Setting the deadline fails
// only if the socket is closed, and then do fails anyway.
func (d *direction) stop() {
	d.canceled = true
	_ = d.deadline(time.Unix(1, 0))
}

// release implements runner. It allows the next operation. Only take calls it: an operation
// that is completed but not reported is still in flight.
func (d *direction) release() { d.busy = false }

// wait waits until the operation is posted. The socket must be closed, so that this does not
// take long.
func (d *direction) wait() { d.running.Wait() }
