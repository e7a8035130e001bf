// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"net"
	"syscall"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// DefaultLineLimit is the LineLimit of a stream unless another one is set, in bytes.
const DefaultLineLimit = 64 << 10

// StreamConfig configures the streams that Dial, Listen and Serve make. The zero value is
// the default.
type StreamConfig struct {
	// LineLimit is how many bytes ReadLine, ReadUntil and Peek may read ahead, at most. It
	// limits the memory of a stream. The default is 64 KiB.
	LineLimit int

	// ReadTimeout, WriteTimeout and IdleTimeout are the initial values of SetReadTimeout,
	// SetWriteTimeout and SetIdleTimeout. Zero means no timeout.
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	IdleTimeout  time.Duration

	// KeepAlive and KeepAliveConfig mean the same as in net.Dialer and net.ListenConfig. By
	// default the kernel probes a TCP connection that has been idle for 15 s, every 15 s;
	// if the peer does not answer 9 probes, calls fail with ETIMEDOUT. A positive KeepAlive
	// sets another idle time, and a negative KeepAlive disables the probes. If
	// KeepAliveConfig.Enable is true, KeepAlive is ignored.
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// TLS applies to streams that start TLS.
	TLS TLSOptions

	// Nagle lets the kernel collect small writes into larger packets (Nagle's algorithm,
	// RFC 896). By default the kernel sends every write at once.
	Nagle bool
}

// socketOptions returns the options for a socket of the poller.
func (c StreamConfig) socketOptions() poll.SocketOptions {
	o := poll.SocketOptions{KeepAlive: c.KeepAliveConfig}
	if !o.KeepAlive.Enable && c.KeepAlive >= 0 {
		o.KeepAlive = net.KeepAliveConfig{Enable: true, Idle: c.KeepAlive}
	}
	return o
}

// A Stream is one connection: bytes in order, in both directions. A Stream must be closed.
// The end of the ctx of Dial or Accept does not close it.
//
// A stream belongs to one loop. Tasks and callbacks of that loop may call its methods, and
// no other goroutine may, except LocalAddr and RemoteAddr. Methods that take a ctx may
// switch; the others never do. Other goroutines use [Stream.NetConn].
//
// One task may read while another writes. A second reader, or a second writer, gets a
// [*BusyError], and the first one continues.
//
// A call owns its buffer until it returns. Until then the caller must not touch a buffer
// that is read into, and must not change a buffer that is written.
//
// A cancel ends a waiting call with a [*task.Canceled], and a timeout ends it with
// os.ErrDeadlineExceeded. The stream stays usable afterwards, and no byte is lost: the call
// reports what it has read or written.
//
// Errors of the network are [*net.OpError] around the kernel's error, except the end of the
// stream, which is io.EOF.
type Stream struct {
	loop   *loop.Loop
	closed bool
	skip   bool   // the rest of a line that was too long must be dropped
	ahead  buffer // read from the kernel, and not yet returned to the caller

	in     direction
	local  net.Addr // not shared with another stream: see owns
	remote net.Addr
	out    direction // starts a cache line of the processor: see TestLayout

	handle poll.Handle
	limit  int // of lines, in bytes
	idle   time.Duration
	active time.Time // when a byte last moved; kept only if idle is set

	vector *[][]byte // the buffer headers of WriteBuffers, reused; nil before the first

	tls        *streamTLS // nil without TLS
	early      *earlyRead // the read of ReadAhead, or nil
	tlsOptions TLSOptions
}

// newStream makes a stream that owns h, a handle of l. The caller holds the baton.
func newStream(l *loop.Loop, h poll.Handle, c StreamConfig) *Stream {
	s := &Stream{loop: l, handle: h, local: copyAddr(h.LocalAddr()), remote: h.RemoteAddr()}
	s.in.open(s, poll.Read)
	s.out.open(s, poll.Write)
	s.ahead.lender = l.Poller()
	s.ahead.provided = l.Poller().Caps().Has(poll.Provided)
	s.tlsOptions = c.TLS
	s.SetLineLimit(c.LineLimit)
	s.SetReadTimeout(c.ReadTimeout)
	s.SetWriteTimeout(c.WriteTimeout)
	s.SetIdleTimeout(c.IdleTimeout)
	if c.Nagle {
		// An error is ignored: Nagle's algorithm only saves packets.
		_ = h.SetNoDelay(false)
	}
	return s
}

// copyAddr returns a copy of addr, which no other stream has: a poller may return the same
// net.Addr for all connections of a listener. Pollers return no other types than these two.
func copyAddr(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		own := *a
		return &own
	case *net.UnixAddr:
		own := *a
		return &own
	}
	return addr
}

// LocalAddr returns the local address. It is safe for concurrent use.
func (s *Stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns the address of the peer. It is safe for concurrent use.
func (s *Stream) RemoteAddr() net.Addr { return s.remote }

// String returns both addresses, as in "127.0.0.1:7000->127.0.0.1:51234". A pipe has only
// one name.
func (s *Stream) String() string {
	if s.isPipe() {
		return name(s.local)
	}
	return name(s.local) + "->" + name(s.remote)
}

// isPipe reports whether the stream is a pipe of package process: both ends have the same
// name.
func (s *Stream) isPipe() bool { return s.local == s.remote }

// name returns addr as text. An end of a UNIX connection may have no name.
func name(addr net.Addr) string {
	if addr == nil || addr.String() == "" {
		return "unnamed"
	}
	return addr.String()
}

// Buffered returns how many bytes were read from the kernel and not yet returned. Read
// returns them without waiting.
func (s *Stream) Buffered() int {
	s.held("Stream.Buffered")
	return s.ahead.len()
}

// SetLineLimit sets the LineLimit, in bytes, from the next call on. Zero means
// [DefaultLineLimit].
func (s *Stream) SetLineLimit(n int) {
	s.held("Stream.SetLineLimit")
	if n <= 0 {
		n = DefaultLineLimit
	}
	s.limit = n
}

// SetReadTimeout sets how long one call that reads may wait, from the next call on. A
// ReadLine is one call, even if its line comes in several packets. The error is
// os.ErrDeadlineExceeded in a [*net.OpError], and the stream stays usable. Zero means no
// timeout.
func (s *Stream) SetReadTimeout(d time.Duration) {
	s.held("Stream.SetReadTimeout")
	s.in.timeout = max(d, 0)
	s.in.updateLimits()
}

// SetWriteTimeout sets how long one call that writes may wait. Otherwise it is like
// SetReadTimeout.
func (s *Stream) SetWriteTimeout(d time.Duration) {
	s.held("Stream.SetWriteTimeout")
	s.out.timeout = max(d, 0)
	s.out.updateLimits()
}

// SetIdleTimeout sets how long calls may wait while no byte moves, in either direction. A
// reader does not time out while a writer makes progress. A long Write does not time out
// while the peer reads at least 16 KiB in that time. Time in which no call waits does not
// count.
//
// The timeout also applies to calls that wait already; it then covers a waiting Write as a
// whole. Zero means no timeout.
func (s *Stream) SetIdleTimeout(d time.Duration) {
	s.held("Stream.SetIdleTimeout")
	if s.idle == 0 && d > 0 {
		s.active = s.loop.Time() // not kept until now
	}
	s.idle = max(d, 0)
	s.in.updateLimits()
	s.out.updateLimits()
}

// SetNoDelay sets whether the kernel sends small writes at once, without Nagle's algorithm.
// The default is true, unless StreamConfig.Nagle is set.
func (s *Stream) SetNoDelay(on bool) error {
	s.held("Stream.SetNoDelay")
	return s.wrapError("set", s.handle.SetNoDelay(on))
}

// CloseWrite ends the writing direction: the peer reads the bytes that were written, and
// then io.EOF. The stream can still be read. A later Write fails with EPIPE.
//
// During a Write, CloseWrite returns a [*BusyError], because it would cut off that Write.
// If the direction has already ended, by a CloseWrite or because the peer has closed the
// connection, CloseWrite does nothing and returns nil.
func (s *Stream) CloseWrite() error {
	s.held("Stream.CloseWrite")
	if s.out.user != nil && !s.closed {
		return s.out.busy("a CloseWrite")
	}
	if s.tls != nil {
		return s.tls.closeWrite()
	}
	err := s.handle.CloseWrite()
	if errors.Is(err, syscall.ENOTCONN) { // only some pollers and networks return it
		return nil
	}
	return s.wrapError("close", err)
}

// Close closes the stream. It does not wait: the kernel sends what was written in the
// background. Waiting calls and later calls fail with net.ErrClosed, a second Close too.
//
// If this end has not read all that has arrived, a TCP connection is reset. The peer may
// then lose the last bytes that were written (RFC 9293, section 3.6.1). If the peer may
// still be sending, call CloseWrite and read up to io.EOF before Close.
func (s *Stream) Close() error {
	if s.tls != nil {
		return s.end("Stream.Close", s.tls.close)
	}
	return s.end("Stream.Close", poll.Handle.Close)
}

// Abort closes the stream and drops what was not sent yet. A TCP connection is reset.
func (s *Stream) Abort() error { return s.end("Stream.Abort", poll.Handle.Abort) }

// end implements Close and Abort; closeHandle says how to close the handle. The poller
// reports the operations in flight as closed, and so wakes the waiting calls.
func (s *Stream) end(call string, closeHandle func(poll.Handle) error) error {
	s.held(call)
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	s.closed = true
	// Otherwise these errors would take precedence over net.ErrClosed.
	s.in.failed, s.out.failed = nil, nil
	s.in.deadline, s.out.deadline = time.Time{}, time.Time{}
	// The buffer is not recycled: a Write of another stream may still use it.
	s.ahead.forget()
	return s.wrapError("close", closeHandle(s.handle))
}

// held panics unless the caller may use the stream.
func (s *Stream) held(call string) { mustHold(s.loop, call, s) }

// wrapError is opError for the result of a call of the handle, which may be nil. The poller
// may have wrapped its error with its own addresses.
func (s *Stream) wrapError(op string, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *net.OpError:
		return s.opError(e.Op, e.Err)
	}
	return s.opError(op, err)
}

// owns reports whether e is an error of this stream: its addresses are those of the stream,
// which no other stream shares. So e was made by opError, or by other code from these
// addresses.
func (s *Stream) owns(e *net.OpError) bool {
	return e.Addr == s.remote && (e.Source == s.local || s.isPipe())
}

// opError wraps an error of the network in a *net.OpError, with the operation names of
// package net. It is safe for concurrent use.
func (s *Stream) opError(op string, err error) error {
	e := &net.OpError{Op: op, Net: s.local.Network(), Source: s.local, Addr: s.remote, Err: err}
	if s.isPipe() {
		e.Source = nil
	}
	return e
}

// begin makes r, which is running, the user of a direction for one call, until release. A
// second user gets an error and does not wait: two readers that alternate would corrupt
// each other's messages silently.
func (s *Stream) begin(d *direction, r *task.Ref) error {
	if d.user != nil {
		if s.closed { // the first user has not run since
			return s.opError(d.opName(), net.ErrClosed)
		}
		return d.busy(r.String())
	}
	if r.Loop() != s.loop {
		panicWrongLoop(r, s.loop, "Stream")
	}
	d.user = r
	return nil
}
