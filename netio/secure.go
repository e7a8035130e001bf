// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"baton/loop/poll"
)

// maxOut bounds what is to be sent, in bytes: what a Write has collected, and 64 KiB that
// conn writes by itself while it reads, alerts and answers to key updates. A peer that does not
// read the answers wants this end to run out of memory.
const maxOut = bulkRoom + 64<<10

var errAnswers = errors.New("tls: peer asks for key updates and does not read the answers")

// A secure is the TLS of a stream. It is the net.Conn below conn.
//
// No task parks inside conn after the handshake, because conn holds its locks there,
// and another task that waited for them would stop the loop. So Read of secure returns
// errNoRecord when there are no bytes: conn returns it, keeps what it has of a record,
// and can be tried again. Write of secure only appends to out. During the handshake
// the task has both directions of the stream, so Read may park.
type secure struct {
	stream *Stream
	conn   *tls.Conn
	lower  *secure // the TLS that this one runs inside of; usually nil
	out    *pump
	raw    buffer // records, and not yet conn's

	end    error // what ended raw; given to conn after it
	failed error // what ended reading for good
	full   bool  // readAhead has filled a buffer that it took
	sent   bool  // the close_notify alert is on the way

	shaking context.Context      // of the handshake at work, or nil
	stopped error                // what has interrupted the handshake
	state   *tls.ConnectionState // nil before the end of the handshake; never changes
}

// newSecure starts TLS on s, and takes over what s has read ahead. The caller is the
// user of both directions.
func newSecure(s *Stream, config *tls.Config, side func(net.Conn, *tls.Config) *tls.Conn) *secure {
	t := &secure{stream: s, lower: s.tls, raw: s.ahead}
	s.ahead = buffer{provided: true, lender: &buffers}
	if t.lower == nil {
		t.out = newPump(s)
	} else {
		t.out = t.lower.out
	}
	t.conn = side(t, config)
	return t
}

// handshake performs the handshake. It may switch.
func (t *secure) handshake(ctx context.Context) error {
	t.shaking = ctx
	// With a ctx that can end, conn would close itself on another goroutine.
	err := t.conn.HandshakeContext(context.WithoutCancel(ctx))
	t.shaking = nil
	t.out.kick()
	t.out.shrink()
	switch {
	case err == nil && t.stream.closed:
		return t.stream.opError("handshake", net.ErrClosed)
	case err == nil:
		state := t.conn.ConnectionState()
		t.state = &state
	case t.stopped != nil:
		return t.stopped
	case t.end != nil:
		return t.end
	}
	return err
}

// read is the read of a stream for the user of s.in.
func (t *secure) read(ctx context.Context, p []byte) (int, error) {
	if p == nil {
		p = []byte{}
	}
	_, n, err := t.readAhead(ctx, p)
	return n, err
}

// readAhead is read into p. If p is nil, readAhead takes a buffer of the pool as soon as
// there is something to put into it, and returns that.
func (t *secure) readAhead(ctx context.Context, p []byte) (buf []byte, n int, err error) {
	s, lend := t.stream, p == nil
	for {
		switch {
		case s.closed:
			return nil, 0, s.opError("read", net.ErrClosed)
		case t.failed != nil:
			return nil, 0, t.failed
		case s.in.limited && s.in.isLate():
			return nil, 0, s.opError("read", os.ErrDeadlineExceeded)
		case lend:
			p = buffers.lend(t.expected())
		case len(p) == 0:
			return p, 0, nil
		}
		n, err := t.decrypt(p)
		t.out.kick() // alerts, and answers to key updates
		if n > 0 {
			t.full = lend && n == len(p)
			// An error beside bytes comes again.
			return p, n, nil
		}
		if lend {
			buffers.Recycle(p)
		}
		switch {
		case err == errNoRecord && t.out.len() > maxOut:
			t.failed = s.opError("read", errAnswers)
		case err == errNoRecord:
			if err := t.fill(ctx); err != nil {
				return nil, 0, err
			}
		case err != nil:
			t.failed = t.ended(err)
		}
	}
}

// decrypt is the Read of conn, of as many records as there are and as fit into p. Where
// a long record was, there is often another one, and a Write of all of them costs less
// than one of each.
func (t *secure) decrypt(p []byte) (n int, err error) {
	n, err = t.conn.Read(p)
	for m := n; m >= firstSize && n < len(p) && err == nil; n += m {
		m, err = t.conn.Read(p[n:])
	}
	return n, err
}

// expected is about how many bytes decrypt can bring.
func (t *secure) expected() int {
	if t.full {
		return bulkSize
	}
	return t.raw.len()
}

// ended is what reading returns for good, after err of conn.
func (t *secure) ended(err error) error {
	switch {
	case err == io.EOF && (t.end == nil || !t.stream.tlsOptions.Strict):
		return io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case t.end != nil && t.end != io.EOF:
		return t.end
	}
	return t.stream.opError("read", err)
}

// fill brings more records, or sets end. An error is one after which fill can be tried
// again: a cancel or a timeout; or the stream is closed. It may switch.
func (t *secure) fill(ctx context.Context) error {
	s, buf := t.stream, t.raw.room()
	var n int
	var err, final error
	if t.lower != nil {
		buf, n, err = t.lower.readAhead(ctx, buf)
		final = t.lower.failed
	} else {
		s.in.op.Buf = buf
		n, err = s.in.do(ctx)
		buf, s.in.op.Buf = s.in.op.Buf, nil
		final = s.in.failed
	}
	switch {
	case s.closed:
		return s.opError("read", net.ErrClosed)
	case n > 0:
		t.raw.add(buf, n) // an error beside them comes again
		return nil
	case final != nil:
		t.end = final
		return nil
	}
	return err
}

// write is the write of a stream for the user of s.out. It goes in pieces of a record
// at most; n counts those that the peer will get.
func (t *secure) write(ctx context.Context, bufs ...[]byte) (n int, err error) {
	s := t.stream
	if s.out.limited && s.out.isLate() {
		return 0, s.opError("write", os.ErrDeadlineExceeded)
	}
	most := fullRecords
	if s.idle > 0 {
		most = pieceBytes
	}
	defer t.out.shrink()
	for _, p := range bufs {
		for len(p) > 0 {
			if t.out.len() >= most {
				if err := t.out.drain(ctx); err != nil {
					return n, err
				}
				if err := s.out.giveWay(ctx); err != nil {
					return n, err
				}
			}
			if err := t.writable(); err != nil {
				return n, err
			}
			m, err := t.conn.Write(p[:min(len(p), pieceBytes)])
			n += m
			s.out.moved += m
			if err != nil {
				return n, s.opError("write", err)
			}
			p = p[m:]
		}
	}
	if err := t.writable(); err != nil {
		return n, err
	}
	return n, t.out.drain(ctx)
}

// writable returns why nothing can be written, if that is so.
func (t *secure) writable() error {
	switch s := t.stream; {
	case s.closed:
		return s.opError("write", net.ErrClosed)
	case t.out.err != nil:
		return t.out.err
	case t.sent:
		return s.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	}
	return nil
}

// endWrite is the CloseWrite of a stream.
func (t *secure) endWrite() error {
	if t.stream.closed {
		return t.stream.opError("close", net.ErrClosed)
	}
	t.closeWrite()
	return nil
}

// closeWrite sends the close_notify alert, once.
func (t *secure) closeWrite() {
	if t.state != nil && !t.sent {
		t.sent = true
		_ = t.conn.CloseWrite() // it appends to out, which does not fail
		t.out.kick()
	}
}

// close is the Close of a stream: it closes the handle when everything is sent.
func (t *secure) close(poll.Handle) error {
	for l := t; l != nil; l = l.lower {
		l.closeWrite()
		l.raw.forget()
	}
	return t.out.close()
}

// Read is for conn.
func (t *secure) Read(p []byte) (int, error) {
	for {
		switch {
		case t.raw.len() > 0:
			return t.raw.read(p), nil
		case t.end != nil:
			return 0, t.end
		case t.shaking == nil:
			return 0, errNoRecord
		}
		t.out.kick()
		if t.stopped = t.out.err; t.stopped == nil {
			t.stopped = t.fill(t.shaking)
		}
		if t.stopped != nil {
			return 0, t.stopped
		}
	}
}

// Write is for conn. It keeps a copy of p.
func (t *secure) Write(p []byte) (int, error) {
	if t.lower != nil {
		return t.lower.conn.Write(p)
	}
	t.out.add(p)
	return len(p), nil
}

// LocalAddr and RemoteAddr are for conn and for callbacks of a tls.Config.
func (t *secure) LocalAddr() net.Addr  { return t.stream.local }
func (t *secure) RemoteAddr() net.Addr { return t.stream.remote }

// Close and the deadlines do nothing: the stream has its own.
func (t *secure) Close() error                     { return nil }
func (t *secure) SetDeadline(time.Time) error      { return nil }
func (t *secure) SetReadDeadline(time.Time) error  { return nil }
func (t *secure) SetWriteDeadline(time.Time) error { return nil }

// errNoRecord says that there are no bytes yet. Package crypto/tls makes an error of
// reading permanent unless it is a temporary net.Error.
var errNoRecord net.Error = noRecord{}

type noRecord struct{}

func (noRecord) Error() string   { return "netio: no record yet" }
func (noRecord) Timeout() bool   { return false }
func (noRecord) Temporary() bool { return true }
