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

// DefaultLineLimit is the LineLimit of a stream that has not said otherwise.
const DefaultLineLimit = 64 << 10

// StreamConfig is what Dial, Listen and Serve give the streams they make. The
// zero value is the default.
type StreamConfig struct {
	// LineLimit bounds ReadLine, ReadUntil and Peek, and so the memory that a
	// stream holds. Default 64 KiB.
	LineLimit int

	// ReadTimeout, WriteTimeout and IdleTimeout are those of SetReadTimeout,
	// SetWriteTimeout and SetIdleTimeout. Zero is none.
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	IdleTimeout  time.Duration

	// KeepAlive and KeepAliveConfig are those of net.Dialer and net.ListenConfig. By
	// default the kernel probes a TCP connection that has been idle for 15 s, every
	// 15 s; if the peer has not answered 9 probes, calls fail with ETIMEDOUT. A
	// positive KeepAlive is another idle time, and a negative one switches the probes
	// off. If KeepAliveConfig.Enable is true, KeepAlive is ignored.
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// TLS is for the streams that start TLS.
	TLS TLSOptions

	// Nagle lets the kernel collect small writes into larger packets (Nagle's
	// algorithm, RFC 896). By default every write is sent at once.
	Nagle bool
}

// socketOptions are the choices for a socket of the poller.
func (c StreamConfig) socketOptions() poll.SocketOptions {
	o := poll.SocketOptions{KeepAlive: c.KeepAliveConfig}
	if !o.KeepAlive.Enable && c.KeepAlive >= 0 {
		o.KeepAlive = net.KeepAliveConfig{Enable: true, Idle: c.KeepAlive}
	}
	return o
}

// A Stream is one end of a connection: bytes in order, in both directions. It
// belongs to one loop. One task may read while another writes; a second reader,
// or a second writer, gets a [*BusyError], and the first goes on.
//
// Methods that take a ctx may switch; the others never do. A cancel that comes
// while a call waits ends it with a [*task.Canceled], once the kernel has given
// the buffer back; what was read or written by then is reported, never lost.
// Errors of the world are [*net.OpError] around what the kernel said, except the
// end of the stream, which is io.EOF.
//
// A Stream must be closed.
type Stream struct {
	loop   *loop.Loop
	closed bool
	skip   bool   // the rest of a line that was too long is to be dropped
	ahead  buffer // read, and not yet asked for

	in     direction
	local  net.Addr // its own: errors tell by it whose they are
	remote net.Addr
	out    direction // which begins a line of the processor's cache: see TestLayout

	handle poll.Handle
	limit  int // of lines
	idle   time.Duration
	active time.Time // when a byte last moved; kept for idle

	vector *[][]byte // the headers of WriteBuffers, kept for the next one; nil before the first

	tls        *streamTLS // nil without TLS
	early      *earlyRead // of ReadAhead, or nil
	tlsOptions TLSOptions
}

// newStream makes a stream of a handle of l, which it owns from then on. The caller
// has the baton.
func newStream(l *loop.Loop, h poll.Handle, c StreamConfig) *Stream {
	s := &Stream{loop: l, handle: h, local: copied(h.LocalAddr()), remote: h.RemoteAddr()}
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
		// Nagle's algorithm saves packets; a stream without it works as well.
		_ = h.SetNoDelay(false)
	}
	return s
}

// copied returns a copy of addr that no other stream has: a poller may give all
// connections of a listener the same one. Pollers make no others than these two.
func copied(addr net.Addr) net.Addr {
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

// LocalAddr returns the address of this end. Safe from every goroutine.
func (s *Stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns the address of the peer. Safe from every goroutine.
func (s *Stream) RemoteAddr() net.Addr { return s.remote }

// String names both ends, as in "127.0.0.1:7000->127.0.0.1:51234". A pipe has one name.
func (s *Stream) String() string {
	if s.isPipe() {
		return name(s.local)
	}
	return name(s.local) + "->" + name(s.remote)
}

// isPipe reports whether the stream is one of package process, whose ends have one name.
func (s *Stream) isPipe() bool { return s.local == s.remote }

// name is addr in words; an end of a UNIX connection may have none.
func name(addr net.Addr) string {
	if addr == nil || addr.String() == "" {
		return "unnamed"
	}
	return addr.String()
}

// Buffered returns how many bytes were read from the kernel and not yet asked
// for: those a Read returns without waiting.
func (s *Stream) Buffered() int {
	s.held("Stream.Buffered")
	return s.ahead.len()
}

// SetLineLimit bounds ReadLine, ReadUntil and Peek from the next call on; zero
// is DefaultLineLimit.
func (s *Stream) SetLineLimit(n int) {
	s.held("Stream.SetLineLimit")
	if n <= 0 {
		n = DefaultLineLimit
	}
	s.limit = n
}

// SetReadTimeout bounds how long one call that reads may wait, from the next
// call on: a ReadLine is one call, however many packets bring its line. The
// error is os.ErrDeadlineExceeded, in a [*net.OpError]; the stream stays usable.
// Zero is no timeout.
func (s *Stream) SetReadTimeout(d time.Duration) {
	s.held("Stream.SetReadTimeout")
	s.in.timeout = max(d, 0)
	s.in.updateLimits()
}

// SetWriteTimeout bounds how long one call that writes may wait, like
// SetReadTimeout.
func (s *Stream) SetWriteTimeout(d time.Duration) {
	s.held("Stream.SetWriteTimeout")
	s.out.timeout = max(d, 0)
	s.out.updateLimits()
}

// SetIdleTimeout bounds how long calls may wait while no call moves a byte, in
// whatever direction: a reader does not time out while a writer gets on, nor does a
// long Write while its peer reads, at least 16 KiB in that time. Time in which no call
// waits does not count. Calls that wait already are bounded too, a Write then as a
// whole. Zero is no timeout.
func (s *Stream) SetIdleTimeout(d time.Duration) {
	s.held("Stream.SetIdleTimeout")
	if s.idle == 0 && d > 0 {
		s.active = s.loop.Time() // nobody has kept it
	}
	s.idle = max(d, 0)
	s.in.updateLimits()
	s.out.updateLimits()
}

// SetNoDelay switches Nagle's algorithm off, which is the default, or on.
func (s *Stream) SetNoDelay(on bool) error {
	s.held("Stream.SetNoDelay")
	return s.wrapError("set", s.handle.SetNoDelay(on))
}

// CloseWrite ends the writing direction: the peer reads to the end of what was
// written, and then io.EOF. This end can go on reading. During a Write it is a
// [*BusyError], for it would cut that off; a Write after it fails with EPIPE. If the
// direction has ended before, by a CloseWrite or since the peer has gone, CloseWrite
// does nothing and returns nil.
func (s *Stream) CloseWrite() error {
	s.held("Stream.CloseWrite")
	if s.out.user != nil && !s.closed {
		return s.out.busy("a CloseWrite")
	}
	if s.tls != nil {
		return s.tls.closeWrite()
	}
	err := s.handle.CloseWrite()
	if errors.Is(err, syscall.ENOTCONN) { // which only some pollers and networks return
		return nil
	}
	return s.wrapError("close", err)
}

// Close closes the stream. What was written is still sent, by the kernel: Close
// does not wait for that. Every call that waits ends with net.ErrClosed, as do
// later ones, a second Close included.
//
// Over TCP the peer may lose what was written last if this end has not read
// everything that had come: the kernel tells it by a reset (RFC 9293, section
// 3.6.1). A protocol whose peer may still be sending needs CloseWrite, and then
// reading up to io.EOF, before Close.
func (s *Stream) Close() error {
	if s.tls != nil {
		return s.end("Stream.Close", s.tls.close)
	}
	return s.end("Stream.Close", poll.Handle.Close)
}

// Abort closes the stream and drops what is not sent yet; over TCP, the peer gets a
// reset.
func (s *Stream) Abort() error { return s.end("Stream.Abort", poll.Handle.Abort) }

// end is Close, and Abort, by what is done to the handle. The calls that wait are
// woken by their operations, which the poller reports as closed; the stream is done
// with at once.
func (s *Stream) end(call string, how func(poll.Handle) error) error {
	s.held(call)
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	s.closed = true
	// Other reasons to fail would go before net.ErrClosed.
	s.in.failed, s.out.failed = nil, nil
	s.in.deadline, s.out.deadline = time.Time{}, time.Time{}
	// Not recycled: somebody may be writing out of it at this moment.
	s.ahead.forget()
	return s.wrapError("close", how(s.handle))
}

// held panics unless the caller may use the stream.
func (s *Stream) held(call string) { mustHold(s.loop, call, s) }

// dress is opError for what a handle has returned: nothing, or an error that the
// poller may have dressed, in its own addresses.
func (s *Stream) wrapError(op string, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *net.OpError:
		return s.opError(e.Op, e.Err)
	}
	return s.opError(op, err)
}

// owns reports whether e is an error of this stream: one of opError, or of somebody who
// has made it of the stream's addresses, which no other stream has.
func (s *Stream) owns(e *net.OpError) bool {
	return e.Addr == s.remote && (e.Source == s.local || s.isPipe())
}

// opError dresses an error of the world with what was done to whom, in the words
// that package net uses. Safe from every goroutine.
func (s *Stream) opError(op string, err error) error {
	e := &net.OpError{Op: op, Net: s.local.Network(), Source: s.local, Addr: s.remote, Err: err}
	if s.isPipe() {
		e.Source = nil
	}
	return e
}

// begin makes r, which is running, the user of a half for one call, until release.
// A second user is an error and not a wait: two readers that took turns would tear
// apart what belongs together, and nobody would notice.
func (s *Stream) begin(d *direction, r *task.Ref) error {
	if d.user != nil {
		if s.closed { // and the first user does not know it yet
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
