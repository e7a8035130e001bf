// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// Config holds the choices of New; the zero value is the default.
type Config struct {
	// Blocking makes an idle Wait block in the kernel, where it holds a thread.
	// Timers are more precise then (0.1 ms instead of 1 ms, when the process is
	// idle), but a Wake costs a system call and a thread switch. For a loop
	// that has its thread to itself.
	Blocking bool

	// Resolver answers Lookups of names; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// capabilities is what every Poller declares. Not Pinned: an epoll descriptor
// takes calls from any thread, one after another.
const capabilities = poll.Unix | poll.Lookups | poll.Readiness | poll.Adopts |
	poll.Provided | poll.Vectored | poll.Datagrams | poll.SendFiles | poll.Ancillary

// The states of a Poller, seen from Wake. Only the loop leaves waiting and
// notified for running, only Wake enters notified. The loop enters waiting from
// running alone, by a compare-and-swap: a Wake that came before it is not slept
// over.
const (
	running  uint32 = iota // the loop is at work and will look before it sleeps
	waiting                // the loop sleeps, or is about to
	notified               // a Wake came since the last Wait
)

const (
	// maxEvents is how many events one look takes from the kernel at most.
	maxEvents = 256

	// lookBytes is how much the Reads of one Wait bring, before the last one of them.
	// The tasks that work on the bytes find them in the processor's cache, and with
	// many connections at work few buffers do for all.
	lookBytes = 128 << 10
)

// A Poller is an epoll instance with its sockets. It implements [poll.Poller],
// whose rules say who may call what: Now, Caps and Wake are for every goroutine,
// everything else for the loop.
type Poller struct {
	state   atomic.Uint32
	host    atomic.Pointer[bell] // for whoever waits for Descriptor, if somebody does
	sleeper sleeper
	epfd    int
	closed  bool
	inWait  bool // what finishes now is reported by the Wait that runs

	// events is where the kernel puts what it has to tell. Its length bounds
	// the work of one look.
	events [maxEvents]unix.EpollEvent
	rest   []unix.EpollEvent // those that the next Wait begins with; see dispatch
	read   int               // bytes that this Wait has read
	slots  slots

	adopted map[int]*socket                // by descriptor; see forget
	imports map[*socket]poll.SocketOptions // of listeners; for what they accept

	finished queue     // what the next Wait reports
	eager    []*socket // writes that gave way and need no event to go on
	spare    []*socket // the other half of eager, swapped with it
	buffers  buffers
	lookups  lookups
	messages *messages // nil until there is a socket of datagrams
}

var (
	_ poll.Pollable = (*Poller)(nil)
	_ poll.Dozer    = (*Poller)(nil)
)

// A sleeper is a way of doing nothing until there is something to do.
type sleeper interface {
	// sleep returns when an operation is finished, rouse was called or d has
	// passed, or a little earlier for no reason. d < 0 sets no limit. It is
	// called only while the poller's state can be moved to waiting, which it
	// does itself.
	sleep(p *Poller, d time.Duration)

	// awake is told by a loop that looks without sleeping.
	awake()

	// rouse ends the sleep. Safe from every goroutine, also after close.
	rouse()

	// close frees what the sleeper holds, the epoll descriptor included.
	close() error
}

// New makes a poller. Errors are those of the kernel (no descriptors left).
//
// Inside a testing/synctest bubble it fails: waiting for a real descriptor is
// not durable there, so the clock of the bubble would stand still for ever.
func New(c Config) (*Poller, error) {
	if inBubble() {
		return nil, fmt.Errorf("epoll: a testing/synctest bubble has no network; use package sim: %w",
			errors.ErrUnsupported)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &Poller{epfd: epfd}
	p.lookups.open(c.Resolver)
	// The sleeper owns the descriptor from here on, and has closed it if it fails.
	if c.Blocking {
		p.sleeper, err = newBlocking(epfd)
	} else {
		p.sleeper, err = newNested(p)
	}
	if err != nil {
		p.lookups.close()
		return nil, err
	}
	return p, nil
}

// inBubble reports whether the caller runs in a testing/synctest bubble. The
// header of a goroutine's trace is the one place outside package testing that
// tells; a year of 2000 on the clock would be a guess.
func inBubble() bool {
	var trace [128]byte
	header, _, _ := bytes.Cut(trace[:runtime.Stack(trace[:], false)], []byte("\n"))
	return bytes.Contains(header, []byte("synctest bubble"))
}

// Now is the machine's clock.
func (p *Poller) Now() time.Time { return time.Now() }

// Caps tells that everything optional is there, but a virtual clock.
func (p *Poller) Caps() poll.Caps { return capabilities }

// Submit implements [poll.Poller]. It tries op at once, and never waits; see
// the package for what happens then.
func (p *Poller) Submit(op *poll.Op) bool {
	if op.Private.Any != nil && p.inFlight(op) {
		panic("epoll: Submit of an operation that is in flight; wait until Wait has reported it")
	}
	op.N, op.Err = 0, nil
	switch op.Kind {
	case poll.Accept:
		op.Accepted = nil
		fallthrough
	case poll.Read, poll.Write, poll.Readable, poll.Writable, poll.SendFile:
		s, ok := op.Handle.(*socket)
		if !ok || s.poller != p {
			return fail(op, poll.ErrForeign)
		}
		if err := s.begin(op); err != nil {
			return fail(op, err)
		}
		return tries[op.Kind](s, op) || s.keep(op)
	case poll.Receive, poll.Send:
		s, ok := op.Handle.(*socket)
		if !ok || s.poller != p {
			return fail(op, poll.ErrForeign)
		}
		if err := s.begin(op); err != nil {
			return fail(op, err)
		}
		if !s.datagrams {
			return fail(op, fmt.Errorf("epoll: %v of a socket of streams: %w", op.Kind, errors.ErrUnsupported))
		}
		return tries[op.Kind](s, op) || s.keep(op)
	case poll.Connect:
		op.Handle = nil
		return p.connect(op)
	case poll.Lookup:
		op.Addrs = nil
		return p.lookup(op)
	}
	return fail(op, errors.ErrUnsupported)
}

// fail finishes op at once. It returns what Submit is to return.
func fail(op *poll.Op, err error) bool {
	op.Err = err
	return true
}

// inFlight tells whether op is submitted to p and not reported: Private.Any is
// what it waits for, or p itself when it is finished. What another poller, or this
// one when it was closed, has left there does not count.
func (p *Poller) inFlight(op *poll.Op) bool {
	if p.closed {
		return false
	}
	switch at := op.Private.Any.(type) {
	case *socket:
		return at.poller == p
	case *lookup:
		return at.op == op && at.poller == p
	case *Poller:
		return at == p
	}
	return false
}

// finish puts op, which was in flight, among those that Wait reports. Its owner
// has taken it out of wherever it was. A host that waits for the descriptor has
// to be told, unless a Wait is about to report it.
func (p *Poller) finish(op *poll.Op) {
	op.Private.Any = p
	p.finished.push(op)
	if !p.inWait {
		p.tellHost()
	}
}

// tellHost makes the descriptor readable, if somebody waits for it, for what a
// Wait has to do without an event of the kernel's.
func (p *Poller) tellHost() {
	if host := p.host.Load(); host != nil {
		host.ring()
	}
}

// Cancel implements [poll.Poller]. The kernel holds nothing of an operation, so
// each ends here and now, and the next Wait reports it.
func (p *Poller) Cancel(op *poll.Op) {
	switch at := op.Private.Any.(type) {
	case *socket:
		if at.poller == p {
			at.cancel(op)
		}
	case *lookup:
		if at.op == op && at.poller == p {
			at.abandon()
			op.Err = poll.ErrCanceled
			p.finish(op)
		}
	}
}

// Wait implements [poll.Poller].
//
// Writes that gave way go on first, so no more than a turn passes between their parts.
// Wait does not sleep while there are any, or events that the last Wait has left.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	if p.closed {
		return done
	}
	p.inWait, p.read = true, 0
	p.goOn()
	if d == 0 || p.due() {
		p.sleeper.awake()
		p.look()
	} else {
		p.sleeper.sleep(p, d)
	}
	// First running, then the answers: a look-up that answers after this line
	// finds running, and its Wake ends the next Wait.
	p.state.Store(running)
	p.lookups.collect(p)
	p.inWait = false
	if len(p.eager) > 0 || len(p.rest) > 0 {
		p.tellHost()
	}
	return p.finished.drain(done)
}

// due reports whether there is something to do without an event of the kernel: then
// no Wait sleeps. An event that comes during a sleep may have a Write give way, so
// sleepers ask after each one.
func (p *Poller) due() bool {
	return p.finished.first != nil || len(p.eager) > 0 || len(p.rest) > 0
}

// giveWay has the next Wait go on with the write of s. An earlier Write, which was
// cancelled, may have put s in the list.
func (p *Poller) giveWay(s *socket) {
	if s.gaveWay {
		return
	}
	s.gaveWay = true
	p.eager = append(p.eager, s)
	if !p.inWait {
		p.tellHost()
	}
}

// goOn continues the writes that gave way for the others' sake. One that gives
// way again is for the next Wait: the lists change places. A socket in the list
// may be closed by now: it has no Write any more.
func (p *Poller) goOn() {
	if len(p.eager) == 0 {
		return
	}
	eager := p.eager
	p.eager = p.spare[:0]
	for _, s := range eager {
		s.gaveWay = false
		s.writable()
	}
	clear(eager)
	p.spare = eager[:0]
}

// look takes the events that are there, without waiting, until there are no more
// or an operation is finished. Those that the last Wait has left come first.
//
// The call cannot block, so it does not tell the scheduler (which saves 40 ns
// of 250); the buffer is the poller's own, so the race detector misses nothing.
// It is epoll_pwait, for newer architectures, as arm64, have no epoll_wait.
func (p *Poller) look() {
	p.dispatch(p.rest)
	for len(p.rest) == 0 {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd),
			uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			panic(fmt.Sprintf("epoll: other code has closed the poller's descriptor: %v", errno))
		}
		p.dispatch(p.events[:n])
		// Only a look that was not filled up has seen everything. Nobody may park
		// before that: the runtime sees edges only.
		if int(n) < len(p.events) || p.finished.first != nil {
			return
		}
	}
}

// dispatch hands events to their sockets. The kernel gives back 64 bits of the
// caller's choice (epoll_data), of which Fd and Pad are the halves. No slot is
// the bell's: its event has done its work.
//
// Once lookBytes are read, the rest of the events is for the next Wait. Then an
// operation is finished, so this Wait returns without another look.
func (p *Poller) dispatch(events []unix.EpollEvent) {
	for len(events) > 0 && p.read < lookBytes {
		if s := p.slots.at(events[0].Fd, events[0].Pad); s != nil {
			s.event(events[0].Events)
		}
		events = events[1:]
	}
	p.rest = events
}

// Wake implements [poll.Poller]. On a loop that is at work it costs one atomic
// operation. A caller that finds notified has nothing to do: a Wake before it
// has not been taken yet. A swap, because between a look and a store the loop
// could fall asleep.
func (p *Poller) Wake() {
	if p.state.Load() == notified {
		return
	}
	if p.state.Swap(notified) == waiting {
		p.sleeper.rouse()
	}
	p.tellHost()
}

// Recycle implements [poll.Poller]. It belongs to the loop.
func (p *Poller) Recycle(buf []byte) { p.buffers.put(buf) }

// Close implements [poll.Poller]. It waits for the goroutines of look-ups,
// which are told to give up. A Wake may still come; it finds a closed file or
// bell, and does no harm.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.lookups.close()
	for _, s := range p.slots.all {
		if s.socket != nil {
			s.socket.drop()
		}
	}
	p.finished = queue{}
	p.eager, p.spare, p.rest = nil, nil, nil
	if host := p.host.Load(); host != nil {
		host.close()
	}
	return p.sleeper.close()
}
