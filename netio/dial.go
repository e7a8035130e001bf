// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

const (
	defaultFallbackDelay  = 250 * time.Millisecond // RFC 8305, section 5
	defaultResolveTimeout = 30 * time.Second

	firstRetry   = time.Millisecond // of a UNIX socket whose queue is full
	longestRetry = 100 * time.Millisecond
)

// A Dialer holds the choices of a Dial. The zero value is the default.
type Dialer struct {
	// LocalAddr is where connections come from: a *net.TCPAddr (a port of 0
	// chooses one) or *net.UnixAddr. Nil, also a nil pointer of these types, lets
	// the kernel choose. Addresses of another family than that of LocalAddr are not
	// tried.
	LocalAddr net.Addr

	// Control, if it is not nil, is called with each socket before it is bound or
	// connected, as that of net.Dialer is: with the network "tcp4", "tcp6" or "unix" and
	// the address that is tried. If it returns an error, the attempt fails with it. Use
	// only the Control method of c, and only during the call. The function may be called
	// on any goroutine, and for several attempts at a time. It must return, and must
	// not use what belongs to the loop. In a virtual world Dial fails with
	// errors.ErrUnsupported.
	Control func(network, address string, c syscall.RawConn) error

	// Timeout bounds a Dial as a whole. Without one, if it is zero or negative, the
	// kernel gives a TCP address up after some minutes, and Dial waits without a
	// bound for a UNIX socket whose queue is full. The look-up has its own timeout.
	Timeout time.Duration

	// Resolver looks up names; nil is that of the system, or of the simulated world.
	Resolver HostResolver

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

// Dial connects to address. If its host is a name with several addresses, Dial
// tries all of them, IPv6 and IPv4 in turn, as in RFC 8305 (happy eyeballs): the
// next attempt begins when one has failed, or FallbackDelay after the last one
// began. The first connection wins, and the others are closed. If the queue of a
// UNIX socket is full, Dial tries it again until there is room; with a LocalAddr it
// fails with EAGAIN.
//
// Errors are [*net.OpError] of the operation "dial", one for each address that has
// failed, joined; if all have failed for the same reason, the first one alone. If
// Timeout ends the attempts, an os.ErrDeadlineExceeded in a [*net.OpError] comes
// before them. If ctx is cancelled, also by a deadline of the caller, and there is
// no connection by then, Dial returns the [*task.Canceled], bare.
func (d Dialer) Dial(ctx context.Context, network, address string) (*Stream, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if d.LocalAddr == net.Addr((*net.TCPAddr)(nil)) || d.LocalAddr == net.Addr((*net.UnixAddr)(nil)) {
		d.LocalAddr = nil
	}
	t, err := parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Err: err}
	}
	timed, release := limited(ctx, d.Timeout)
	defer release()
	h, err := d.connect(timed, r.Loop(), t)
	if h != nil {
		return newStream(r.Loop(), h, d.Stream), nil
	}
	if canceled := task.Check(ctx); canceled != nil {
		return nil, canceled
	}
	if task.Check(timed) != nil {
		return nil, join(d.opError(t, nil, os.ErrDeadlineExceeded), err)
	}
	return nil, err
}

// connect returns the first connection, or nil and the errors of what has failed.
// There may be none if ctx is cancelled. No event says that the queue of a UNIX
// socket has room again, so connect tries it again and again (EAGAIN, connect(2)). It
// tries once if there is a LocalAddr: a second bind would find the file of the first.
func (d Dialer) connect(ctx context.Context, l *loop.Loop, t target) (poll.Handle, error) {
	addrs, err := t.resolve(ctx, d.Resolver, d.ResolveTimeout)
	if _, canceled := err.(*task.Canceled); canceled {
		return nil, nil
	}
	if err != nil {
		return nil, d.opError(t, nil, err)
	}
	addrs = interleave(addrs)
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		h, err := newRace(l, d, t, addrs).run(ctx)
		full := t.network == "unix" && d.LocalAddr == nil && errors.Is(err, syscall.EAGAIN)
		if !full || await.Sleep(ctx, pause) != nil {
			return h, err
		}
	}
}

// opError dresses an error of an attempt at addr, or of the whole if addr is nil.
func (d Dialer) opError(t target, addr net.Addr, err error) error {
	if addr == nil {
		addr = t.addr()
	}
	return &net.OpError{Op: "dial", Net: t.network, Source: d.LocalAddr, Addr: addr, Err: err}
}

// limited returns ctx with a timeout of d on the loop's clock, or ctx itself if d is
// not positive. If a call under it is cancelled and ctx is not, its time has passed.
func limited(ctx context.Context, d time.Duration) (timed context.Context, release context.CancelFunc) {
	if d <= 0 {
		return ctx, func() {}
	}
	return await.WithTimeout(ctx, d)
}
