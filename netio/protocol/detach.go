// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"

	"baton/netio"
	"baton/task"
)

// ErrDetached is the error of ConnectionLost after Detach has taken the connection out of its
// transport.
var ErrDetached = errors.New("protocol: the connection was detached")

// Drain waits while writing is paused, until at most as many bytes as the low limit wait to be
// sent. Otherwise it returns at once. After the end of the connection, it returns the error that
// ended the connection, or net.ErrClosed in a [*net.OpError].
func (t *Transport) Drain(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	for !t.closing && (t.writePaused || t.flowControlDue()) {
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return t.endError("write")
}

// endError returns the error that has ended the transport, or nil if it has not ended.
func (t *Transport) endError(op string) error {
	switch {
	case !t.closing:
		return nil
	case t.err != nil:
		return t.err
	}
	return t.opError(op, net.ErrClosed)
}

// Detach waits until everything that was written is sent, and takes the connection out of the
// transport, with the bytes that were read ahead. The transport ends then, and calls ConnectionLost
// with [ErrDetached]. Until Detach returns, the protocol gets no bytes and no ResumeWriting, and
// Write, WriteBuffers and CloseWrite panic. After an error, the transport is unchanged or has
// ended.
func (t *Transport) Detach(ctx context.Context) (*netio.Detached, error) {
	d, err := t.suspend(ctx, "detach")
	if err != nil {
		return nil, err
	}
	t.suspended = false
	t.err, t.closing, t.closed = ErrDetached, true, true
	t.queue()
	t.waiters.wake() // Drain
	return d, nil
}

// StartTLS performs the TLS handshake as the client, like [netio.Stream.StartTLS]. Until StartTLS
// returns, the protocol gets no bytes and no ResumeWriting, and Write, WriteBuffers and CloseWrite
// panic. Bytes that the protocol has already received are not part of the handshake. After an
// error, the transport has ended. StartTLS switches, so a callback cannot call it; a [Receiver] or
// another task can.
func (t *Transport) StartTLS(ctx context.Context, config *tls.Config) error {
	return t.startTLS(ctx, config, (*netio.Stream).StartTLS)
}

// AcceptTLS is StartTLS for the server.
func (t *Transport) AcceptTLS(ctx context.Context, config *tls.Config) error {
	return t.startTLS(ctx, config, (*netio.Stream).AcceptTLS)
}

func (t *Transport) startTLS(ctx context.Context, config *tls.Config, shake func(*netio.Stream, context.Context, *tls.Config) error) error {
	d, err := t.suspend(ctx, "handshake")
	if err != nil {
		return err
	}
	s, shaken := d.Stream(netio.StreamConfig{TLS: t.settings.tls}), false
	defer func() { // runs also if a callback of config panics
		if !shaken {
			_ = s.Close() // what the stream has written is still sent
			if err == nil {
				err = t.opError("handshake", net.ErrClosed)
			}
			if t.err == nil && !t.closing {
				t.err = err
			}
			t.closing, t.closed = true, true
			t.stopReceive()
			t.waiters.wake()
		}
		t.suspended = false
		t.queue()
	}()
	if err = shake(s, ctx, config); err == nil {
		d, err = s.Detach(ctx)
	}
	if err != nil {
		return err
	}
	t.adopt(d)
	shaken = true
	return t.endError("handshake")
}

// suspend stops reading, waits until everything is sent and no operation is in flight, and takes
// the connection out of t. If it succeeds, the transport remains suspended.
func (t *Transport) suspend(ctx context.Context, op string) (*netio.Detached, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	t.checkHeld(op)
	if t.suspended {
		misuse("two tasks call Detach or StartTLS of %v at once; let one task do it", t)
	}
	t.suspended = true
	err := t.waitQuiet(ctx)
	if err == nil {
		err = t.endError(op)
	}
	if err == nil && t.readErr != nil && t.readErr != io.EOF {
		err = t.opError(op, t.readErr) // the kernel would not report it again
	}
	if err != nil {
		t.suspended = false
		t.queue()
		return nil, err
	}
	d := &netio.Detached{Loop: t.loop, Handle: t.handle, TLS: t.tls}
	if t.tls != nil {
		t.tls.Keep(bytes.Clone(t.data))
	} else {
		d.Ahead = bytes.Clone(t.data)
	}
	t.readErr, t.data, t.tls = nil, nil, nil
	t.drop()
	return d, nil
}

// waitQuiet waits until no operation is in flight and no task is about to call Receive.
func (t *Transport) waitQuiet(ctx context.Context) error {
	for !t.closing && (t.inFlight || t.out != nil || t.receiveTask != nil && !t.receiveBegun) {
		if t.inFlight && t.out == nil {
			t.loop.Poller().Cancel(&t.op)
		}
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
