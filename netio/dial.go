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

// A Dialer configures Dial. The zero value is the default.
type Dialer struct {
	// LocalAddr is the local address of connections: a *net.TCPAddr (port 0 means a free
	// port) or a *net.UnixAddr. Dial skips addresses of other families. Nil, or a nil
	// pointer of these types, lets the kernel choose.
	LocalAddr net.Addr

	// Control, if not nil, is called with each socket before it is bound or connected, like
	// the Control of net.Dialer. The network is "tcp4", "tcp6" or "unix", and address is
	// the address of the attempt. If Control returns an error, the attempt fails with it.
	//
	// Use only the Control method of c, and only during the call. Control may be called on
	// any goroutine, and for several attempts at once. It must not use what belongs to the
	// loop. In a simulated world Dial fails with errors.ErrUnsupported.
	Control func(network, address string, c syscall.RawConn) error

	// Timeout limits a Dial as a whole, including the look-up. Zero or negative means no
	// limit except that of the look-up: the kernel gives up a TCP address after some
	// minutes, and Dial waits forever for a UNIX socket whose queue is full.
	Timeout time.Duration

	// Resolver looks up names. Nil means the resolver of the system, or of the simulated
	// world.
	Resolver HostResolver

	// ResolveTimeout limits the look-up of a name alone. The default is 30 s; negative
	// means no limit.
	ResolveTimeout time.Duration

	// FallbackDelay is how long Dial waits for an attempt before it also tries the next
	// address. The default is 250 ms. Negative means that Dial tries an address only when
	// the previous one has failed.
	FallbackDelay time.Duration

	// Stream configures the stream.
	Stream StreamConfig
}

// Dial connects to an address of the network "tcp", "tcp4" or "tcp6" ("host:port"), or
// "unix" (a path, or a name that begins with @). It is Dialer{}.Dial.
func Dial(ctx context.Context, network, address string) (*Stream, error) {
	return Dialer{}.Dial(ctx, network, address)
}

// Dial connects to address. If the host has several addresses, Dial tries all of them,
// alternating IPv6 and IPv4 as in RFC 8305 (happy eyeballs). The next attempt begins when
// one has failed, or FallbackDelay after the previous one began. Dial returns the first
// connection and closes the others. If the queue of a UNIX socket is full, Dial tries again
// until there is space; with a LocalAddr it fails with EAGAIN.
//
// Errors are [*net.OpError] with Op "dial": one for each address that has failed, joined,
// or only the first if all of them failed for the same reason. If Timeout ends the
// attempts, an os.ErrDeadlineExceeded in a [*net.OpError] comes first. If ctx is cancelled,
// for example by the caller's deadline, and there is no connection by then, Dial returns
// the [*task.Canceled].
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
	timed, release := withTimeout(ctx, d.Timeout)
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

// connect returns the first connection, or nil and the errors of the attempts. If ctx is
// cancelled, there may be no error. No event reports that the queue of a UNIX socket has
// space again, so connect tries again repeatedly (EAGAIN, connect(2)). With a LocalAddr it
// tries once, because a second bind would fail on the file of the first one.
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

// opError wraps an error of an attempt at addr, or of the whole Dial if addr is nil.
func (d Dialer) opError(t target, addr net.Addr, err error) error {
	if addr == nil {
		addr = t.addr()
	}
	return &net.OpError{Op: "dial", Net: t.network, Source: d.LocalAddr, Addr: addr, Err: err}
}

// withTimeout returns ctx with a timeout of d on the loop's clock, or ctx itself if d is
// not positive. If a call under timed is cancelled and ctx is not, the timeout has passed.
func withTimeout(ctx context.Context, d time.Duration) (timed context.Context, release context.CancelFunc) {
	if d <= 0 {
		return ctx, func() {}
	}
	return await.WithTimeout(ctx, d)
}
