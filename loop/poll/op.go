// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"errors"
	"net"
	"net/netip"
)

// A Kind says what an operation does.
type Kind uint8

const (
	// Connect opens a stream to Addr and sets Handle. To an address of datagrams (see [Datagrams]) it makes a socket that
	// is connected: one that sends to Addr and receives from there.
	Connect Kind = iota + 1
	// Accept takes one connection from the listener Handle and sets Accepted.
	// Running out of descriptors is an error like any other (EMFILE, ENFILE);
	// the listener stays usable. A connection that died in the queue is
	// skipped.
	Accept
	// Read reads into Buf what is there, at least one byte, and sets N; at the
	// end of the stream Err is io.EOF. An empty, non-nil Buf finishes at once.
	// With Buf == nil the poller brings a buffer (see [Provided]), whose size is
	// the poller's choice: Buf is set, holds N bytes and goes back by Recycle. The
	// rest of it, up to its capacity, is the caller's to use until then.
	Read
	// Write writes all of Buf, or of Bufs one after the other if Bufs is not
	// nil, and sets N to the number of bytes taken, also beside an error. The
	// elements of Bufs may be changed on the way. A large Write is moved in pieces
	// of at most 256 KiB, with turns of other operations in between.
	Write
	// Lookup resolves Host in the network "ip", "ip4" or "ip6" and sets Addrs,
	// in the order of the resolver. Errors are *net.DNSError.
	Lookup
	// Readable and Writable finish when Handle would not make a read or a write
	// wait, at once if that is so now: an error or end of stream counts too.
	Readable
	Writable
	// Receive waits for a datagram and fills in Packets from the front: at least
	// one, and further ones that are there already. It sets N to their number, also
	// beside an error.
	Receive
	// Send sends all of Packets, in order, and waits until the kernel has taken
	// them. It sets N to the number sent, also beside an error. A UNIX socket that
	// is not connected may fail with EAGAIN if the receiver's queue is full: no
	// event of the kernel says when there is room.
	Send
	// SendFile writes a part of File to Handle without a buffer of the caller's, and
	// sets N to the number of bytes taken, also beside an error. The file's own offset
	// is neither used nor moved. If the file ends before that, Err is io.EOF. A
	// file that the system cannot send so is errors.ErrUnsupported, with N == 0; one
	// that its owner has closed is fs.ErrClosed. A large SendFile is moved in pieces,
	// like a Write. What is not in the system's memory is read from the disk meanwhile,
	// and that blocks.
	SendFile
)

var kindNames = [...]string{"none", "connect", "accept", "read", "write", "lookup", "readable", "writable",
	"receive", "send", "sendfile"}

// String returns the name of the kind, in the words of net.OpError.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// A Completer is told that its operation is finished.
type Completer interface {
	// Complete is called by the loop between two steps. It must not switch and
	// must not run a user's code; it may submit op again.
	Complete(op *Op)
}

// An Op is one operation. Its submitter fills in its Kind, what that needs and the
// Owner, finds the results of the kind in N, Err, Handle (of a Connect), Buf (of a
// Read that had none), Accepted and Addrs, and may reuse the Op once it is
// finished. Nothing in it is copied: while it is in flight it belongs to the
// poller, buffers included, cancelled or not.
type Op struct {
	// What a read needs stands together, in two lines of the processor's cache,
	// and Bufs, which a write needs too, comes right after: where many connections
	// take turns, such lines are most of what a call costs.
	Kind   Kind
	Handle Handle // what to work on; set by Connect
	Buf    []byte // Read, Write
	N      int    // bytes read or written
	Err    error  // nil, io.EOF, ErrCanceled, net.ErrClosed or the world's own

	// Owner is told by the loop when a Wait has reported the operation, but not
	// when Submit has finished it: then the submitter knows. The poller does
	// not touch it.
	Owner Completer

	// Private is for the poller alone, while the operation is in flight. What
	// is left in it afterwards means nothing, not even to the same poller: a
	// link for its lists, a small number (a state, the index of a table) and
	// whatever else the operation needs there.
	Private struct {
		Next  *Op
		Any   any
		State uint32
	}

	Bufs     [][]byte     // Write
	Accepted Handle       // Accept
	Addr     net.Addr     // Connect: *net.TCPAddr, *net.UnixAddr or *net.UDPAddr
	Network  string       // Lookup
	Host     string       // Lookup
	Addrs    []netip.Addr // Lookup
	Packets  *[]Packet    // Receive, Send; a pointer, for streams have none
	File     *FilePart    // SendFile

	Options *ConnectOptions // Connect; nil is the default
}

// Choices returns the options of a Connect.
func (op *Op) Choices() ConnectOptions {
	if op.Options == nil {
		return ConnectOptions{}
	}
	return *op.Options
}

// Errors of the seam. Errors of the world come as the kernel gave them, as
// syscall.Errno inside *os.SyscallError, so that errors.Is finds
// syscall.ECONNREFUSED and friends; whoever offers the operation to users wraps
// them with its own name.
var (
	// ErrCanceled is the result of an operation ended by Cancel.
	ErrCanceled = errors.New("poll: operation canceled")
	// ErrBusy is the result of a second operation in one direction of a handle.
	ErrBusy = errors.New("poll: another operation of this direction is in flight")
	// ErrForeign is the result of an operation on another poller's handle.
	ErrForeign = errors.New("poll: the handle belongs to another poller")
)
