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

// A race is one Dial: attempts at several addresses, of which the first connection wins
// (RFC 8305, section 5). The dialing task parks once; completions and the timer start the
// next attempts. A race ends when no attempt is in flight, so nothing outlives a Dial.
//
// One part of the RFC is left out: section 3 starts to connect while the name server has
// answered for one family only. Here a resolver answers for both families at once.
type race struct {
	loop   *loop.Loop
	hook   *controlHook
	dialer Dialer // for LocalAddr, FallbackDelay and errors
	target target // for errors and reports

	task     *task.Ref // the dialing task, while attempts are in flight
	attempts []attempt
	next     int  // the next attempt to start
	pending  int  // attempts in flight
	over     bool // start no more attempts: there is a winner, or a cancel
	timer    loop.Timer
	winner   poll.Handle
}

// An attempt is a connect to one address. Its result is in op until finish.
type attempt struct {
	race *race
	op   poll.Op
	err  error // why it has failed, or nil
}

// newRace returns a race to addrs, which is not empty, in this order. A race is run once.
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

// run returns the first connection, which the caller must close. It may switch. Without a
// connection it returns nil and the errors of the addresses. If ctx is cancelled, there may
// be no error.
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

// launch starts the next attempt, and further ones as long as an attempt fails at once. It
// is called at the beginning, by the timer and after every failure: RFC 8305 allows the
// next attempt when one has failed, also while others are in flight. The timer counts from
// the last start. launch does not switch.
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

// fits reports whether the attempt's address is of LocalAddr's family. If not, the attempt
// fails without the kernel, whose error would be unclear. If LocalAddr is nil, every
// address fits. An address without an IP fits every TCP address.
func (r *race) fits(a *attempt) bool {
	from, local := r.dialer.LocalAddr.(*net.TCPAddr)
	_, path := r.dialer.LocalAddr.(*net.UnixAddr)
	to, remote := a.op.Addr.(*net.TCPAddr)
	if r.dialer.LocalAddr != nil && (local != remote || path == remote) ||
		local && remote && len(from.IP) > 0 && len(to.IP) > 0 && isIPv4(from) != isIPv4(to) {
		a.err = &net.AddrError{Err: "local address is of another family", Addr: r.dialer.LocalAddr.String()}
		return false
	}
	return true
}

// isIPv4 reports whether addr is an IPv4 address, mapped or not.
func isIPv4(addr *net.TCPAddr) bool { return addr.IP.To4() != nil }

// Wake starts the next attempt. The timer calls it after FallbackDelay.
func (r *race) Wake() { r.launch() }

// Complete takes the result of an attempt that was in flight. Only the loop calls it. The
// last attempt wakes the dialing task.
func (a *attempt) Complete(*poll.Op) {
	r := a.race
	r.pending--
	a.finish()
	r.launch()
	if r.pending == 0 {
		r.task.Wake()
	}
}

// finish takes the result of an attempt. It closes every connection after the first.
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

// stop ends the race: it cancels the operations in flight. Each of them still calls
// Complete. A second stop does nothing.
func (r *race) stop() {
	r.over = true
	r.loop.Driver().StopTimer(&r.timer)
	for i := range r.attempts[:r.next] {
		r.loop.Poller().Cancel(&r.attempts[i].op)
	}
}

// verdict returns the errors of the addresses, joined. If all of them failed for the same
// reason, such as a refused connection, it returns only the first error. Attempts that stop
// cancelled do not count.
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

// Cancel ends the race; the completions wake the task. It makes a race a task.Waiter. A
// connection that completes nevertheless wins.
func (r *race) Cancel(*task.Ref) bool {
	r.stop()
	return false
}

// Reason and Owners describe the wait. No task of this loop ends it.
func (r *race) Reason() string      { return fmt.Sprintf("a connection to %s", r.target.text) }
func (r *race) Owners() []*task.Ref { return nil }

// interleave alternates the families, beginning with the family of the first address (RFC
// 8305, section 4, with a First Address Family Count of 1). It keeps the order within each
// family. So a family that does not work costs one delay, even if many of its addresses
// come first. All UNIX addresses are of one family.
func interleave(addrs []net.Addr) []net.Addr {
	var first, second []net.Addr
	for _, addr := range addrs {
		a, tcp := addr.(*net.TCPAddr)
		if !tcp || isIPv4(a) == isIPv4(addrs[0].(*net.TCPAddr)) {
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
