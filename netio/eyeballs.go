// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"net"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A race is one Dial: attempts at several addresses, of which the first that
// connects wins (RFC 8305, section 5). The dialing task parks once; completions
// and the timer start the attempts that come next. A race ends when no attempt is
// in flight any more, so nothing outlives a Dial.
//
// One thing of the RFC is left out: its section 3 begins to connect while the name
// server has answered for one family only. Here a resolver answers once, for both.
type race struct {
	loop   *loop.Loop
	hook   *hook
	dialer Dialer // for LocalAddr, FallbackDelay and errors
	target target // for errors and reports

	task     *task.Ref // of the Dial, while attempts are in flight
	attempts []attempt
	next     int  // to be started
	pending  int  // in flight
	over     bool // no more attempts: there is a winner, or a cancel
	timer    loop.Timer
	winner   poll.Handle
}

// An attempt is a connect to one address. What it brings is in op until finish.
type attempt struct {
	race *race
	op   poll.Op
	err  error // why it has failed; nil before that
}

// newRace makes a race to the addresses, of which there is at least one, in the
// order in which they are tried. It is run once.
func newRace(l *loop.Loop, d Dialer, t target, addrs []net.Addr) *race {
	if d.FallbackDelay == 0 {
		d.FallbackDelay = defaultFallbackDelay
	}
	r := &race{loop: l, dialer: d, target: t, attempts: make([]attempt, len(addrs))}
	r.timer.Target = r
	options := poll.ConnectOptions{Local: d.LocalAddr, SocketOptions: d.Stream.socketOptions()}
	r.hook = control(&options.SocketOptions, d.Control)
	for i, addr := range addrs {
		a := &r.attempts[i]
		a.race = r
		a.op = poll.Op{Kind: poll.Connect, Addr: addr, Options: &options, Owner: a}
	}
	return r
}

// run returns the first connection, which the caller must close. It may switch.
// Without a connection it returns nil and the errors of the addresses that have
// failed. There may be none if ctx is cancelled.
func (r *race) run(ctx context.Context) (poll.Handle, error) {
	r.launch()
	if r.pending > 0 {
		r.task = task.Self(ctx)
		park(ctx, r)
	}
	r.loop.Driver().StopTimer(&r.timer)
	r.hook.rethrow(func() {
		if r.winner != nil {
			_ = r.winner.Close()
		}
	})
	if r.winner != nil {
		return r.winner, nil
	}
	return nil, r.verdict()
}

// launch starts the next attempt, and the one after it if that has failed at
// once. It is called when the race begins, by the timer, and after every failure:
// RFC 8305 lets the next attempt begin when one has failed, also while others are
// in flight. The timer counts from the last start. launch does not switch.
func (r *race) launch() {
	for !r.over && r.next < len(r.attempts) {
		a := &r.attempts[r.next]
		r.next++
		if !r.fits(a) {
			continue
		}
		if !r.loop.Driver().Submit(&a.op) {
			r.pending++
			if r.dialer.FallbackDelay >= 0 && r.next < len(r.attempts) {
				r.loop.Driver().StartTimer(&r.timer, saturate.Add(r.loop.Time(), r.dialer.FallbackDelay))
			}
			return
		}
		a.finish()
	}
}

// fits reports whether the attempt's address is of the family of LocalAddr. If it
// is not, the attempt has failed: the kernel's error would say little. Every address
// fits if LocalAddr is nil, and an address without an IP fits every other of TCP.
func (r *race) fits(a *attempt) bool {
	from, local := r.dialer.LocalAddr.(*net.TCPAddr)
	_, path := r.dialer.LocalAddr.(*net.UnixAddr)
	to, remote := a.op.Addr.(*net.TCPAddr)
	if r.dialer.LocalAddr != nil && (local != remote || path == remote) ||
		local && remote && len(from.IP) > 0 && len(to.IP) > 0 && v4(from) != v4(to) {
		a.err = &net.AddrError{Err: "local address is of another family", Addr: r.dialer.LocalAddr.String()}
		return false
	}
	return true
}

// v4 reports whether addr is of IPv4, mapped or not.
func v4(addr *net.TCPAddr) bool { return addr.IP.To4() != nil }

// Wake is called by the timer: the last attempt has had its time for itself.
func (r *race) Wake() { r.launch() }

// Complete is called by the loop when an attempt that was in flight has ended. The
// dialing task is parked then, and is woken by the last one.
func (a *attempt) Complete(*poll.Op) {
	r := a.race
	r.pending--
	a.finish()
	r.launch()
	if r.pending == 0 {
		r.task.Wake()
	}
}

// finish takes the result of an attempt. It closes a connection that comes second.
func (a *attempt) finish() {
	r := a.race
	switch {
	case a.op.Err != nil:
		a.err = a.op.Err
	case r.winner == nil:
		r.winner = a.op.Handle
		r.stop()
	default:
		_ = a.op.Handle.Close()
	}
	a.op.Handle = nil
}

// stop ends the race: it cancels what is in flight. Complete is still called for
// each operation. A second stop does nothing.
func (r *race) stop() {
	r.over = true
	r.loop.Driver().StopTimer(&r.timer)
	for i := range r.attempts[:r.next] {
		r.loop.Poller().Cancel(&r.attempts[i].op)
	}
}

// verdict returns the errors of the addresses that have failed, joined. If all
// have failed for the same reason, as for a host that refuses on all its addresses,
// it returns the first one alone. What stop has cancelled has not failed.
func (r *race) verdict() error {
	var errs []error
	var first error
	same := true
	for i := range r.attempts[:r.next] {
		a := &r.attempts[i]
		if r.over && a.err == poll.ErrCanceled {
			continue
		}
		if first == nil {
			first = a.err
		}
		same = same && a.err.Error() == first.Error()
		errs = append(errs, r.dialer.opError(r.target, a.op.Addr, a.err))
	}
	if same && len(errs) > 0 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// Cancel makes a race a task.Waiter: the operations come back first. A
// connection that was made in spite of it wins.
func (r *race) Cancel(*task.Ref) bool {
	r.stop()
	return false
}

// Reason and Owners say in reports what a Dial waits for: no task of this loop.
func (r *race) Reason() string      { return fmt.Sprintf("a connection to %s", r.target.text) }
func (r *race) Owners() []*task.Ref { return nil }

// interleave lets the families alternate, beginning with that of the first
// address; within each the order stays (RFC 8305, section 4, with a First Address
// Family Count of 1). So one family that does not work costs one delay, however
// many of its addresses come first. UNIX addresses are all of one family.
func interleave(addrs []net.Addr) []net.Addr {
	var first, second []net.Addr
	for _, addr := range addrs {
		a, tcp := addr.(*net.TCPAddr)
		if !tcp || v4(a) == v4(addrs[0].(*net.TCPAddr)) {
			first = append(first, addr)
		} else {
			second = append(second, addr)
		}
	}
	mixed := make([]net.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed
}
