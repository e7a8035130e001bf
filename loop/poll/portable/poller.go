// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
)

// Config is what New builds a Poller from; the zero value is the default.
type Config struct {
	// Resolver answers Lookups of names; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// A Poller serves one loop through package net. It follows the contract of
// [poll.Poller]; a closed one finishes every operation at once with
// net.ErrClosed.
type Poller struct {
	resolver *net.Resolver
	// ctx ends the dials and look-ups of this poller, by stop.
	ctx  context.Context
	stop context.CancelFunc
	// calls are the goroutines of dials and look-ups; the others are in lanes.
	calls sync.WaitGroup
	// timer limits a Wait; only Wait touches it.
	timer *time.Timer
	// bell rings when there may be something new under mu. Its one place is
	// enough: whoever hears it looks at everything.
	bell   chan struct{}
	notify atomic.Pointer[func()] // rings elsewhere, see Notify
	closed bool                   // belongs to the loop

	mu         sync.Mutex
	head, tail *poll.Op            // finished, not reported, the oldest first
	woken      bool                // by Wake
	open       map[socket]struct{} // handles not closed
}

var _ poll.Poller = (*Poller)(nil)

// A socket is a Handle of this package.
type socket interface {
	poll.Handle
	owner() *Poller
	// start begins an operation, and reports whether it finished at once.
	start(op *poll.Op) bool
}

// A worker is what an operation in flight runs on; Op.Private.Any points to it.
type worker interface {
	owner() *Poller
	// stop asks for the end of the operation, if it is not at its end.
	stop()
	// free is called when the operation is reported.
	free()
}

// New makes a poller.
//
// Inside a testing/synctest bubble it panics: a goroutine that waits for the
// network is not durably blocked, so the clock of the bubble would stand still
// for ever.
func New(config Config) *Poller {
	if inBubble() {
		panic("portable: a testing/synctest bubble has no network; use package sim")
	}
	p := &Poller{
		resolver: config.Resolver,
		bell:     make(chan struct{}, 1),
		timer:    time.NewTimer(time.Hour),
		open:     make(map[socket]struct{}),
	}
	if p.resolver == nil {
		p.resolver = net.DefaultResolver
	}
	p.timer.Stop()
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// inBubble reports whether the caller runs in a testing/synctest bubble. The
// header of a goroutine's trace is the one place outside package testing that
// tells.
func inBubble() bool {
	var trace [128]byte
	header, _, _ := bytes.Cut(trace[:runtime.Stack(trace[:], false)], []byte("\n"))
	return bytes.Contains(header, []byte("synctest bubble"))
}

// Now is time.Now. Safe from every goroutine.
func (p *Poller) Now() time.Time { return time.Now() }

// Caps tells what the poller can do: what package net can. Plan 9 has no sockets
// of the UNIX domain. Safe from every goroutine.
func (p *Poller) Caps() poll.Caps {
	caps := poll.Lookups | poll.Vectored | poll.Datagrams
	if runtime.GOOS != "plan9" {
		caps |= poll.Unix
	}
	if ancillary.Supported {
		caps |= poll.Ancillary
	}
	return caps
}

// Adopt fails: package net would take over the descriptor.
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	return nil, fmt.Errorf("portable: adopt: %w", errors.ErrUnsupported)
}

// Submit starts op. It panics if op is already in flight: a second goroutine
// would write into the same fields. What a closed poller or another one has left
// in op.Private does not count.
func (p *Poller) Submit(op *poll.Op) bool {
	if p.inFlight(op) {
		panic("portable: Submit of an operation that is in flight; wait until Wait has reported it")
	}
	op.N, op.Accepted, op.Addrs, op.Err = 0, nil, nil, nil
	op.Private.Next, op.Private.Any = nil, nil
	if p.closed {
		return fail(op, net.ErrClosed)
	}
	switch op.Kind {
	case poll.Connect, poll.Lookup:
		if op.Kind == poll.Connect && isDatagrams(op.Addr) {
			return p.connectPackets(op)
		}
		return p.startCall(op)
	case poll.Accept, poll.Read, poll.Write, poll.Receive, poll.Send:
		if s, ok := op.Handle.(socket); ok && s.owner() == p {
			return s.start(op)
		}
		return fail(op, poll.ErrForeign)
	}
	return fail(op, fmt.Errorf("portable: %v: %w", op.Kind, errors.ErrUnsupported))
}

// fail finishes op at once with err.
func fail(op *poll.Op, err error) bool {
	op.Err = err
	return true
}

// Cancel asks for the end of op. Its goroutine sees that soon; what it has read
// or written until then is reported.
func (p *Poller) Cancel(op *poll.Op) {
	if p.inFlight(op) {
		op.Private.Any.(worker).stop()
	}
}

// inFlight tells whether op is submitted to p and not reported. Whatever
// another poller may have left in op does not count.
func (p *Poller) inFlight(op *poll.Op) bool {
	w, ok := op.Private.Any.(worker)
	return ok && w.owner() == p && !p.closed
}

// post queues a finished operation. Workers call it. The lock is also what makes
// their writes to the operation, and to its buffers, visible to the loop.
func (p *Poller) post(op *poll.Op) {
	p.mu.Lock()
	op.Private.Next = nil
	if p.tail == nil {
		p.head = op
	} else {
		p.tail.Private.Next = op
	}
	p.tail = op
	p.mu.Unlock()
	p.ring()
}

// ring makes a Wait look. It never blocks: one ring is as good as many, and
// comes after the change that it is about, so no look misses it.
func (p *Poller) ring() {
	select {
	case p.bell <- struct{}{}:
	default: // It rings already.
	}
	if notify := p.notify.Load(); notify != nil {
		(*notify)()
	}
}

// Wake ends a Wait. Safe from every goroutine.
func (p *Poller) Wake() {
	p.mu.Lock()
	p.woken = true
	p.mu.Unlock()
	p.ring()
}

// Wait appends the finished operations to done, waiting for the first one or a
// Wake, but not longer than d. It looks before it waits: what was posted since
// the last look needs no switch. The timer is reset and not made, so that a
// Wait allocates nothing.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	done, some := p.take(done)
	if some || d == 0 || p.closed {
		return done
	}
	var expired <-chan time.Time // nil: never
	if d > 0 {
		p.timer.Reset(d)
		defer p.timer.Stop()
		expired = p.timer.C
	}
	for {
		select {
		case <-p.bell:
			// A bell of something that an earlier Wait took rings in vain.
			if done, some = p.take(done); some {
				return done
			}
		case <-expired:
			done, _ = p.take(done)
			return done
		}
	}
}

// take appends the finished operations to done, and reports whether there were
// any or somebody called Wake. The list is taken as a whole, so the lock is held
// for a moment however long it is.
func (p *Poller) take(done []*poll.Op) ([]*poll.Op, bool) {
	p.mu.Lock()
	op, some := p.head, p.head != nil || p.woken
	p.head, p.tail, p.woken = nil, nil, false
	p.mu.Unlock()
	for op != nil {
		next := op.Private.Next
		op.Private.Any.(worker).free()
		op.Private.Next, op.Private.Any = nil, nil
		done = append(done, op)
		op = next
	}
	return done, some
}

// Recycle does nothing: this poller brings no buffers.
func (p *Poller) Recycle([]byte) {}

// Close ends the poller. It waits for its goroutines, which end as soon as the
// kernel lets go of their buffers. First the calls are told to give up, then the
// sockets are closed under the lanes; what comes through in between is a handle
// like any other, and closed by the second round.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.stop()
	p.timer.Stop()
	p.closeAll()
	p.calls.Wait()
	p.closeAll() // A dial or accept may have come through in the meantime.
	p.head, p.tail = nil, nil
	return nil
}

// closeAll closes the handles there are. Each waits for its own goroutines, and
// those want the lock, so it is not held meanwhile. The order is the map's;
// nobody is told of these ends.
func (p *Poller) closeAll() {
	p.mu.Lock()
	open := p.open
	p.open = make(map[socket]struct{})
	p.mu.Unlock()
	for s := range open {
		s.Close()
	}
}

// track notes a new handle, untrack one that is closed. Handles are made on
// goroutines, and one that nobody has heard of yet must not outlive Close.
func (p *Poller) track(s socket) {
	p.mu.Lock()
	p.open[s] = struct{}{}
	p.mu.Unlock()
}

func (p *Poller) untrack(s socket) {
	p.mu.Lock()
	delete(p.open, s)
	p.mu.Unlock()
}
