// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"net"
	"strings"
	"time"
)

// A Poller is one loop's view of the outside world. All methods but Now, Caps
// and Wake belong to the loop: whoever holds its baton calls them, one call at
// a time, from any goroutine (from one thread only if Caps has [Pinned]).
type Poller interface {
	// Now tells the time of this world: time.Now, unless Caps has [Virtual].
	// It never goes backwards. Safe from every goroutine.
	Now() time.Time

	// Caps tells what the poller can do; it never changes. An operation that
	// is not declared finishes at once with an error that is
	// errors.ErrUnsupported. Safe from every goroutine.
	Caps() Caps

	// Listen makes a listening socket. Nothing in it waits, so it is a plain
	// call: addr is a *net.TCPAddr (port 0 chooses one) or a *net.UnixAddr.
	// Sockets are close-on-exec and do not block; TCP listeners reuse
	// addresses, and an IPv6 one takes no IPv4 connections.
	// Errors are *net.OpError of the operation "listen".
	Listen(addr net.Addr, opts ListenOptions) (Handle, error)

	// Adopt makes a handle of a descriptor that somebody else owns and goes on
	// owning: closing the handle only ends the watching. A descriptor that
	// cannot be watched (a regular file) is an error here, not later. Without
	// [Adopts] it fails with errors.ErrUnsupported.
	Adopt(fd uintptr) (Handle, error)

	// Submit starts op. It returns true if op is already finished (its result
	// fields are set, and Wait will not report it); otherwise op is in flight
	// and belongs, with its buffers, to the poller until Wait reports it.
	// At most one operation per handle and direction may be in flight
	// (Read, Accept and Readable are one direction; Write, Connect and
	// Writable the other); a second one finishes at once with [ErrBusy].
	Submit(op *Op) bool

	// Cancel asks for the end of op. If op is in flight it is still reported by
	// Wait, exactly once, as soon as its buffers are free: with [ErrCanceled],
	// or with its own result if that came first. Otherwise Cancel does nothing.
	Cancel(op *Op)

	// Wait appends the finished operations to done. If there are none it waits
	// until there is one, Wake is called or d has passed, whichever is first;
	// d == 0 never waits, d < 0 sets no limit. A Wake since the last Wait ends
	// this one at once. It may return early with nothing to report, but not
	// again and again, and it never counts d as passed before Now says so.
	Wait(done []*Op, d time.Duration) []*Op

	// Wake ends a Wait, the one in progress or the next one. Calls before that
	// Wait are one. Safe from every goroutine, also during and after Close.
	Wake()

	// Recycle gives back the buffer of a Read that was submitted without one
	// (see [Provided]). The caller must not touch buf again.
	Recycle(buf []byte)

	// Close ends the poller. Operations in flight are dropped: when Close
	// returns, nothing touches them any more, and no descriptor and no
	// goroutine of the poller is left. A second Close does nothing.
	Close() error
}

// A Handle is an open socket or an adopted descriptor of one poller. Its
// methods do not wait and belong to the loop, like those of the poller.
type Handle interface {
	// LocalAddr and RemoteAddr may be nil (an adopted descriptor, a listener).
	LocalAddr() net.Addr
	RemoteAddr() net.Addr

	// CloseWrite ends the writing direction: the peer reads EOF after what was
	// written. Errors are *net.OpError of the operation "close".
	CloseWrite() error

	// SetNoDelay switches Nagle's algorithm. New TCP sockets send at once.
	SetNoDelay(on bool) error

	// Close closes the handle. Operations in flight on it are reported by the
	// next Wait with net.ErrClosed; later ones finish at once with it. A
	// second Close returns net.ErrClosed.
	Close() error

	// Abort is a Close that drops what the kernel has not sent yet and, where
	// the transport can (TCP), tells the peer so by a reset.
	Abort() error
}

// ListenOptions are the choices of Listen; the zero value is the default.
type ListenOptions struct {
	Backlog   int  // connections the kernel holds before Accept; 0 means 1024
	ReusePort bool // let several sockets share the address, if the kernel can
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
	Pinned                     // all calls but Now, Caps and Wake must come from one thread
)

var capNames = [...]string{
	"unix", "lookups", "readiness", "adopts", "provided", "vectored", "virtual", "jumps", "pinned",
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
