// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"time"

	"baton/internal/saturate"
	"baton/loop/poll"
)

// Close closes the transport after everything that was written is sent. It does not wait, and stops
// reading. After the last byte, the transport calls ConnectionLost with nil. If the peer does not
// read, the transport gives up after Config.CloseTimeout, and the error of ConnectionLost is
// os.ErrDeadlineExceeded. A second Close does nothing.
//
// Over TCP, the peer may lose the last bytes if this end has not read everything that had arrived;
// see [netio.Stream.Close].
func (t *Transport) Close() {
	t.checkHeld("Close")
	t.close()
}

// Abort closes the transport at once, and drops what is not sent. Over TCP, the peer gets a reset.
// The transport calls ConnectionLost with nil, in a later turn.
func (t *Transport) Abort() {
	t.checkHeld("Abort")
	t.abort(nil)
}

// close is Close without the check of the caller.
func (t *Transport) close() {
	if t.closing {
		return
	}
	t.closing = true
	t.stopReceive()
	if t.tls != nil {
		t.alertOnly = t.out == nil
		t.tls.Close()
		t.out.flush()
	}
	switch {
	case t.closed: // sending the alert has failed
	case t.out == nil:
		t.closeHandle(poll.Handle.Close)
	default:
		d := t.settings.close
		if d == 0 {
			d = defaultCloseTimeout
		}
		if d > 0 {
			t.out.timer.Target = t.out
			t.loop.Driver().StartTimer(&t.out.timer, saturate.Add(t.loop.Time(), d))
		}
	}
	t.waiters.wake()
}

const defaultCloseTimeout = 30 * time.Second

// abort is Abort with an error for ConnectionLost. The first error wins.
func (t *Transport) abort(err error) {
	if t.closed {
		return
	}
	if t.err == nil {
		t.err = err
	}
	t.closing = true
	t.closeHandle(poll.Handle.Abort)
	t.stopReceive()
	t.waiters.wake()
}

// closeHandle closes the handle. ConnectionLost comes when no operation is in flight any more.
func (t *Transport) closeHandle(how func(poll.Handle) error) {
	if t.closed {
		return
	}
	t.closed = true
	_ = how(t.handle) // the caller could do nothing about an error
	if o := t.out; o != nil && !o.inFlight {
		o.release()
	}
	t.queue()
}
