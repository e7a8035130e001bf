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
	// Connect opens a stream to Addr and sets Handle. If Addr is an address of datagrams
	// (see [Datagrams]), Connect creates a connected socket: it sends to Addr and receives
	// only from there.
	Connect Kind = iota + 1
	// Accept takes one connection from the listener Handle and sets Accepted. A connection
	// that died in the queue is skipped. If the process or the system has no descriptor
	// left, the error is EMFILE or ENFILE, and the listener stays usable.
	Accept
	// Read reads at least one byte into Buf, and sets N. It does not wait until Buf is full.
	// At the end of the stream, Err is io.EOF. If Buf is empty but not nil, Read completes at
	// once.
	//
	// If Buf is nil, the poller provides a buffer of a size of its choice (see [Provided]).
	// Read sets Buf to its first N bytes. The caller may use the buffer up to its capacity,
	// until it returns the buffer by Recycle.
	Read
	// Write writes all of Buf, or all of Bufs in order if Bufs is not nil. It sets N to the
	// number of bytes that the kernel took, even if Err is set. Write may modify the elements
	// of Bufs. It writes at most 256 KiB at a time, so that other operations can proceed in
	// between.
	Write
	// Lookup resolves Host in the network "ip", "ip4" or "ip6" and sets Addrs, in the order
	// of the resolver. Errors are *net.DNSError.
	Lookup
	// Readable completes when a read of Handle would not block, and Writable when a write
	// would not block. They complete at once if that is already so. A read or write that
	// returns an error or the end of the stream does not block.
	Readable
	Writable
	// Receive waits for at least one datagram and stores it in the first of the Packets. It
	// also stores further datagrams that have already arrived, in order. It sets N to the
	// number of datagrams, even if Err is set.
	Receive
	// Send sends all of Packets, in order, and waits until the kernel has taken them. It
	// sets N to the number of datagrams sent, even if Err is set. A UNIX socket that is not
	// connected may fail with EAGAIN if the queue of the receiver is full. The kernel has
	// no event for space in that queue.
	Send
	// SendFile writes a part of File to Handle without a buffer of the caller. It sets N to
	// the number of bytes that the kernel took, even if Err is set. It neither uses nor moves
	// the file's own offset. It moves a large part in pieces, like Write. If a piece is not
	// in the system's memory, SendFile blocks while the system reads it from the disk.
	//
	// If the file ends too early, Err is io.EOF. If the system cannot send this file, Err is
	// errors.ErrUnsupported and N is 0. If the file was closed, Err is fs.ErrClosed.
	SendFile
)

var kindNames = [...]string{"none", "connect", "accept", "read", "write", "lookup", "readable", "writable",
	"receive", "send", "sendfile"}

// String returns the name of the kind, as used in net.OpError.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// A Completer is the owner of an operation: it learns that the operation has completed.
type Completer interface {
	// The loop calls Complete between two steps. Complete must not switch, and must not run
	// user code. It may submit op again.
	Complete(op *Op)
}

// An Op is one operation. To use it, set Kind, Owner and the fields that the kind needs,
// and submit it. When it has completed, the results are in N and Err and in the other
// result fields of the kind: Handle (Connect), Buf (Read without a buffer), Accepted,
// Addrs. A completed Op may be reused.
//
// From Submit until the operation is reported, the Op and its buffers belong to the poller,
// even if the Op was cancelled. The poller does not copy them.
type Op struct {
	// The fields of a read come first, so that they fill two cache lines; Bufs, which a
	// write also needs, follows. With many connections, fetching these lines is most of the
	// cost of a call.
	Kind   Kind
	Handle Handle // the handle to use; set by Connect
	Buf    []byte // Read, Write
	N      int    // number of bytes or packets
	Err    error  // nil, io.EOF, ErrCanceled, net.ErrClosed, or an error of the system

	// The loop calls Owner.Complete when Wait has reported the operation. If Submit
	// completes the operation, Complete is not called. The poller does not use Owner.
	Owner Completer

	// Private is for the poller only, while the operation is in flight: a link for its
	// lists, a small number such as a state or an index, and any other value. Its content
	// means nothing afterwards.
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
	Packets  *[]Packet    // Receive, Send; a pointer, because streams do not use it
	File     *FilePart    // SendFile

	Options *ConnectOptions // Connect; nil means the default
}

// Choices returns the options of a Connect: *Options, or the zero value if Options is nil.
func (op *Op) Choices() ConnectOptions {
	if op.Options == nil {
		return ConnectOptions{}
	}
	return *op.Options
}

// Errors of this package. Other errors are a syscall.Errno inside an *os.SyscallError, so
// that errors.Is finds syscall.ECONNREFUSED and others. Callers wrap them with the name of
// their operation.
var (
	// ErrCanceled is the result of an operation that Cancel ended.
	ErrCanceled = errors.New("poll: operation canceled")
	// ErrBusy is the result of a second operation in the same direction of a handle.
	ErrBusy = errors.New("poll: another operation of this direction is in flight")
	// ErrForeign is the result of an operation on a handle of another poller.
	ErrForeign = errors.New("poll: the handle belongs to another poller")
)
