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

// Config holds the options of New. The zero value is the default.
type Config struct {
	// Blocking makes an idle Wait block in the kernel, where the Wait holds a thread. Timers
	// are then more precise: 0.1 ms instead of 1 ms if the process is idle. But a Wake costs a
	// system call and a thread switch. Blocking is meant for a loop that has its own thread.
	Blocking bool

	// Resolver resolves the names of Lookups. Nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// capabilities are the capabilities of every Poller. Pinned is not among them, because an epoll
// descriptor accepts calls from any thread, one after another.
const capabilities = poll.Unix | poll.Lookups | poll.Readiness | poll.Adopts |
	poll.Provided | poll.Vectored | poll.Datagrams | poll.SendFiles | poll.Ancillary

// The states of a Poller that Wake distinguishes. Only the loop moves from waiting or notified
// to running. Only Wake moves to notified. The loop moves to waiting only from running, by a
// compare-and-swap, so that it does not sleep if a Wake came before.
const (
	running  uint32 = iota // the loop runs, and polls before it sleeps
	waiting                // the loop sleeps, or is about to
	notified               // Wake was called since the last Wait
)

const (
	// maxEvents is the largest number of events that one call takes from the kernel.
	maxEvents = 256

	// readLimit is how many bytes the Reads of one Wait read before the Wait leaves the
	// remaining events to the next Wait. The last Read may exceed the limit. The limit keeps
	// the bytes in the processor's cache until tasks process them, and keeps the number of
	// buffers small if many connections are busy.
	readLimit = 128 << 10
)

// A Poller is a [poll.Poller] that uses epoll. Now, Caps and Wake are safe for concurrent use.
// All other methods belong to the loop.
type Poller struct {
	state      atomic.Uint32
	hostWakeup atomic.Pointer[wakeup] // signals Descriptor; nil before its first call
	sleeper    sleeper
	epfd       int
	closed     bool
	inWait     bool // the running Wait reports what completes now

	// The kernel stores events here. The length limits the work of one call.
	events    [maxEvents]unix.EpollEvent
	leftover  []unix.EpollEvent // events for the next Wait; see dispatch
	readBytes int               // number of bytes that this Wait has read
	slots     slots

	adopted map[int]*socket                // by descriptor; see forget
	imports map[*socket]poll.SocketOptions // by listener: the options of accepted connections

	finished queue     // operations that the next Wait reports
	yielded  []*socket // sockets whose writes continue without an event
	spare    []*socket // the other buffer of yielded; see resumeWrites
	buffers  buffers
	lookups  lookups
	messages *messages // nil until there is a datagram socket
}

var (
	_ poll.Pollable = (*Poller)(nil)
	_ poll.Dozer    = (*Poller)(nil)
)

// A sleeper is a way of waiting for events.
type sleeper interface {
	// sleep returns when an operation is completed, wake was called or d has passed. It may
	// return a little earlier for no reason. d < 0 sets no limit. It moves the poller's state
	// from running to waiting itself; if it cannot, it polls and does not sleep.
	sleep(p *Poller, d time.Duration)

	// skip is called by a Wait that polls without sleeping, instead of sleep.
	skip()

	// wake ends the sleep. Safe for concurrent use, also after close.
	wake()

	// close frees the resources of the sleeper, including the epoll descriptor.
	close() error
}

// New returns a new poller. Errors are errors of the kernel, such as EMFILE.
//
// New fails inside a testing/synctest bubble. A wait for a descriptor is not a durable wait
// there, so the clock of the bubble would never advance.
func New(c Config) (*Poller, error) {
	if inBubble() {
		return nil, fmt.Errorf("epoll: New was called in a testing/synctest bubble, which cannot wait for descriptors; use package sim: %w",
			errors.ErrUnsupported)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &Poller{epfd: epfd}
	p.lookups.open(c.Resolver)
	// From here on the sleeper owns the descriptor. If the sleeper cannot be made, it has
	// closed the descriptor.
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

// inBubble reports whether the caller runs in a testing/synctest bubble. Outside package
// testing only the header of a goroutine's stack trace says so.
func inBubble() bool {
	var trace [128]byte
	header, _, _ := bytes.Cut(trace[:runtime.Stack(trace[:], false)], []byte("\n"))
	return bytes.Contains(header, []byte("synctest bubble"))
}

// Now returns time.Now().
func (p *Poller) Now() time.Time { return time.Now() }

// Caps returns every capability except those of a virtual clock and Pinned.
func (p *Poller) Caps() poll.Caps { return capabilities }

// Submit implements [poll.Poller]. It tries op at once and never waits.
func (p *Poller) Submit(op *poll.Op) bool {
	if op.Private.Any != nil && p.inFlight(op) {
		panic("epoll: Submit was called with an operation that is in flight; submit it again after Wait has reported it")
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
			return fail(op, fmt.Errorf("epoll: %v is for datagram sockets, and the handle is a stream socket or a file: %w", op.Kind, errors.ErrUnsupported))
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

// fail completes op with err. It returns true, the result of Submit.
func fail(op *poll.Op, err error) bool {
	op.Err = err
	return true
}

// inFlight reports whether op is submitted to p and not yet reported. Private.Any is the socket
// or lookup that op waits for, or p itself after op has completed. A value that another poller
// left there, or this poller before it was closed, does not count.
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

// finish queues op, which was in flight, for the next Wait. The caller has already removed op
// from the place where it waited. If no Wait is running, finish makes the descriptor readable
// for a host that waits for it.
func (p *Poller) finish(op *poll.Op) {
	op.Private.Any = p
	p.finished.push(op)
	if !p.inWait {
		p.wakeHost()
	}
}

// wakeHost makes the descriptor of Descriptor readable. It is called if a Wait has work for
// which the kernel has no event.
func (p *Poller) wakeHost() {
	if w := p.hostWakeup.Load(); w != nil {
		w.signal()
	}
}

// Cancel implements [poll.Poller]. The kernel keeps no state of an operation, so every
// operation ends at once. The next Wait reports it.
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
// Writes that yielded continue first, so each of them makes progress in every turn. Wait does
// not sleep while there are such writes, or events that the last Wait has left.
func (p *Poller) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	if p.closed {
		return done
	}
	p.inWait, p.readBytes = true, 0
	p.resumeWrites()
	if d == 0 || p.due() {
		p.sleeper.skip()
		p.pollEvents()
	} else {
		p.sleeper.sleep(p, d)
	}
	// Store running before collecting answers: a lookup that answers after the store finds
	// running, and its Wake ends the next Wait.
	p.state.Store(running)
	p.lookups.collect(p)
	p.inWait = false
	if len(p.yielded) > 0 || len(p.leftover) > 0 {
		p.wakeHost()
	}
	return p.finished.drain(done)
}

// due reports whether there is work without an event of the kernel. If so, no Wait sleeps. An
// event that comes during a sleep may make a Write yield, so sleepers call due after each
// event.
func (p *Poller) due() bool {
	return p.finished.first != nil || len(p.yielded) > 0 || len(p.leftover) > 0
}

// yield makes the next Wait continue the write of s. s may already be in the list, because of
// an earlier Write that was cancelled.
func (p *Poller) yield(s *socket) {
	if s.yielded {
		return
	}
	s.yielded = true
	p.yielded = append(p.yielded, s)
	if !p.inWait {
		p.wakeHost()
	}
}

// resumeWrites continues the writes that yielded so that other operations could run. The two
// lists swap, so a write that yields again continues in the next Wait. A socket in the list may
// be closed; then it has no Write in flight.
func (p *Poller) resumeWrites() {
	if len(p.yielded) == 0 {
		return
	}
	yielded := p.yielded
	p.yielded = p.spare[:0]
	for _, s := range yielded {
		s.yielded = false
		s.writable()
	}
	clear(yielded)
	p.spare = yielded[:0]
}

// pollEvents handles the events that are there, without waiting, until there are no more or an
// operation is completed. It begins with the events that the last Wait has left.
//
// The system call cannot block, so it is raw: the scheduler is not notified, which saves 40 ns
// of 250 ns. The buffer belongs to the poller, so the race detector misses nothing. The call is
// epoll_pwait, because newer architectures such as arm64 have no epoll_wait.
func (p *Poller) pollEvents() {
	p.dispatch(p.leftover)
	for len(p.leftover) == 0 {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd),
			uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			panic(fmt.Sprintf("epoll: the poller's epoll descriptor does not work: %v; other code has closed it, find that code", errno))
		}
		p.dispatch(p.events[:n])
		// Only a call that did not fill the buffer has seen all events. The loop must not park
		// before that, because the runtime sees edges only.
		if int(n) < len(p.events) || p.finished.first != nil {
			return
		}
	}
}

// dispatch passes events to their sockets. The kernel returns 64 bits that the caller chose
// (epoll_data), of which Fd and Pad are the halves. The event of a wakeup has no slot; it has
// ended the sleep, and there is nothing more to do for it.
//
// Once readLimit bytes are read, dispatch leaves the remaining events to the next Wait. Then at
// least one operation is completed, so this Wait returns without another system call.
func (p *Poller) dispatch(events []unix.EpollEvent) {
	for len(events) > 0 && p.readBytes < readLimit {
		if s := p.slots.at(events[0].Fd, events[0].Pad); s != nil {
			s.event(events[0].Events)
		}
		events = events[1:]
	}
	p.leftover = events
}

// Wake implements [poll.Poller]. If the loop is running, Wake costs one atomic operation. A
// caller that finds notified has nothing to do, because the loop has not yet consumed an
// earlier Wake. Wake swaps, because the loop could fall asleep between a load and a store.
func (p *Poller) Wake() {
	if p.state.Load() == notified {
		return
	}
	if p.state.Swap(notified) == waiting {
		p.sleeper.wake()
	}
	p.wakeHost()
}

// Recycle implements [poll.Poller]. It belongs to the loop.
func (p *Poller) Recycle(buf []byte) { p.buffers.put(buf) }

// Close implements [poll.Poller]. It cancels lookups and waits for their goroutines. A Wake
// during or after Close finds a closed file or wakeup, and does nothing.
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
	p.yielded, p.spare, p.leftover = nil, nil, nil
	if w := p.hostWakeup.Load(); w != nil {
		w.close()
	}
	return p.sleeper.close()
}
