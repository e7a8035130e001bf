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

// Config holds the options of New. The zero value is a world that starts in the year 2000 and
// in which nothing takes time.
type Config struct {
	// Start is the time at the beginning. Zero means 2000-01-01 00:00 UTC, like the bubbles of
	// testing/synctest. Start is ignored if Bubble is set.
	Start time.Time

	// Bubble uses the clock of the testing/synctest bubble in which New is called. Now is
	// time.Now. A Wait is durably blocked, so the clock of the bubble jumps when all its
	// goroutines wait. All calls of the poller, including Wake, must then come from inside the
	// bubble. Otherwise the poller has its own clock, and only Wait advances it.
	Bubble bool

	// Hosts are the names that Lookup knows in addition to "localhost" and IP addresses. Case
	// is ignored. Other names do not exist.
	Hosts map[string][]netip.Addr

	// LookupDelay returns how long a Lookup of host takes. If the delay is negative, the Lookup
	// is never answered. LookupDelay is not called for IP addresses. Nil means no delay.
	LookupDelay func(host string) time.Duration

	// Dial decides what happens to a Connect to addr. After delay the Connect fails with err,
	// or, if err is nil, reaches the listener that exists then. If delay is negative, the
	// Connect is never answered. Nil means no delay and no error.
	Dial func(addr net.Addr) (delay time.Duration, err error)

	// Faults says what the network does to UDP datagrams.
	Faults Faults

	// Rand is the source of random decisions for Faults. Nil means a source that is the same in
	// every run. Package sim sets a source with its seed.
	Rand *rand.Rand
}

// A Poller is a [poll.Poller] in memory: a clock and the network of one host. Now, Caps and
// Wake are safe for concurrent use. All other methods belong to the loop. The same calls give
// the same results. After Close every operation completes in Submit with net.ErrClosed.
type Poller struct {
	config  Config
	names   map[string][]netip.Addr
	clock   clock
	net     network
	delayed delayQueue
	spare   buffers
	closed  bool

	// finished are the operations that the next Wait reports, oldest first.
	finished queue
	// submitting is the operation that Submit is starting. finish clears it; then Wait does not
	// report the operation.
	submitting *poll.Op
}

var _ poll.Poller = (*Poller)(nil)

// New returns a new Poller. If config.Bubble is set, it must be called inside the bubble.
func New(config Config) *Poller {
	p := &Poller{config: config, names: hostTable(config.Hosts), net: newNetwork()}
	if config.Bubble {
		p.clock = newBubbleClock()
	} else {
		p.clock = newJumpClock(config.Start)
	}
	p.delayed.poller = p
	p.finished.poller = p
	return p
}

// Now returns the virtual time. It is safe for concurrent use.
func (p *Poller) Now() time.Time { return p.clock.now() }

// Caps returns the capabilities of a world in memory: there are no descriptors to adopt and no
// files to send. poll.Jumps is missing if Config.Bubble is set. Caps is safe for concurrent use.
func (p *Poller) Caps() poll.Caps {
	const caps = poll.Unix | poll.Lookups | poll.Readiness | poll.Provided | poll.Vectored | poll.Virtual |
		poll.Datagrams | poll.Ancillary
	if p.config.Bubble {
		return caps // the clock of the bubble waits for other goroutines
	}
	return caps | poll.Jumps
}

// Listen returns a listening socket. If the port is 0, Listen chooses the next unused port from
// 49152 upwards. A TCP address without an IP means every IPv4 address. Listeners that share an
// address by ReusePort get connections in rotation.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	var l poll.Handle
	err := controlErr(opts.SocketOptions)
	switch {
	case err != nil:
	case isDatagramAddr(addr):
		l, err = p.newPacketConn(addr, nil, opts)
	default:
		l, err = p.listen(addr, opts)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: networkOf(addr), Addr: addr, Err: err}
	}
	return l, nil
}

// controlErr returns an error if there is a Control function: there is no socket to call it
// with.
func controlErr(opts poll.SocketOptions) error {
	if opts.Control != nil {
		return fmt.Errorf("virtual: Control is not possible, because there is no socket of the system: %w", errors.ErrUnsupported)
	}
	return nil
}

// Adopt returns errors.ErrUnsupported: there are no descriptors in this world.
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	return nil, fmt.Errorf("virtual: cannot adopt a descriptor: %w", errors.ErrUnsupported)
}

// Submit implements [poll.Poller]. It panics if op is in flight.
func (p *Poller) Submit(op *poll.Op) bool {
	if p.inFlight(op) {
		panic("virtual: Submit was called with an operation that is in flight; submit it again after Wait has reported it")
	}
	op.N, op.Accepted, op.Addrs, op.Err = 0, nil, nil, nil
	op.Private.Next, op.Private.State, op.Private.Any = nil, 0, nil
	p.submitting = op
	p.start(op)
	atOnce := p.submitting == nil
	p.submitting = nil
	return atOnce
}

// start passes op to a location, which stores it or completes it. Every operation ends in
// finish.
func (p *Poller) start(op *poll.Op) {
	switch {
	case p.closed:
		p.finish(op, net.ErrClosed)
	case op.Kind == poll.Connect && isDatagramAddr(op.Addr):
		p.startPackets(op)
	case op.Kind == poll.Connect:
		p.startConnect(op)
	case op.Kind == poll.Lookup:
		p.startLookup(op)
	case op.Kind > poll.Send || op.Kind == 0:
		p.finish(op, fmt.Errorf("virtual: operation %v: %w", op.Kind, errors.ErrUnsupported))
	default:
		p.startOn(op.Handle, op)
	}
}

// startOn starts an operation on a handle. A handle of another poller belongs to another world,
// even if its addresses are the same.
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
	case *packetConn:
		if h.poller == p {
			h.start(op)
			return
		}
	}
	p.finish(op, poll.ErrForeign)
}

// finish completes op with err. The caller has already removed op from its location. An
// operation that is being submitted completes in Submit. Wait reports the others in the order of
// their completion.
func (p *Poller) finish(op *poll.Op, err error) {
	op.Err = err
	op.Private.Any = nil
	if op == p.submitting {
		p.submitting = nil
		return
	}
	p.finished.push(op)
}

// Cancel implements [poll.Poller]. The next Wait reports op.
func (p *Poller) Cancel(op *poll.Op) {
	if p.closed || !p.inFlight(op) || op.Private.Any == &p.finished {
		return
	}
	op.Private.Any.(location).remove(op)
	p.finish(op, poll.ErrCanceled)
}

// Wait implements [poll.Poller]. If no operation is completed, Wait advances the clock to the
// next event, but by at most d. If d < 0 and there is no event, Wait blocks until Wake.
//
// Wait runs the events that are due before it checks for completed operations, and after each
// move of the clock. In a bubble, time also passes outside Wait.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	now := p.Now()
	var deadline time.Time // zero means no limit
	if d > 0 {
		deadline = now.Add(d)
	}
	p.delayed.run(now)
	for woken := p.clock.woken(); p.finished.empty() && !woken && !p.closed && d != 0; {
		until := deadline
		if next, ok := p.delayed.next(); ok && (d < 0 || next.Before(deadline)) {
			until = next
		}
		woken = p.clock.wait(until)
		now = p.Now()
		p.delayed.run(now)
		if d > 0 && !now.Before(deadline) {
			break
		}
	}
	return p.finished.drainTo(done)
}

// Wake implements [poll.Poller]. It is safe for concurrent use by the goroutines of the same
// bubble, if there is one.
func (p *Poller) Wake() { p.clock.wake() }

// Recycle implements [poll.Poller]. After Close the buffer is left to the garbage collector.
func (p *Poller) Recycle(buf []byte) { p.spare.putProvided(buf) }

// Close implements [poll.Poller]. There are no goroutines and no descriptors to wait for.
// Handles check whether their poller is closed.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.clock.stop()
	p.finished.head, p.finished.tail = nil, nil
	p.delayed.entries = nil
	p.net = network{}
	p.spare = buffers{}
	return nil
}
