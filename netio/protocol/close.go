// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"time"

	"baton/internal/saturate"
	"baton/loop/poll"
)

// Close ends the transport when everything that was written is sent. Nothing is read
// any more. Then it calls ConnectionLost, with nil. If the peer does not read, Close
// gives up after Config.CloseTimeout, and the error of ConnectionLost is
// os.ErrDeadlineExceeded. A second Close does nothing.
//
// Over TCP the peer may lose what was written last, as with [netio.Stream.Close], if this
// end has not read everything that had come.
func (t *Transport) Close() {
	t.held("Close")
	t.close()
}

// Abort ends the transport, and drops what is not sent; over TCP the peer gets a reset.
// ConnectionLost is called in one of the next turns, with nil.
func (t *Transport) Abort() {
	t.held("Abort")
	t.abort(nil)
}

// close is Close.
func (t *Transport) close() {
	if t.closing {
		return
	}
	t.closing = true
	t.stopWork()
	if t.tls != nil {
		t.bye = t.out == nil
		t.tls.Close()
		t.out.kick()
	}
	switch {
	case t.closed: // the alert has failed
	case t.out == nil:
		t.shut(poll.Handle.Close)
	default:
		d := t.choices.close
		if d == 0 {
			d = defaultCloseTimeout
		}
		if d > 0 {
			t.out.timer.Target = t.out
			t.loop.Driver().StartTimer(&t.out.timer, saturate.Add(t.loop.Time(), d))
		}
	}
	t.news.tell()
}

const defaultCloseTimeout = 30 * time.Second

// abort is Abort, with the error of ConnectionLost. The first error counts.
func (t *Transport) abort(err error) {
	if t.closed {
		return
	}
	if t.err == nil {
		t.err = err
	}
	t.closing = true
	t.shut(poll.Handle.Abort)
	t.stopWork()
	t.news.tell()
}

// shut closes the handle. ConnectionLost comes when the operations in flight are back.
func (t *Transport) shut(how func(poll.Handle) error) {
	if t.closed {
		return
	}
	t.closed = true
	_ = how(t.handle) // nothing can be done about it
	if o := t.out; o != nil && !o.flying {
		o.release()
	}
	t.queue()
}
