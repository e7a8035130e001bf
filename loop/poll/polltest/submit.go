// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"io"
	"runtime"
	"slices"
	"syscall"

	"baton/loop/poll"
)

// submitCases are about the fields of an Op, when it may be submitted again, and from which
// thread.
var submitCases = []testCase{
	{
		name:        "submit/results are fresh",
		explanation: "Submit clears old results in the Op. Ops are reused for every read of a connection, and callers do not clear them.",
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
				{read(foreignHandle{}, 8), poll.ErrForeign},
				{connect(gone.LocalAddr()), syscall.ECONNREFUSED},
				{accept(foreignHandle{}), poll.ErrForeign},
				{canceled, poll.ErrCanceled},
			} {
				op := c.op
				op.N, op.Err = 99, io.ErrUnexpectedEOF
				switch op.Kind { // the results of its kind
				case poll.Connect:
					op.Handle = foreignHandle{}
				case poll.Accept:
					op.Accepted = foreignHandle{}
				}
				if !r.submit(op) && op == canceled {
					r.poller.Cancel(op)
				}
				r.finish(op)
				r.want(op, c.want)
				if op.N != 0 || op.Accepted != nil || op.Kind == poll.Connect && op.Handle != nil {
					r.t.Errorf("%v: n %d, accepted %v, handle %v from an earlier use",
						op.Kind, op.N, op.Accepted, op.Handle)
				}
			}
		},
	},
	// A list that is linked through the Ops must be cut before the first Op is returned.
	{
		name:        "submit/from within a report",
		explanation: "One Wait may report many operations. The loop calls their owners one by one, and each owner may submit its operation again before the next owner is called.",
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
						r.submit(op) // in flight, because there are no data
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
		explanation: "Wait appends to the given slice and does not change its elements.",
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
				r.t.Fatalf("Wait returned %v, want the given operation and the Read", done)
			}
			delete(r.inFlight, op)
		},
	},
	{
		name:        "submit/from changing threads",
		explanation: "Tasks submit, cancel and close on their own goroutines, one at a time. No call except Wait may depend on its thread, and Wait only if the poller declares Pinned.",
		run:         changingThreads,
	},
}

// changingThreads makes every call on another thread than the last one. Only the Wait of a
// pinned poller is always on the thread of the case.
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
			delete(r.inFlight, op)
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
		r.inFlight[op] = true
	}
}

// elsewhere calls f on another thread and waits for it. The thread of the case is not used,
// because Run has pinned the case to it.
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
