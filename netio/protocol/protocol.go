// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"baton/loop"
)

// Base has the methods that every protocol of a connection has. A protocol must also implement
// [Protocol], [BufferedProtocol] or [Receiver]. If it implements several, the transport uses the
// last of this list. [EOFReceiver] and [FlowController] are optional.
//
// A panic in a method aborts the connection, and goes to the loop's exception handler.
type Base interface {
	// ConnectionMade is the first call. The transport reads nothing before it has returned.
	ConnectionMade(t *Transport)

	// ConnectionLost is the last call. The connection is closed, and the transport no longer uses
	// memory of the protocol. err is nil after Close, after Abort and at the end of the stream.
	// Otherwise it is the error that has ended the connection, such as a [*net.OpError], a
	// [*task.Canceled], a [*task.PanicError], or the error of Receive.
	ConnectionLost(err error)
}

// A Protocol receives bytes in a callback.
type Protocol interface {
	Base

	// DataReceived receives at least one byte. data is valid until DataReceived returns.
	DataReceived(data []byte)
}

// A BufferedProtocol receives bytes in its own memory.
type BufferedProtocol interface {
	Base

	// GetBuffer returns the memory for the next bytes. hint is the expected number of bytes, or 0.
	// The memory belongs to the transport until BufferUpdated or ConnectionLost. An empty buffer
	// aborts the connection.
	GetBuffer(hint int) []byte

	// BufferUpdated reports that the first n bytes of the buffer were filled; n is at least 1.
	BufferUpdated(n int)
}

// A Receiver receives bytes in a task.
type Receiver interface {
	Base

	// Receive receives at least one byte. It runs in a task of the transport's scope, and may
	// switch. Until Receive returns, data is valid and the transport reads nothing more. The end
	// of the connection cancels ctx, with the error that ended it as the cause, or else
	// net.ErrClosed. If Receive returns an error, the transport aborts the connection and passes
	// the error to ConnectionLost. After Close, the transport does not abort, and still sends
	// what was written.
	Receive(ctx context.Context, data []byte) error
}

// An EOFReceiver is a protocol that learns that the peer has ended its writing direction. For other
// protocols, the transport then closes the connection.
type EOFReceiver interface {
	// EOFReceived returns whether the transport stays open, for writing only, until Close.
	EOFReceived() (open bool)
}

// A FlowController is a protocol that learns that it writes faster than the peer reads. The two
// calls alternate, starting with PauseWriting.
type FlowController interface {
	// PauseWriting reports that more bytes than the high limit wait to be sent. If a callback
	// calls Write, PauseWriting comes before that Write returns. If a task calls Write,
	// PauseWriting comes in the next turn.
	PauseWriting()

	// ResumeWriting reports that at most as many bytes as the low limit wait.
	ResumeWriting()
}

// A Factory makes the protocol for a connection. It must not switch.
type Factory func() Base

// A mode is how a transport passes bytes to its protocol.
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
	misuse("%T is no Protocol, BufferedProtocol or Receiver; give it a method DataReceived, BufferUpdated or Receive", p)
	return plain
}

// mustHold panics unless the caller may use t, which belongs to l.
func mustHold(l *loop.Loop, call string, t fmt.Stringer) {
	if word := l.Driver().Holder(); !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a Portal", call, t, l)
	}
}

// isAny reports whether err is one of several errors.
func isAny(err error, several ...error) bool {
	return slices.ContainsFunc(several, func(one error) bool { return errors.Is(err, one) })
}

func misuse(format string, args ...any) {
	panic("protocol: " + fmt.Sprintf(format, args...))
}
