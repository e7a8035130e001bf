// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"baton/loop"
)

// Base has the methods of every protocol of a connection. A protocol must also be a [Protocol], a
// [BufferedProtocol] or a [Receiver]; if it is several of them, the one that comes last
// in this list counts. [EOFReceiver] and [FlowController] are optional.
//
// A panic in a method is given to the loop's exception handler, and aborts the
// connection.
type Base interface {
	// ConnectionMade is the first call. Nothing is read before it has returned.
	ConnectionMade(t *Transport)

	// ConnectionLost is the last call, when the connection is closed and nothing of the
	// protocol's memory is in use any more. Err is nil after Close, Abort and the end of
	// the stream. Otherwise it is what has ended the connection: a [*net.OpError], a
	// [*task.Canceled], or a [*task.PanicError].
	ConnectionLost(err error)
}

// A Protocol gets bytes.
type Protocol interface {
	Base

	// DataReceived is called with what has come, at least one byte. Data is valid until
	// it returns.
	DataReceived(data []byte)
}

// A BufferedProtocol brings the memory into which bytes are read.
type BufferedProtocol interface {
	Base

	// GetBuffer returns where the next bytes go, at least one byte. Hint is how many may
	// come, or 0. The memory belongs to the transport until BufferUpdated or
	// ConnectionLost. An empty buffer is a failure of the protocol, and aborts the
	// connection.
	GetBuffer(hint int) []byte

	// BufferUpdated is called when n bytes, at least one, are in the buffer.
	BufferUpdated(n int)
}

// A Receiver handles bytes in a task.
type Receiver interface {
	Base

	// Receive is called with what has come, at least one byte, in a task of the scope of
	// the transport. It may switch. Nothing more is read before it returns, and data is
	// valid until then. The end of the connection cancels its ctx, with net.ErrClosed as
	// the cause unless there is another. If Receive returns an error, the transport aborts
	// the connection and gives the error to ConnectionLost. After a Close it does not
	// abort, and still sends what was written.
	Receive(ctx context.Context, data []byte) error
}

// An EOFReceiver is a protocol that learns when the peer has ended its direction. If a
// protocol is none, the transport closes then.
type EOFReceiver interface {
	// EOFReceived returns whether the transport stays open, for writing only, until Close.
	EOFReceived() (open bool)
}

// A FlowController is a protocol that learns when it writes faster than the peer reads.
// The two calls alternate, PauseWriting first.
type FlowController interface {
	// PauseWriting is called when more bytes than the high limit wait to be sent. During
	// a Write by a callback it is called before Write returns; during one by a task, in the
	// next turn.
	PauseWriting()

	// ResumeWriting is called when no more bytes than the low limit wait.
	ResumeWriting()
}

// A Factory makes the protocol of a connection. It must not switch.
type Factory func() Base

// mode says how a protocol is given bytes.
type mode uint8

const (
	plain mode = iota
	buffered
	inTask
)

func modeOf(p Base) mode {
	switch p.(type) {
	case Receiver:
		return inTask
	case BufferedProtocol:
		return buffered
	case Protocol:
		return plain
	}
	misuse("%T is no Protocol, BufferedProtocol or Receiver: it needs DataReceived, BufferUpdated or Receive", p)
	return plain
}

// mustHold panics unless the caller may use t, a transport of l.
func mustHold(l *loop.Loop, call string, t fmt.Stringer) {
	if word := l.Driver().Holder(); !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a Portal", call, t, l)
	}
}

// isAny reports whether err is one of several.
func isAny(err error, several ...error) bool {
	return slices.ContainsFunc(several, func(one error) bool { return errors.Is(err, one) })
}

func misuse(format string, args ...any) {
	panic("protocol: " + fmt.Sprintf(format, args...))
}
