// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"

	"baton/loop/poll"
	"baton/netio/internal/record"
)

// maxOut is how many bytes may wait to be sent: what a Write has collected, and 64 KiB that
// TLS writes by itself while it reads, which are alerts and answers to key updates. Without
// this limit, a peer that requests answers and does not read them could exhaust the memory
// of this process.
const maxOut = bulkSpace + 64<<10

var errAnswers = errors.New("tls: the peer asks for key updates and does not read the answers")

// A streamTLS is the TLS of a stream. It is the record.Wire of its layer: it reads records
// through the stream's reading direction, where the task parks, and sends records through a
// pump. During the handshake the task uses both directions of the stream, so ReadRecords
// may park.
type streamTLS struct {
	stream *Stream
	layer  *record.Layer // the innermost one
	out    *pump
	raw    buffer // records that the layer has not read yet

	end    error // what ended raw; the layer gets it after raw
	failed error // what ended reading for good
	full   bool  // readAhead has filled a buffer of the pool

	handshakeCtx context.Context // of the current handshake, or nil
	interrupted  error           // what has interrupted the handshake
}

// addTLS adds TLS to s, perhaps inside the TLS that s has. The new layer takes over what s
// has read ahead. The caller is the user of both directions.
func (s *Stream) addTLS(config *tls.Config, side record.Side) {
	if t := s.tls; t != nil {
		t.layer = t.layer.Above(slices.Clone(s.ahead.bytes()), side, config)
		t.failed = nil
		s.ahead.drop(s.ahead.len())
		return
	}
	t := &streamTLS{stream: s, raw: s.ahead}
	s.ahead = buffer{provided: true, lender: &buffers}
	t.out = newPump(s)
	t.layer = record.New(t, side, config)
	s.tls = t
}

// handshake performs the handshake. It may switch.
func (t *streamTLS) handshake(ctx context.Context) error {
	t.handshakeCtx = ctx
	err := t.layer.Handshake(ctx)
	t.handshakeCtx = nil
	t.out.kick()
	t.out.shrink()
	switch {
	case err == nil && t.stream.closed:
		return t.stream.opError("handshake", net.ErrClosed)
	case err == nil:
		return nil
	case t.interrupted != nil:
		return t.interrupted
	case t.layer.End() != nil:
		return t.layer.End()
	}
	return err
}

// read implements the read of a stream, for the user of s.in.
func (t *streamTLS) read(ctx context.Context, p []byte) (int, error) {
	if p == nil {
		p = []byte{}
	}
	_, n, err := t.readAhead(ctx, p)
	return n, err
}

// readAhead reads into p. If p is nil, readAhead takes a buffer of the pool as soon as
// there are bytes for it, and returns that buffer.
func (t *streamTLS) readAhead(ctx context.Context, p []byte) (buf []byte, n int, err error) {
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
		if n := t.step(p); n > 0 {
			t.full = lend && n == len(p)
			return p, n, nil
		}
		if lend {
			buffers.Recycle(p)
		}
		if t.failed == nil {
			if err := t.fill(ctx); err != nil {
				return nil, 0, err
			}
		}
	}
}

// ahead decrypts what is available into the stream's buffer. It does not wait.
func (t *streamTLS) ahead() {
	buf := buffers.lend(t.expected())
	if n := t.step(buf); n > 0 {
		t.full = n == len(buf)
		t.stream.ahead.add(buf, n)
	} else {
		buffers.Recycle(buf)
	}
}

// step decrypts into p. It returns 0 if it needs more records, or if it has set failed.
func (t *streamTLS) step(p []byte) int {
	n, err := t.decrypt(p)
	t.out.kick() // alerts, and answers to key updates
	switch {
	case n > 0:
	case err == record.ErrNone && t.out.len() > maxOut:
		t.failed = t.stream.opError("read", errAnswers)
	case err != nil && err != record.ErrNone:
		t.failed = t.endError(err)
	}
	return n
}

// decrypt reads from the layer as many records as are there and fit into p. After a long
// record there is often another one, and the caller can write all of them at once, which
// costs less.
func (t *streamTLS) decrypt(p []byte) (n int, err error) {
	n, err = t.layer.Read(p)
	for m := n; m >= firstSize && n < len(p) && err == nil; n += m {
		m, err = t.layer.Read(p[n:])
	}
	return n, err // if n > 0, the next call returns err again
}

// expected returns about how many bytes decrypt can return.
func (t *streamTLS) expected() int {
	if t.full {
		return bulkSize
	}
	return t.raw.len()
}

// endError returns the error of all later reads, after err of the layer.
func (t *streamTLS) endError(err error) error {
	end := t.layer.End()
	switch {
	case err == io.EOF && (end == nil || !t.stream.tlsOptions.Strict):
		return io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case end != nil && end != io.EOF:
		err = end
	}
	if e, ok := err.(*net.OpError); ok && t.stream.owns(e) {
		return err
	}
	return t.stream.opError("read", err)
}

// fill reads more records, or sets end. An error is a cancel or a timeout, after which the
// caller can try again, or net.ErrClosed. It may switch.
func (t *streamTLS) fill(ctx context.Context) error {
	s := t.stream
	s.in.op.Buf = t.raw.space()
	n, err := s.in.do(ctx)
	buf := s.in.op.Buf
	s.in.op.Buf = nil
	switch {
	case s.closed:
		return s.opError("read", net.ErrClosed)
	case n > 0:
		t.raw.add(buf, n) // the next operation reports an error again
		return nil
	case s.in.failed != nil:
		t.end = s.in.failed
		return nil
	}
	return err
}

// write implements the write of a stream, for the user of s.out. It writes pieces of at
// most one record; n counts the pieces that the peer will get.
func (t *streamTLS) write(ctx context.Context, bufs ...[]byte) (n int, err error) {
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
				if err := s.out.yieldIfDue(ctx); err != nil {
					return n, err
				}
			}
			if err := t.writable(); err != nil {
				return n, err
			}
			m, err := t.layer.Write(p[:min(len(p), pieceBytes)])
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

// writable returns the error of a write, or nil if it is possible to write.
func (t *streamTLS) writable() error {
	switch s := t.stream; {
	case s.closed:
		return s.opError("write", net.ErrClosed)
	case t.out.err != nil:
		return t.out.err
	case t.layer.WriteClosed():
		return s.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	}
	return nil
}

// closeWrite implements the CloseWrite of a stream.
func (t *streamTLS) closeWrite() error {
	if t.stream.closed {
		return t.stream.opError("close", net.ErrClosed)
	}
	t.layer.CloseWrite()
	t.out.kick()
	return nil
}

// close implements the Close of a stream: the pump closes the handle when everything is
// sent.
func (t *streamTLS) close(poll.Handle) error {
	t.layer.Close()
	t.raw.forget()
	return t.out.close()
}

// ReadRecords implements record.Wire.
func (t *streamTLS) ReadRecords(p []byte) (int, error) {
	for {
		switch {
		case t.raw.len() > 0:
			return t.raw.read(p), nil
		case t.end != nil:
			return 0, t.end
		case t.handshakeCtx == nil:
			return 0, record.ErrNone
		}
		t.out.kick()
		if t.interrupted = t.out.err; t.interrupted == nil {
			t.interrupted = t.fill(t.handshakeCtx)
		}
		if t.interrupted != nil {
			return 0, t.interrupted
		}
	}
}

// WriteRecords implements record.Wire.
func (t *streamTLS) WriteRecords(p []byte) { t.out.add(p) }

// LocalAddr and RemoteAddr are called by the callbacks of a tls.Config.
func (t *streamTLS) LocalAddr() net.Addr  { return t.stream.local }
func (t *streamTLS) RemoteAddr() net.Addr { return t.stream.remote }
