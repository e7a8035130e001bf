// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"io"
	"runtime"
	"slices"
	"syscall"

	"baton/loop/poll"
)

// submitCases are about the life of an Op: what Submit makes of its fields, when
// it may be submitted again, and from where.
var submitCases = []testCase{
	{
		name:        "submit/results are fresh",
		explanation: "Submit clears what an earlier life of the Op has left in its results. Ops are reused for every read of a connection, and nobody clears them by hand.",
		run: func(r *rig) {
			client, server := r.pair()
			l := r.listen()
			gone := r.listen()
			r.ok("Close", gone.Close())
			canceled := accept(l)
			for _, c := range []struct {
				op   *poll.Op
				want error
			}{
				{read(client, 0), nil},
				{write(server, ""), nil},
				{read(strange{}, 8), poll.ErrForeign},
				{connect(gone.LocalAddr()), syscall.ECONNREFUSED},
				{accept(strange{}), poll.ErrForeign},
				{canceled, poll.ErrCanceled},
			} {
				op := c.op
				op.N, op.Err = 99, io.ErrUnexpectedEOF
				switch op.Kind { // the results of the kind
				case poll.Connect:
					op.Handle = strange{}
				case poll.Accept:
					op.Accepted = strange{}
				}
				if !r.submit(op) && op == canceled {
					r.poller.Cancel(op)
				}
				r.finish(op)
				r.want(op, c.want)
				if op.N != 0 || op.Accepted != nil || op.Kind == poll.Connect && op.Handle != nil {
					r.t.Errorf("%v: n %d, accepted %v, handle %v of an earlier life",
						op.Kind, op.N, op.Accepted, op.Handle)
				}
			}
		},
	},
	// A list that is linked through the Ops themselves must have been cut
	// before the first of them is given away.
	{
		name:        "submit/from within a report",
		explanation: "One Wait may report many operations. The loop tells their owners one by one, and each may submit its own again before the others are told.",
		run: func(r *rig) {
			l := r.listen()
			clients, ops := make([]poll.Handle, 5), make([]*poll.Op, 5)
			for i := range ops {
				var server poll.Handle
				clients[i], server = r.connect(l)
				ops[i] = read(server, 8)
				r.submit(ops[i])
			}
			for range 10 {
				for _, op := range ops {
					r.poller.Cancel(op)
				}
				for left := len(ops); left > 0; {
					r.wait(patience)
					left -= len(r.done)
					for _, op := range slices.Clone(r.done) {
						r.want(op, poll.ErrCanceled)
						r.submit(op) // in flight for good: there are no data
					}
				}
			}
			for i, op := range ops {
				r.say(clients[i], "mine")
				r.finish(op)
				if string(op.Buf[:op.N]) != "mine" {
					r.t.Errorf("read %q, error %v", op.Buf[:op.N], op.Err)
				}
			}
		},
	},
	{
		name:        "submit/reports are appended",
		explanation: "Wait appends to the slice it is given: what stands in it already is the caller's.",
		run: func(r *rig) {
			_, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.ok("Close", server.Close())
			mine := &poll.Op{}
			done := []*poll.Op{mine}
			for limit := r.poller.Now().Add(patience); len(done) < 2 && r.poller.Now().Before(limit); {
				done = r.poller.Wait(done, patience)
			}
			if !slices.Equal(done, []*poll.Op{mine, op}) {
				r.t.Fatalf("Wait made %v of a slice with one operation, want that and the Read", done)
			}
			delete(r.flying, op)
		},
	},
	{
		name:        "submit/from changing threads",
		explanation: "Tasks submit, cancel and close on goroutines of their own, one at a time, while the loop's one waits: no call may depend on the thread it comes from, but Wait, and that only if the poller says so.",
		run:         changingThreads,
	},
}

// changingThreads makes every call from another thread than the one before. Only
// a pinned poller is always waited for on the case's own.
func changingThreads(r *rig) {
	client, server := r.pair()
	in, out := read(server, 8), write(client, "x")
	for range 50 {
		r.submitElsewhere(in)
		r.submitElsewhere(out)
		r.finish(in, out)
		if in.Err != nil || out.Err != nil || in.N != 1 {
			r.t.Fatalf("read %d bytes, error %v; write error %v", in.N, in.Err, out.Err)
		}
		r.submitElsewhere(in)
		elsewhere(func() { r.poller.Cancel(in) })
		r.finish(in)
		r.want(in, poll.ErrCanceled)
	}
	r.submitElsewhere(in)
	var err error
	elsewhere(func() { err = client.Close() })
	r.ok("Close", err)
	if !r.poller.Caps().Has(poll.Pinned) {
		elsewhere(func() { r.done = r.poller.Wait(r.done[:0], patience) })
		for _, op := range r.done {
			delete(r.flying, op)
		}
	}
	r.finish(in)
	r.want(in, io.EOF)
}

// submitElsewhere is submit on another thread.
func (r *rig) submitElsewhere(op *poll.Op) {
	r.t.Helper()
	atOnce := false
	elsewhere(func() { atOnce = r.poller.Submit(op) })
	if !atOnce {
		r.flying[op] = true
	}
}

// elsewhere calls f on another thread, and waits for it. The thread of the case
// is taken: Run has pinned the case to it.
func elsewhere(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		f()
	}()
	<-done
}
