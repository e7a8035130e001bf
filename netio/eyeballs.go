// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A race is one Dial: attempts at several addresses, of which the first that
// connects wins (RFC 8305, section 5). The dialing task parks once; completions
// and the timer start the attempts that come next. It ends when no attempt is in
// flight any more, so nothing outlives a Dial.
//
// One thing of the RFC is left out: its section 3 begins to connect while the name
// server has answered for one family only. Here a resolver answers once, for both.
type race struct {
	loop   *loop.Loop
	dialer Dialer        // for LocalAddr, and for errors
	target target        // for errors and reports
	delay  time.Duration // of the next attempt after the last one; negative: until that has failed

	task     *task.Ref // of the Dial, while attempts are in flight
	attempts []attempt
	next     int  // to be started
	pending  int  // in flight
	over     bool // no more attempts
	canceled bool // by a cancel of the task; a winner counts all the same
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
	r := &race{loop: l, dialer: d, target: t, attempts: make([]attempt, len(addrs))}
	r.timer.Target = r
	for i, addr := range addrs {
		a := &r.attempts[i]
		a.race = r
		a.op = poll.Op{Kind: poll.Connect, Addr: addr, Local: d.LocalAddr, Owner: a}
	}
	return r
}

// run returns the first connection, which is the caller's to close. It may switch.
// The error is the verdict about all addresses or, if nobody has won by then, the
// cancel of ctx; in either case nothing is open.
func (r *race) run(ctx context.Context, delay time.Duration) (poll.Handle, error) {
	r.delay = delay
	r.launch()
	if r.pending > 0 {
		r.task = task.Self(ctx)
		park(ctx, r)
	}
	r.loop.Driver().StopTimer(&r.timer)
	switch {
	case r.winner != nil:
		return r.winner, nil
	case r.canceled:
		return nil, canceled(ctx)
	}
	return nil, r.verdict()
}

// launch starts the next attempt, and the one after it if that has failed at
// once. It is called when the race begins, by the timer, and after every failure:
// RFC 8305 lets the next attempt begin when the last one has failed, whoever else
// is still on the way. The timer counts from the last start; with the last address
// there is nothing left to start. It does not switch.
func (r *race) launch() {
	for !r.over && r.next < len(r.attempts) {
		a := &r.attempts[r.next]
		r.next++
		if !r.fits(a) {
			continue
		}
		if !r.loop.Driver().Submit(&a.op) {
			r.pending++
			if r.delay >= 0 && r.next < len(r.attempts) {
				r.loop.Driver().StartTimer(&r.timer, saturate.Add(r.loop.Time(), r.delay))
			}
			return
		}
		a.finish()
	}
}

// fits reports whether the attempt's address can be reached from LocalAddr: from
// another family it cannot, and the kernel's error would say little. An address
// without an IP fits, on either side, and so does every one if LocalAddr is nil: the
// kernel then chooses. If it does not fit the attempt has failed.
func (r *race) fits(a *attempt) bool {
	from, local := r.dialer.LocalAddr.(*net.TCPAddr)
	to, remote := a.op.Addr.(*net.TCPAddr)
	if local != remote && r.dialer.LocalAddr != nil ||
		local && remote && len(from.IP) > 0 && len(to.IP) > 0 && v4(from) != v4(to) {
		a.err = &net.AddrError{Err: "local address is of another family", Addr: r.dialer.LocalAddr.String()}
		return false
	}
	return true
}

// v4 reports whether addr is of IPv4, mapped or not.
func v4(addr *net.TCPAddr) bool { return addr.IP.To4() != nil }

// Wake is the timer's: the last attempt has had its time for itself.
func (r *race) Wake() { r.launch() }

// Complete is told that the attempt is decided. It is the loop's to call, while the
// dialing task is parked; that is woken once, by the last one. An attempt that
// launch decides at once does not come here.
func (a *attempt) Complete(*poll.Op) {
	r := a.race
	r.pending--
	a.finish()
	r.launch()
	if r.pending == 0 {
		r.task.Wake()
	}
}

// finish takes the result of an attempt. A connection that comes second is
// closed here, whatever became of the race.
func (a *attempt) finish() {
	r := a.race
	switch {
	case a.op.Err != nil:
		a.err = a.op.Err
	case r.winner == nil:
		r.winner = a.op.Handle
		r.stop()
	default:
		_ = a.op.Handle.Close() // nobody has seen it
	}
	a.op.Handle = nil
}

// stop ends the race: what is in flight is taken back, and is still reported, each
// of it once. A connection that was made just before is closed then, or wins if
// there is none. A second stop does nothing.
func (r *race) stop() {
	r.over = true
	r.loop.Driver().StopTimer(&r.timer)
	for i := range r.attempts[:r.next] {
		r.loop.Poller().Cancel(&r.attempts[i].op)
	}
}

// verdict is the error of a race that nobody has won. What one host refuses on
// all its addresses is one refusal, and is told once; what went wrong in different
// ways is all told, since any of it may be the reason.
func (r *race) verdict() error {
	var errs []error
	same := true
	for i := range r.attempts {
		a := &r.attempts[i]
		if a.err.Error() != r.attempts[0].err.Error() {
			same = false
		}
		errs = append(errs, r.dialer.opError(r.target, a.op.Addr, a.err))
	}
	if same {
		return errs[0]
	}
	return errors.Join(errs...)
}

// Cancel makes a race a task.Waiter: the operations come back first. A
// connection that was made in spite of it wins.
func (r *race) Cancel(*task.Ref) bool {
	r.canceled = true
	r.stop()
	return false
}

// Reason and Owners tell reports what a Dial waits for: nobody on this loop.
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
