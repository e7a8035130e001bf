// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"net"
	"strings"
	"syscall"
	"time"
)

// A Poller is one loop's view of the outside world. All methods but Now, Caps
// and Wake belong to the loop: whoever holds its baton calls them, one call at
// a time, from any goroutine ([Pinned] narrows that for Wait and Close).
type Poller interface {
	// Now tells the time of this world: time.Now, unless Caps has [Virtual].
	// It never goes backwards. Safe from every goroutine.
	Now() time.Time

	// Caps tells what the poller can do; it never changes. An operation that
	// is not declared finishes at once with an error that is
	// errors.ErrUnsupported. Safe from every goroutine.
	Caps() Caps

	// Listen makes a listening socket. Nothing in it waits, so it is a plain
	// call. The type of addr says what it makes:
	//   - *net.TCPAddr; port 0 chooses one. Without an IP, or with 0.0.0.0, it
	//     listens on all IPv4 addresses of this machine, with :: on all of
	//     IPv6. It takes connections of its own family only. A connection to
	//     such an address goes to this machine, 127.0.0.1 or ::1.
	//   - *net.UnixAddr, a file. Closing the listener leaves it, for by then it
	//     may be a successor's, and only the caller can tell: the file is the
	//     caller's to remove, and until then the name is taken (EADDRINUSE).
	//     With [Virtual] it is only a name, and free after Close.
	//   - *net.UDPAddr, or a *net.UnixAddr of the network "unixgram": a socket of
	//     datagrams (see [Datagrams]), for the same addresses. It may broadcast. A
	//     UDP socket does not reuse the address of another one.
	//
	// Sockets are close-on-exec and do not block; TCP listeners reuse the
	// addresses of connections that linger.
	// Errors are *net.OpError of the operation "listen".
	Listen(addr net.Addr, opts ListenOptions) (Handle, error)

	// Adopt makes a handle of a descriptor that somebody else owns and goes on
	// owning: closing the handle only ends the watching. A descriptor that
	// cannot be watched (a regular file) is an error here, not later. Without
	// [Adopts] it fails with errors.ErrUnsupported. If the descriptor is adopted
	// or a socket of the poller, Adopt fails with an fs.ErrExist (errors.Is). An
	// owner that has closed a descriptor under its handle has ended that handle.
	Adopt(fd uintptr) (Handle, error)

	// Submit starts op. It returns true if op is already finished (its result
	// fields are set, and Wait will not report it); otherwise op is in flight
	// and belongs, with its buffers, to the poller until Wait reports it.
	// Whatever an earlier life left in N, Err and the results of its kind is
	// cleared first.
	//
	// An Op may be submitted again as soon as it is finished, and no sooner: a
	// cancelled one is in flight until it is reported, like any other.
	// Submitting one that is in flight is misuse and panics.
	//
	// At most one operation per handle and direction may be in flight
	// (Read, Accept, Receive and Readable are one direction; Write, Connect,
	// Send, SendFile and Writable the other); a second one finishes at once with
	// [ErrBusy].
	Submit(op *Op) bool

	// Cancel asks for the end of op. If op is in flight it is still reported by
	// Wait, exactly once, as soon as its buffers are free: with [ErrCanceled],
	// or with its own result if that came first. What it has moved until then
	// is not lost: its N tells of it, or the next operation finds it. Cancel of
	// an operation that is not in flight does nothing.
	Cancel(op *Op)

	// Wait appends the finished operations to done. If there are none it waits
	// until there is one, Wake is called or d has passed, whichever is first;
	// d == 0 never waits, d < 0 sets no limit. A Wake since the last Wait ends
	// this one at once. It may return early with nothing to report, but not
	// again and again, and it never counts d as passed before Now says so.
	// On an idle machine it is at most 1 ms late, or 0.1 ms with [Pinned]; with
	// [Virtual] it is exact.
	Wait(done []*Op, d time.Duration) []*Op

	// Wake ends one Wait: the one in progress, or else the next one, which then
	// does not wait, however it is called and whatever it reports. Wakes are
	// not counted: those before one Wait are one. A Wake that comes while a
	// Wait is about to return for another reason is taken by that one or ends
	// the next one; it is never lost.
	// Wake orders no memory: what it is about needs a lock of its own.
	// Safe from every goroutine, also during and after Close.
	Wake()

	// Recycle gives back the buffer of a Read that was submitted without one
	// (see [Provided]): buf begins where Op.Buf began, and only its end may
	// have been cut off. The caller must not touch it again. Until then it is
	// the caller's and stays valid, even if its handle or the poller is closed.
	Recycle(buf []byte)

	// Close ends the poller and closes its handles. Operations in flight are
	// dropped: when Close returns, nothing touches them any more, and no
	// descriptor and no goroutine of the poller is left; it waits for what
	// cannot be interrupted. A second Close does nothing.
	//
	// Calls after that do no harm: operations finish at once with net.ErrClosed,
	// Listen, Adopt and the methods of handles fail with it (errors.Is), Wait
	// returns at once with nothing, Cancel and Recycle do nothing, and Now,
	// Caps and the handles' addresses stay what they were.
	Close() error
}

// A Handle is an open socket or an adopted descriptor of one poller. Its
// methods do not wait and belong to the loop, like those of the poller.
type Handle interface {
	// LocalAddr and RemoteAddr may be nil (an adopted descriptor, a listener).
	// They answer after Close, too: whoever reports the end needs them.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr

	// CloseWrite ends the writing direction: the peer reads EOF after what was
	// written. Errors are *net.OpError of the operation "close".
	CloseWrite() error

	// SetNoDelay switches Nagle's algorithm. New TCP sockets send at once.
	SetNoDelay(on bool) error

	// Close closes the handle. Operations in flight on it are reported with
	// net.ErrClosed, or with their own result if that came first, as soon as
	// their buffers are free: on a socket by the next Wait. Later operations
	// finish at once with net.ErrClosed, the other methods and a second Close
	// return it.
	Close() error

	// Abort is a Close that drops what the kernel has not sent yet and, where
	// the transport can (TCP), tells the peer so by a reset.
	Abort() error
}

// ListenOptions are the choices of Listen; the zero value is the default.
type ListenOptions struct {
	Backlog   int  // connections the kernel holds before Accept; 0 means 1024
	ReusePort bool // let several sockets share the address, if the kernel can
	SocketOptions
}

// ConnectOptions are the choices of a Connect; the zero value is the default.
type ConnectOptions struct {
	Local net.Addr // where from, or nil
	SocketOptions
}

// SocketOptions are what Listen and a Connect have in common; the zero value is the
// default.
type SocketOptions struct {
	// KeepAlive has the kernel probe idle TCP connections: the one of a Connect, or
	// those that a listener accepts. If Enable is false, there are no probes.
	// Otherwise a field that is zero has the default of net.KeepAliveConfig, and a
	// negative one leaves the system's value. Other sockets, and those of a poller
	// with [Virtual], have no probes.
	KeepAlive net.KeepAliveConfig

	// Control, if it is not nil, is called with a new socket before it is bound or
	// connected: with its network, such as "tcp4", "udp6" or "unix", and the address to
	// listen on or to connect to. An error is that of Listen or the Connect. Only the
	// Control method of c may be used, and c not kept. The poller may call it on a
	// goroutine of its own, and on several at a time. It must not panic. With [Virtual]
	// there are no such sockets, and the error is errors.ErrUnsupported.
	Control func(network, address string, c syscall.RawConn) error
}

// Caps are the optional capabilities of a poller, as a set of bits. TCP
// streams, timers and Wake are not optional.
type Caps uint32

const (
	Unix      Caps = 1 << iota // UNIX-domain stream sockets
	Lookups                    // Lookup
	Readiness                  // Readable and Writable
	Adopts                     // Adopt
	Provided                   // a Read without a buffer: it comes with the completion
	Vectored                   // one Write of several buffers reaches the kernel as one call
	Virtual                    // Now is not the machine's clock
	Jumps                      // Wait moves the clock by itself, whatever other goroutines do
	Pinned                     // Wait and Close must come from one thread, that of the first Wait
	Datagrams                  // Receive and Send; UDP, and UNIX-domain datagrams if there is [Unix]
	SendFiles                  // SendFile
	Ancillary                  // Local and ECN of a Packet; without it, a Send that has them is errors.ErrUnsupported
)

var capNames = [...]string{
	"unix", "lookups", "readiness", "adopts", "provided", "vectored", "virtual", "jumps", "pinned",
	"datagrams", "sendfiles", "ancillary",
}

// Has reports whether c contains all of want.
func (c Caps) Has(want Caps) bool { return c&want == want }

// String lists the names of the capabilities, as in "unix|lookups".
func (c Caps) String() string {
	var names []string
	for i, name := range capNames {
		if c.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}
