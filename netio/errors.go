// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"

	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// ErrTooLong is the error of ReadLine, ReadUntil and Peek if they need more bytes than the
// stream's LineLimit. It is also the error of ReadAll if the stream has more bytes than its
// limit.
var ErrTooLong = errors.New("longer than the limit")

// ErrBusy matches every [*BusyError] in errors.Is.
var ErrBusy = errors.New("netio: busy")

// A BusyError is returned by a call that reads from a stream, writes to it or accepts from
// a listener while another call does the same. The first call continues. On a [Socket],
// Accept counts as reading and Connect as writing.
type BusyError struct {
	Op     string // "read", "write" or "accept"
	First  string // the task whose call continues
	Second string // the task, or the call, that was refused
}

// Error names the operation and both tasks.
func (e *BusyError) Error() string {
	return fmt.Sprintf("netio: %s by %s during the %[1]s of %[3]s; one task at a time may %[1]s", e.Op, e.Second, e.First)
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// canceled returns the error of a call whose operation was cancelled because ctx was: the
// *task.Canceled, unwrapped.
func canceled(ctx context.Context) error {
	if err := task.Check(ctx); err != nil {
		return err
	}
	return poll.ErrCanceled
}

// join is errors.Join, except that it returns a single error unchanged: callers compare
// unwrapped errors.
func join(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// misuse panics. The message says what the caller did and what to do instead.
func misuse(format string, args ...any) {
	panic("netio: " + fmt.Sprintf(format, args...))
}

// mustHold panics unless the caller may use what belongs to l: it holds the baton, or the
// loop does not run.
func mustHold(l *loop.Loop, call string, what fmt.Stringer) {
	if l == nil {
		misuse("%s of a zero value; %s", call, howToMake)
	}
	if word := l.Driver().Holder(); !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a task.Portal, or the net.Conn of Stream.NetConn",
			call, what, l)
	}
}

// panicWrongLoop panics because r uses a stream or listener of another loop.
func panicWrongLoop(r *task.Ref, l *loop.Loop, what string) {
	if l == nil {
		misuse("%v uses a zero %s; %s", r, what, howToMake)
	}
	misuse("%v of %v uses a %s of %v; use a task.Portal between loops", r, r.Loop(), what, l)
}

// howToMake says what to use instead of a zero value.
const howToMake = "Dial and Listener.Accept make a Stream, Listen makes a Listener, ListenPacket and DialPacket make a PacketConn, " +
	"AdoptSocket makes a Socket"
