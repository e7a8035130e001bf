// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"os"
	"time"

	"baton/await"
	"baton/loop"
	"baton/task"
)

const (
	defaultFallbackDelay  = 250 * time.Millisecond // RFC 8305, section 5
	defaultResolveTimeout = 30 * time.Second
)

// A Dialer holds the choices of a Dial. The zero value is the default.
type Dialer struct {
	// LocalAddr is where connections come from: a *net.TCPAddr (a port of 0
	// chooses one) or *net.UnixAddr. Nil lets the kernel choose. Addresses of
	// another family than that of LocalAddr are not tried.
	LocalAddr net.Addr

	// Timeout bounds a Dial as a whole. Zero or negative is no bound but that of
	// the kernel, which gives an address up after some minutes; the look-up has one
	// of its own.
	Timeout time.Duration

	// ResolveTimeout bounds the look-up of a name. Default 30 s; negative is none.
	ResolveTimeout time.Duration

	// FallbackDelay is how long an attempt has for itself before the next
	// address is tried beside it. Default 250 ms; negative means that an address
	// is tried only when the one before it has failed.
	FallbackDelay time.Duration

	// Stream is for the stream.
	Stream StreamConfig
}

// Dial connects to an address of the networks "tcp", "tcp4", "tcp6" ("host:port")
// or "unix" (a path, or a name that begins with @). It is Dialer{}.Dial.
func Dial(ctx context.Context, network, address string) (*Stream, error) {
	return Dialer{}.Dial(ctx, network, address)
}

// Dial connects to address. If its host is a name with several addresses, all of
// them are tried, IPv6 and IPv4 in turn, as in RFC 8305 (happy eyeballs): the
// next attempt begins when one has failed, or FallbackDelay after the last one
// began; the first connection wins, and the others are closed.
//
// Errors are [*net.OpError] of the operation "dial", one for each address,
// joined, or the first alone if all have the same cause. Timeout ends the attempts
// with os.ErrDeadlineExceeded in a [*net.OpError]; a cancel of ctx, by a deadline of
// the caller's too, with the [*task.Canceled], bare, unless there is a connection by
// then.
func (d Dialer) Dial(ctx context.Context, network, address string) (*Stream, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	t, err := parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Err: err}
	}
	bounded, own, release := limited(ctx, d.Timeout)
	defer release()
	s, err := d.dial(bounded, r.Loop(), t)
	if own && timedOut(ctx, err) {
		return nil, d.opError(t, nil, os.ErrDeadlineExceeded)
	}
	return s, err
}

func (d Dialer) dial(ctx context.Context, l *loop.Loop, t target) (*Stream, error) {
	addrs, err := t.resolve(ctx, l, d.ResolveTimeout)
	if _, canceled := err.(*task.Canceled); canceled {
		return nil, err
	}
	if err != nil {
		return nil, d.opError(t, nil, err)
	}
	delay := d.FallbackDelay
	if delay == 0 {
		delay = defaultFallbackDelay
	}
	race := newRace(l, d, t, interleave(addrs))
	h, err := race.run(ctx, delay)
	if err != nil {
		return nil, err
	}
	return newStream(l, h, d.Stream), nil
}

// opError dresses an error of an attempt at addr, or of the whole if that is nil.
func (d Dialer) opError(t target, addr net.Addr, err error) error {
	if addr == nil {
		addr = t.addr()
	}
	return &net.OpError{Op: "dial", Net: t.network, Source: d.LocalAddr, Addr: addr, Err: err}
}

// limited is ctx with a timeout on the loop's clock, if d is positive; own is false if
// there is none.
func limited(ctx context.Context, d time.Duration) (bounded context.Context, own bool, release context.CancelFunc) {
	if d <= 0 {
		return ctx, false, func() {}
	}
	bounded, release = await.WithTimeout(ctx, d)
	return bounded, true, release
}

// timedOut reports whether err is a cancel by a timeout inside ctx: ctx itself is not
// cancelled.
func timedOut(ctx context.Context, err error) bool {
	_, canceled := err.(*task.Canceled)
	return canceled && task.Check(ctx) == nil
}
