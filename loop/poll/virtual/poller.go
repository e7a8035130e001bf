// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"baton/loop/poll"
)

// Config is what New builds a Poller from; the zero value is a world that
// starts with the year 2000 and in which everything is instant.
type Config struct {
	// Start is the first Now; zero means 2000-01-01 00:00 UTC, where the
	// bubbles of testing/synctest start too. A Bubble has its own.
	Start time.Time

	// Bubble takes the time from the testing/synctest bubble in which New is
	// called: Now is time.Now, and a Wait is durably blocked, so that the
	// bubble's clock jumps when all its goroutines wait. All of the poller,
	// Wake included, must then stay inside the bubble. Otherwise the poller has
	// a clock of its own, which nothing but Wait moves.
	Bubble bool

	// Hosts are the names that Lookup knows besides "localhost" and numeric
	// addresses, in any case; unknown names do not exist.
	Hosts map[string][]netip.Addr

	// LookupDelay says how long the answer to a Lookup takes; below zero it
	// never comes. Numeric addresses are not asked about. Nil means at once.
	LookupDelay func(host string) time.Duration

	// Dial decides the fate of a Connect to addr: it reaches its goal delay
	// later and finds there what then is there, or it fails with err then, or,
	// with a delay below zero, it is never answered. Nil means at once.
	Dial func(addr net.Addr) (delay time.Duration, err error)

	// Faults are what the network does to UDP datagrams.
	Faults Faults

	// Rand is what Faults are drawn from. Nil means a source that is the same in
	// each run; package sim sets one of its seed.
	Rand *rand.Rand
}

// A Poller is a world in memory: a clock and the network of one host. All of it
// but the clock belongs to the loop, so it needs no lock; and it walks through
// no map, so that the same calls give the same results.
//
// It follows the contract of [poll.Poller]; a closed one finishes every
// operation at once with net.ErrClosed.
type Poller struct {
	config Config
	names  map[string][]netip.Addr
	clock  clock
	net    network
	later  timetable
	spare  buffers
	closed bool

	// finished are the operations that Wait will report, the oldest first.
	finished queue
	// submitting is the operation that Submit is about to start, until it
	// finishes: it then needs no report.
	submitting *poll.Op
}

var _ poll.Poller = (*Poller)(nil)

// New makes a world. With config.Bubble it must be called inside the bubble.
func New(config Config) *Poller {
	p := &Poller{config: config, names: hostTable(config.Hosts), net: newNetwork()}
	if config.Bubble {
		p.clock = newBubbleClock()
	} else {
		p.clock = newOwnClock(config.Start)
	}
	p.later.poller = p
	p.finished.poller = p
	return p
}

// Now tells the virtual time. Safe from every goroutine.
func (p *Poller) Now() time.Time { return p.clock.now() }

// Caps tells what the poller can do: everything but adopting a descriptor.
// Safe from every goroutine.
func (p *Poller) Caps() poll.Caps {
	const caps = poll.Unix | poll.Lookups | poll.Readiness | poll.Provided | poll.Vectored | poll.Virtual |
		poll.Datagrams | poll.Ancillary
	if p.config.Bubble {
		return caps // The bubble's clock jumps when all its goroutines wait.
	}
	return caps | poll.Jumps
}

// Listen makes a listening socket. A chosen port is the next free one from
// 49152 upwards. A TCP address without an IP means every IPv4 address.
// Of several listeners that share an address by ReusePort each gets its turn.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	var l poll.Handle
	err := uncontrolled(opts.SocketOptions)
	switch {
	case err != nil:
	case isDatagrams(addr):
		l, err = p.newPackets(addr, nil, opts)
	default:
		l, err = p.listen(addr, opts)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: networkOf(addr), Addr: addr, Err: err}
	}
	return l, nil
}

// uncontrolled is the error of a Control function: there is nothing to call it with.
func uncontrolled(opts poll.SocketOptions) error {
	if opts.Control != nil {
		return fmt.Errorf("virtual: control of a socket: %w", errors.ErrUnsupported)
	}
	return nil
}

// Adopt fails: there are no descriptors in this world.
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	return nil, fmt.Errorf("virtual: adopt: %w", errors.ErrUnsupported)
}

// Submit starts op. It panics if op is already in flight.
func (p *Poller) Submit(op *poll.Op) bool {
	if p.inFlight(op) {
		panic("virtual: Submit of an operation that is in flight; wait until Wait has reported it")
	}
	op.N, op.Accepted, op.Addrs, op.Err = 0, nil, nil, nil
	op.Private.Next, op.Private.State, op.Private.Any = nil, 0, nil
	p.submitting = op
	p.start(op)
	atOnce := p.submitting == nil
	p.submitting = nil
	return atOnce
}

// start hands op to whom it concerns, who keeps it (and is its place from then
// on) or finishes it, by finish and in no other way.
func (p *Poller) start(op *poll.Op) {
	switch {
	case p.closed:
		p.finish(op, net.ErrClosed)
	case op.Kind == poll.Connect && isDatagrams(op.Addr):
		p.startPackets(op)
	case op.Kind == poll.Connect:
		p.startConnect(op)
	case op.Kind == poll.Lookup:
		p.startLookup(op)
	case op.Kind > poll.Send || op.Kind == 0:
		p.finish(op, fmt.Errorf("virtual: %v: %w", op.Kind, errors.ErrUnsupported))
	default:
		p.startOn(op.Handle, op)
	}
}

// startOn starts an operation on a socket. A handle of another poller is another
// world's, even if its addresses are the same.
func (p *Poller) startOn(h poll.Handle, op *poll.Op) {
	switch h := h.(type) {
	case *conn:
		if h.poller == p {
			h.start(op)
			return
		}
	case *listener:
		if h.poller == p {
			h.start(op)
			return
		}
	case *packets:
		if h.poller == p {
			h.start(op)
			return
		}
	}
	p.finish(op, poll.ErrForeign)
}

// finish ends op, which waits nowhere any more, with err. The one that is being
// submitted is finished at once; all others are reported in the order in which
// they come here.
func (p *Poller) finish(op *poll.Op, err error) {
	op.Err = err
	op.Private.Any = nil
	if op == p.submitting {
		p.submitting = nil
		return
	}
	p.finished.push(op)
}

// Cancel ends op with poll.ErrCanceled unless it is finished. It is in flight
// until Wait reports it, which the next Wait does.
func (p *Poller) Cancel(op *poll.Op) {
	if p.closed || !p.inFlight(op) || op.Private.Any == &p.finished {
		return
	}
	op.Private.Any.(place).remove(op)
	p.finish(op, poll.ErrCanceled)
}

// Wait appends the finished operations to done. If there are none, time goes
// on: to the next thing that happens in this world, but not by more than d.
// With d < 0 and nothing that will ever happen it blocks until Wake.
//
// What has become due is run before the first look and after each move of the
// clock, for in a bubble time also passes outside of Wait.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	now := p.Now()
	var deadline time.Time // zero: none
	if d > 0 {
		deadline = now.Add(d)
	}
	p.later.run(now)
	for woken := p.clock.woken(); p.finished.empty() && !woken && !p.closed && d != 0; {
		until := deadline
		if next, ok := p.later.next(); ok && (d < 0 || next.Before(deadline)) {
			until = next
		}
		woken = p.clock.wait(until)
		now = p.Now()
		p.later.run(now)
		if d > 0 && !now.Before(deadline) {
			break
		}
	}
	return p.finished.drainTo(done)
}

// Wake ends a Wait. Safe from every goroutine, of the same bubble if there is
// one.
func (p *Poller) Wake() { p.clock.wake() }

// Recycle takes back the buffer that a Read brought. That of a closed poller
// goes to the collector with it.
func (p *Poller) Recycle(buf []byte) { p.spare.putProvided(buf) }

// Close ends the world with everything in it. Nothing has to be undone: there
// are no goroutines and no descriptors, and handles ask the poller whether it
// is closed.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.clock.stop()
	p.finished.head, p.finished.tail = nil, nil
	p.later.entries = nil
	p.net = network{}
	p.spare = buffers{}
	return nil
}
