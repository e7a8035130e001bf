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

// Config holds the options of New. The zero value is the default.
type Config struct {
	// Resolver resolves the names of Lookups. Nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// A Poller is a [poll.Poller] that uses package net. After Close every operation completes in
// Submit with net.ErrClosed.
type Poller struct {
	resolver *net.Resolver
	// ctx is the parent of the contexts of Connects and Lookups. stop cancels it.
	ctx  context.Context
	stop context.CancelFunc
	// calls counts the goroutines of Connects and Lookups. Directions count the other
	// goroutines.
	calls sync.WaitGroup
	// timer limits a Wait. Only Wait uses it.
	timer *time.Timer
	// wakeup has a value when there may be something new under mu. One value is enough, because
	// the receiver checks everything.
	wakeup chan struct{}
	notify atomic.Pointer[func()] // set by Notify
	closed bool                   // belongs to the loop

	mu         sync.Mutex
	head, tail *poll.Op            // completed operations that are not reported, oldest first
	woken      bool                // Wake was called
	open       map[socket]struct{} // open handles
}

var _ poll.Poller = (*Poller)(nil)

// A socket is a Handle of this package.
type socket interface {
	poll.Handle
	owner() *Poller
	// start starts an operation, and reports whether it completed at once.
	start(op *poll.Op) bool
}

// A runner runs an operation in flight. Op.Private.Any points to it.
type runner interface {
	owner() *Poller
	// stop asks the operation to end.
	stop()
	// release is called when Wait reports the operation.
	release()
}

// New returns a new poller.
//
// New panics inside a testing/synctest bubble. A goroutine that waits for the network is not
// durably blocked there, so the clock of the bubble would never advance.
func New(config Config) *Poller {
	if inBubble() {
		panic("portable: New was called in a testing/synctest bubble, which cannot wait for the network; use package sim")
	}
	p := &Poller{
		resolver: config.Resolver,
		wakeup:   make(chan struct{}, 1),
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

// inBubble reports whether the caller runs in a testing/synctest bubble. Outside package
// testing only the header of a goroutine's stack trace says so.
func inBubble() bool {
	var trace [128]byte
	header, _, _ := bytes.Cut(trace[:runtime.Stack(trace[:], false)], []byte("\n"))
	return bytes.Contains(header, []byte("synctest bubble"))
}

// Now returns time.Now(). It is safe for concurrent use.
func (p *Poller) Now() time.Time { return time.Now() }

// Caps returns the capabilities that package net supports. Plan 9 has no UNIX-domain sockets.
// It is safe for concurrent use.
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

// Adopt returns errors.ErrUnsupported: package net would take ownership of the descriptor.
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	return nil, fmt.Errorf("portable: cannot adopt a descriptor: %w", errors.ErrUnsupported)
}

// Submit implements [poll.Poller]. It panics if op is in flight, because two goroutines would
// write to its fields. A value that a closed poller or another one has left in op.Private does
// not count.
func (p *Poller) Submit(op *poll.Op) bool {
	if p.inFlight(op) {
		panic("portable: Submit was called with an operation that is in flight; submit it again after Wait has reported it")
	}
	op.N, op.Accepted, op.Addrs, op.Err = 0, nil, nil, nil
	op.Private.Next, op.Private.Any = nil, nil
	if p.closed {
		return fail(op, net.ErrClosed)
	}
	switch op.Kind {
	case poll.Connect, poll.Lookup:
		if op.Kind == poll.Connect && isDatagramAddr(op.Addr) {
			return p.connectPackets(op)
		}
		return p.startCall(op)
	case poll.Accept, poll.Read, poll.Write, poll.Receive, poll.Send:
		if s, ok := op.Handle.(socket); ok && s.owner() == p {
			return s.start(op)
		}
		return fail(op, poll.ErrForeign)
	}
	return fail(op, fmt.Errorf("portable: operation %v: %w", op.Kind, errors.ErrUnsupported))
}

// fail completes op with err. It returns true, the result of Submit.
func fail(op *poll.Op, err error) bool {
	op.Err = err
	return true
}

// Cancel implements [poll.Poller]. The goroutine of op ends soon. N counts what it has read or
// written until then.
func (p *Poller) Cancel(op *poll.Op) {
	if p.inFlight(op) {
		op.Private.Any.(runner).stop()
	}
}

// inFlight reports whether op is submitted to p and not yet reported. A value that another
// poller left in op does not count.
func (p *Poller) inFlight(op *poll.Op) bool {
	w, ok := op.Private.Any.(runner)
	return ok && w.owner() == p && !p.closed
}

// post queues a completed operation for Wait. The goroutines of operations call it. The lock
// also makes their writes to the operation and its buffers visible to the loop.
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
	p.signal()
}

// signal makes a Wait check for changes. It never blocks. One value in wakeup is enough: it
// comes after the change, so Wait does not miss the change.
func (p *Poller) signal() {
	select {
	case p.wakeup <- struct{}{}:
	default: // wakeup already has a value
	}
	if notify := p.notify.Load(); notify != nil {
		(*notify)()
	}
}

// Wake implements [poll.Poller]. It is safe for concurrent use.
func (p *Poller) Wake() {
	p.mu.Lock()
	p.woken = true
	p.mu.Unlock()
	p.signal()
}

// Wait implements [poll.Poller]. It checks for completed operations before it blocks, so
// operations that are already posted cost no goroutine switch. The timer is reused, so a Wait
// allocates nothing.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	done, ready := p.take(done)
	if ready || d == 0 || p.closed {
		return done
	}
	var expired <-chan time.Time // nil means no limit
	if d > 0 {
		p.timer.Reset(d)
		defer p.timer.Stop()
		expired = p.timer.C
	}
	for {
		select {
		case <-p.wakeup:
			// The value may be about a change that an earlier Wait has handled.
			if done, ready = p.take(done); ready {
				return done
			}
		case <-expired:
			done, _ = p.take(done)
			return done
		}
	}
}

// take appends the completed operations to done. It reports whether there were any, or Wake was
// called. It removes the whole list at once, so that it holds the lock only briefly.
func (p *Poller) take(done []*poll.Op) ([]*poll.Op, bool) {
	p.mu.Lock()
	op, ready := p.head, p.head != nil || p.woken
	p.head, p.tail, p.woken = nil, nil, false
	p.mu.Unlock()
	for op != nil {
		next := op.Private.Next
		op.Private.Any.(runner).release()
		op.Private.Next, op.Private.Any = nil, nil
		done = append(done, op)
		op = next
	}
	return done, ready
}

// Recycle does nothing: this poller provides no buffers.
func (p *Poller) Recycle([]byte) {}

// Close implements [poll.Poller]. It waits for all goroutines, which end as soon as the kernel
// no longer uses their buffers. It cancels the calls and closes the sockets. A call that
// succeeds in between opens a new handle, and the second closeAll closes it.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.stop()
	p.timer.Stop()
	p.closeAll()
	p.calls.Wait()
	p.closeAll() // a dial or accept may have succeeded in the meantime
	p.head, p.tail = nil, nil
	return nil
}

// closeAll closes the open handles. The Close of a handle waits for its goroutines, which need
// the lock, so closeAll does not hold it. The order of a map is random, but Wait does not
// report these operations.
func (p *Poller) closeAll() {
	p.mu.Lock()
	open := p.open
	p.open = make(map[socket]struct{})
	p.mu.Unlock()
	for s := range open {
		s.Close()
	}
}

// track adds a new handle to p.open. The goroutines of operations open handles, and Close must
// also close a handle that has not been reported.
func (p *Poller) track(s socket) {
	p.mu.Lock()
	p.open[s] = struct{}{}
	p.mu.Unlock()
}

// untrack removes a closed handle from p.open.
func (p *Poller) untrack(s socket) {
	p.mu.Lock()
	delete(p.open, s)
	p.mu.Unlock()
}
