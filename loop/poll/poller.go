// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"net"
	"strings"
	"syscall"
	"time"
)

// A Poller connects one loop to the outside world. Now, Caps and Wake are safe for
// concurrent use. All other methods belong to the loop: only the holder of its baton calls
// them, one call at a time, on any goroutine. With [Pinned], Wait and Close must be called
// on one thread.
type Poller interface {
	// Now returns the current time of this world: time.Now, unless Caps has [Virtual]. It
	// never goes backwards. Now is safe for concurrent use.
	Now() time.Time

	// Caps returns the capabilities of the poller, which never change. An operation that
	// needs another capability completes at once with an error that is
	// errors.ErrUnsupported. Caps is safe for concurrent use.
	Caps() Caps

	// Listen creates a listening socket. It does not wait. The type of addr decides what it
	// creates:
	//   - *net.TCPAddr: a TCP listener. Port 0 lets the system choose a port. Without an
	//     IP address, or with 0.0.0.0, it listens on all IPv4 addresses of this machine;
	//     with ::, on all IPv6 addresses. It accepts connections of its own address family
	//     only. A connect to such an unspecified address goes to this machine: 127.0.0.1 or
	//     ::1.
	//   - *net.UnixAddr: a listener on a file. Close does not remove the file, because it
	//     may already belong to a successor. The caller must remove it; until then the name
	//     is in use (EADDRINUSE). With [Virtual], the address is only a name, and is free
	//     after Close.
	//   - *net.UDPAddr, or *net.UnixAddr with the network "unixgram": a socket for
	//     datagrams (see [Datagrams]), with the same rules for addresses. It may broadcast.
	//     A UDP socket does not share its address with another socket.
	//
	// Sockets are close-on-exec and non-blocking. A TCP listener can use an address that is
	// still occupied by connections in TIME_WAIT. Errors are *net.OpError with the Op
	// "listen".
	Listen(addr net.Addr, opts ListenOptions) (Handle, error)

	// Adopt creates a handle for a descriptor that other code opened, so that it can be
	// watched. The descriptor still belongs to that code: closing the handle only ends the
	// watching. Adopt returns an error if the descriptor cannot be watched (a regular
	// file). It returns errors.ErrUnsupported without [Adopts], and fs.ErrExist (errors.Is)
	// if the descriptor is already adopted or is a socket of the poller. If the owner
	// closes the descriptor before the handle, the handle becomes invalid.
	Adopt(fd uintptr) (Handle, error)

	// Submit starts op. If op completes at once, Submit returns true, the result fields are
	// set, and Wait does not report op. Otherwise op is in flight: op and its buffers
	// belong to the poller until Wait reports op. Submit first clears N, Err and the
	// results of the kind.
	//
	// A completed Op may be submitted again. An Op in flight must not be submitted: this is
	// misuse and panics. A cancelled Op is in flight until Wait reports it.
	//
	// At most one operation may be in flight for each handle and direction. Read, Accept,
	// Receive and Readable use one direction; Write, Connect, Send, SendFile and Writable
	// use the other. A second operation completes at once with [ErrBusy].
	Submit(op *Op) bool

	// Cancel asks the poller to end op. Wait still reports op exactly once, as soon as its
	// buffers are free: with [ErrCanceled], or with its own result if that came first.
	// Bytes that op has moved are not lost: either N counts them, or the next operation
	// receives them. If op is not in flight, Cancel does nothing.
	Cancel(op *Op)

	// Wait appends the completed operations to done and returns it. If there are none, Wait
	// blocks until an operation completes, Wake is called, or d has passed. If d is 0, Wait
	// does not block; if d is negative, Wait has no time limit. If Wake was called since
	// the last Wait, Wait does not block.
	//
	// Wait may occasionally return early with nothing to report, but never treats d as
	// passed before Now says so. On an idle machine, Wait returns at most one millisecond
	// after d has passed, or a tenth of a millisecond with [Pinned]. With [Virtual], it is
	// exact.
	Wait(done []*Op, d time.Duration) []*Op

	// Wake makes the current Wait return. If no Wait is in progress, the next Wait does not
	// block. Wakes are not counted: any number of them before one Wait act like one. A Wake
	// is never lost: if the current Wait is about to return for another reason, the Wake
	// ends that Wait or the next one.
	//
	// Wake does not order memory accesses: the caller needs its own lock for shared data.
	// Wake is safe for concurrent use, also during and after Close.
	Wake()

	// Recycle returns the buffer of a Read that was submitted without a buffer (see
	// [Provided]) to the poller. buf must begin where Op.Buf began, but may be shorter. The
	// caller must not use the buffer afterwards. Until Recycle, the buffer belongs to the
	// caller and stays valid, even if its handle or the poller is closed.
	Recycle(buf []byte)

	// Close closes the poller and its handles, and drops operations in flight. It waits for
	// operations that cannot be interrupted. When Close returns, nothing uses the
	// operations or their buffers any more, and all descriptors and goroutines of the
	// poller are gone. A second Close does nothing.
	//
	// Calls after Close are harmless. Operations complete at once with net.ErrClosed.
	// Listen, Adopt and the methods of handles return it (errors.Is). Wait returns at once
	// with nothing to report. Cancel and Recycle do nothing. Now, Caps and the addresses of
	// handles work as before.
	Close() error
}

// A Handle is an open socket, pipe or adopted descriptor of one poller. Its methods do not
// wait, and belong to the loop.
type Handle interface {
	// LocalAddr and RemoteAddr return the addresses of the two ends. They return nil if
	// there is no such address, as for an adopted descriptor or the remote end of a
	// listener. They also work after Close.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr

	// CloseWrite ends the writing direction: the peer reads EOF after the data that was
	// written. Errors are *net.OpError with the Op "close".
	CloseWrite() error

	// SetNoDelay(true) turns Nagle's algorithm off, so that small writes are sent at once.
	// This is the default for new TCP sockets.
	SetNoDelay(on bool) error

	// Close closes the handle. Operations in flight complete with net.ErrClosed, or with
	// their own result if that came first. They are reported as soon as their buffers are
	// free: for a socket, by the next Wait. Later operations complete at once with
	// net.ErrClosed. The other methods, and a second Close, return net.ErrClosed.
	Close() error

	// Abort is Close, but drops data that the kernel has not sent yet. If the transport
	// supports it (TCP), the peer receives a reset.
	Abort() error
}

// ListenOptions are the options of Listen. The zero value is the default.
type ListenOptions struct {
	Backlog   int  // how many connections the kernel queues before Accept; 0 means 1024
	ReusePort bool // allow several sockets to share the address, if the kernel supports it
	SocketOptions
}

// ConnectOptions are the options of Connect. The zero value is the default.
type ConnectOptions struct {
	Local net.Addr // the local address, or nil
	SocketOptions
}

// SocketOptions are the options that Listen and Connect have in common. The zero value is
// the default.
type SocketOptions struct {
	// KeepAlive makes the kernel probe idle TCP connections: the connection of a Connect,
	// or the connections that a listener accepts. If Enable is false, there are no probes.
	// A zero field has the default of net.KeepAliveConfig; a negative field keeps the
	// system's value. Sockets of other protocols, and sockets of a poller with [Virtual],
	// have no probes.
	KeepAlive net.KeepAliveConfig

	// Control, if not nil, is called with each new socket before it is bound or connected.
	// network is its network, such as "tcp4", "udp6" or "unix"; address is the address to
	// listen on or to connect to. If Control returns an error, Listen or the Connect fails
	// with it.
	//
	// Control may only call c.Control, and must not keep c. It must not panic. The poller
	// may call Control on its own goroutines, several at a time. A poller with [Virtual]
	// has no sockets of the system: Listen or the Connect fails with errors.ErrUnsupported.
	Control func(network, address string, c syscall.RawConn) error
}

// Caps is a set of optional capabilities of a poller. TCP streams, timers and Wake are not
// optional.
type Caps uint32

const (
	Unix      Caps = 1 << iota // UNIX-domain stream sockets
	Lookups                    // Lookup
	Readiness                  // Readable and Writable
	Adopts                     // Adopt
	Provided                   // a Read without a buffer: the poller provides the buffer
	Vectored                   // a Write of several buffers reaches the kernel in one call
	Virtual                    // Now is not the machine's clock
	Jumps                      // Wait advances the clock itself, whatever other goroutines do
	Pinned                     // Wait and Close must be called on one thread, the thread of the first Wait
	Datagrams                  // Receive and Send; UDP, and UNIX-domain datagrams if there is [Unix]
	SendFiles                  // SendFile
	Ancillary                  // Local and ECN of a Packet; without it, a Send that sets them is errors.ErrUnsupported
)

var capNames = [...]string{
	"unix", "lookups", "readiness", "adopts", "provided", "vectored", "virtual", "jumps", "pinned",
	"datagrams", "sendfiles", "ancillary",
}

// Has reports whether c contains all of want.
func (c Caps) Has(want Caps) bool { return c&want == want }

// String returns the names of the capabilities, as in "unix|lookups".
func (c Caps) String() string {
	var names []string
	for i, name := range capNames {
		if c.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}
