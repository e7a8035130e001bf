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

// ErrDetached is the error of ConnectionLost when the connection was taken out of its
// transport.
var ErrDetached = errors.New("protocol: the connection was detached")

// Drain waits while writing is paused: until no more bytes than the low limit wait to be
// sent. It does not wait otherwise. After the end of the connection the error is
// net.ErrClosed in a [*net.OpError], or what has ended it.
func (t *Transport) Drain(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	for !t.closing && (t.crowded || t.unbalanced()) {
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return t.alive("write")
}

// alive returns what has ended the transport.
func (t *Transport) alive(op string) error {
	switch {
	case !t.closing:
		return nil
	case t.err != nil:
		return t.err
	}
	return t.opError(op, net.ErrClosed)
}

// Detach waits until everything that was written is sent, and takes the connection out of
// the transport. No byte that was read is lost. Then the transport has ended, and calls
// ConnectionLost with [ErrDetached]. Until Detach returns the protocol gets no bytes and
// no ResumeWriting, and writing is misuse and panics. After an error the transport is as
// it was, or has ended.
func (t *Transport) Detach(ctx context.Context) (*netio.Detached, error) {
	d, err := t.suspend(ctx, "detach")
	if err != nil {
		return nil, err
	}
	t.suspended = false
	t.err, t.closing, t.closed = ErrDetached, true, true
	t.queue()
	t.news.tell() // Drain
	return d, nil
}

// StartTLS begins TLS as the client, like [netio.Stream.StartTLS]. Until it returns the
// protocol gets no bytes and no ResumeWriting, and writing is misuse and panics. Bytes
// that the protocol was given are no part of the handshake. After an error the transport
// has ended. StartTLS switches, so a callback cannot call it; a [Receiver] or another task
// can.
func (t *Transport) StartTLS(ctx context.Context, config *tls.Config) error {
	return t.startTLS(ctx, config, (*netio.Stream).StartTLS)
}

// AcceptTLS is StartTLS as the server.
func (t *Transport) AcceptTLS(ctx context.Context, config *tls.Config) error {
	return t.startTLS(ctx, config, (*netio.Stream).AcceptTLS)
}

func (t *Transport) startTLS(ctx context.Context, config *tls.Config, shake func(*netio.Stream, context.Context, *tls.Config) error) error {
	d, err := t.suspend(ctx, "handshake")
	if err != nil {
		return err
	}
	s, shaken := d.Stream(netio.StreamConfig{TLS: t.choices.tls}), false
	defer func() { // also if a callback of config panics
		if !shaken {
			_ = s.Close() // unless it has closed itself; what it still sends goes out
			if err == nil {
				err = t.opError("handshake", net.ErrClosed)
			}
			if t.err == nil && !t.closing {
				t.err = err
			}
			t.closing, t.closed = true, true
			t.stopWork()
			t.news.tell()
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
	return t.alive("handshake")
}

// suspend stops reading, and takes the connection when everything is sent and no
// operation is in flight. The transport remains suspended if it succeeds.
func (t *Transport) suspend(ctx context.Context, op string) (*netio.Detached, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	t.held(op)
	if t.suspended {
		misuse("two tasks detach %v, or start its TLS", t)
	}
	t.suspended = true
	err := t.settle(ctx)
	if err == nil {
		err = t.alive(op)
	}
	if err == nil && t.rest != nil && t.rest != io.EOF {
		err = t.opError(op, t.rest) // which the kernel does not tell again
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
	t.rest, t.data, t.tls = nil, nil, nil
	t.drop()
	return d, nil
}

// settle waits until nothing is in flight, and no Receive is about to begin.
func (t *Transport) settle(ctx context.Context) error {
	for !t.closing && (t.flying || t.out != nil || t.work != nil && !t.begun) {
		if t.flying && t.out == nil {
			t.loop.Poller().Cancel(&t.op)
		}
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
