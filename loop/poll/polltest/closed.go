// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"
	"sync"
	"time"

	"baton/loop/poll"
)

// closedCases are about closed pollers.
var closedCases = []testCase{
	{
		name:        "closed/in flight",
		explanation: "Close of a poller drops the operations in flight, ends all goroutines and may be called again. A Wake may come at any time, also after Close.",
		run:         closeInFlight,
	},
	{
		name:        "closed/calls afterwards",
		explanation: "Calls on a closed poller return net.ErrClosed or do nothing. Tasks that end after their loop still close handles and cancel operations.",
		run:         callsAfterClose,
	},
	{
		name:        "closed/buffer",
		explanation: "A buffer that the poller provided stays valid after Close, and may be recycled even then.",
		needs:       poll.Provided,
		run: func(r *rig) {
			o := r.aside()
			client, server := o.pair()
			o.say(client, "kept")
			held := o.must(&poll.Op{Kind: poll.Read, Handle: server})
			r.ok("Close", o.poller.Close())
			if got := string(held.Buf[:held.N]); got != "kept" {
				r.t.Errorf("after Close the buffer contains %q, want kept", got)
			}
			o.poller.Recycle(held.Buf)
		},
	},
	// Old links in Op.Private could add the operations of the old poller to the list of the new
	// one.
	{
		name:        "closed/use again elsewhere",
		explanation: "Another poller accepts an Op that a closed poller has dropped, and ignores its old state.",
		run: func(r *rig) {
			p := r.second()
			l, err := p.Listen(loopback(), poll.ListenOptions{})
			r.ok("Listen", err)
			other, err := p.Listen(loopback(), poll.ListenOptions{})
			r.ok("Listen", err)
			first, second := accept(l), accept(other)
			p.Submit(first)
			p.Submit(second)
			p.Cancel(first)
			p.Cancel(second)
			r.ok("Close", p.Close())

			first.Handle = r.listen()
			r.submit(first)
			r.poller.Cancel(first)
			r.finish(first)
			r.want(first, poll.ErrCanceled)
		},
	},
}

// submitAll submits an operation of each kind. Each one remains in flight, except that a Connect
// or a Lookup may complete early.
func (r *rig) submitAll() (handles []poll.Handle, ops []*poll.Op) {
	r.t.Helper()
	client, server := r.pair()
	other, another := r.pair()
	l := r.listen()
	ops = []*poll.Op{
		read(client, 8),
		read(server, 8),
		{Kind: poll.Write, Handle: client, Buf: pattern(32 << 20)},
		accept(l),
		connect(l.LocalAddr()),
	}
	if r.poller.Caps().Has(poll.Readiness) {
		ops = append(ops, readable(other))
	}
	if r.poller.Caps().Has(poll.Provided) {
		ops = append(ops, &poll.Op{Kind: poll.Read, Handle: another})
	}
	if r.poller.Caps().Has(poll.SendFiles) {
		const size = 32 << 20
		ops = append(ops, sendFile(server, blankFile(r, size), 0, size))
	}
	if r.poller.Caps().Has(poll.Lookups) {
		ops = append(ops, lookup("ip", "unknown.invalid"))
	}
	for _, op := range ops {
		r.submit(op)
	}
	return []poll.Handle{client, server, other, another, l}, ops
}

// closeInFlight closes a poller while other goroutines call Wake. Then it writes to the
// operations, so that the race detector finds later accesses by the poller.
func closeInFlight(r *rig) {
	o := r.aside()
	_, ops := o.submitAll()
	var wakes sync.WaitGroup
	for range 4 {
		wakes.Go(func() {
			for range 1000 {
				o.poller.Wake()
			}
		})
	}
	o.poller.Cancel(ops[0]) // cancelled and not reported
	r.ok("Close", o.poller.Close())
	for _, op := range ops {
		op.N, op.Err, op.Accepted, op.Addrs = -1, nil, nil, nil
		clear(op.Buf)
	}
	r.ok("the second Close", o.poller.Close())
	wakes.Wait()
	o.poller.Wake()
	for _, d := range []time.Duration{0, time.Millisecond, -1} {
		if done := o.poller.Wait(nil, d); len(done) != 0 {
			r.t.Errorf("Wait of a closed poller reported %d operations, want 0", len(done))
		}
	}
	for _, op := range ops {
		if op.N != -1 || op.Err != nil || op.Accepted != nil || op.Addrs != nil {
			r.t.Errorf("the poller changed a dropped %v: n %d, error %v", op.Kind, op.N, op.Err)
		}
	}
}

// callsAfterClose makes every call. If several errors would be correct (closed, foreign,
// unsupported), the poller may choose. So the case uses only operations that would succeed on
// an open poller.
func callsAfterClose(r *rig) {
	o := r.aside()
	p, caps := o.poller, o.poller.Caps()
	handles, ops := o.submitAll()
	var before []string
	for _, h := range handles {
		before = append(before, addresses(h))
	}
	r.ok("Close", p.Close())

	for _, op := range ops {
		p.Cancel(op)
		if !p.Submit(op) {
			r.t.Fatalf("a %v is in flight on a closed poller", op.Kind)
		}
		r.want(op, net.ErrClosed)
	}
	_, err := p.Listen(loopback(), poll.ListenOptions{})
	if operation, ok := errors.AsType[*net.OpError](err); !ok || operation.Op != "listen" || !errors.Is(err, net.ErrClosed) {
		r.t.Errorf("Listen: %v, want net.ErrClosed in a *net.OpError of listen", err)
	}
	if caps.Has(poll.Adopts) {
		in, _ := pipe(r)
		if _, err := p.Adopt(descriptor(r, in)); !errors.Is(err, net.ErrClosed) {
			r.t.Errorf("Adopt: %v, want net.ErrClosed", err)
		}
	}
	for i, h := range handles {
		for name, call := range map[string]func() error{
			"Close": h.Close, "Abort": h.Abort, "CloseWrite": h.CloseWrite,
			"SetNoDelay": func() error { return h.SetNoDelay(true) },
		} {
			if err := call(); !errors.Is(err, net.ErrClosed) {
				r.t.Errorf("%s of a handle: %v, want net.ErrClosed", name, err)
			}
		}
		if after := addresses(h); after != before[i] {
			r.t.Errorf("the addresses of a handle were %s and are %s", before[i], after)
		}
	}
	// A Wait does not block, with or without a Wake. It would hang, or advance a virtual clock.
	p.Wait(nil, -1)
	p.Wake()
	p.Wait(nil, time.Hour)
	p.Wait(nil, time.Hour)
	if p.Caps() != caps {
		r.t.Errorf("Caps were %v and are %v", caps, p.Caps())
	}
	if now := p.Now(); now.IsZero() {
		r.t.Error("Now of a closed poller is the zero time")
	}
}

// addresses returns the addresses of h as text.
func addresses(h poll.Handle) string {
	text := ""
	for _, addr := range []net.Addr{h.LocalAddr(), h.RemoteAddr()} {
		if addr != nil {
			text += addr.String()
		}
		text += ";"
	}
	return text
}
