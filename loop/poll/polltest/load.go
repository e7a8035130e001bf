// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"

	"baton/loop/poll"
)

// crowd is the number of connections of a large case. Each needs two descriptors. If the
// process may not have that many, the case uses as many as possible.
const crowd = 1000

// loadCases are about many operations in random order. A failing case prints its seed. With a
// kernel the seed repeats the choices, but not the timing.
var loadCases = []testCase{
	{
		name:        "load/ten thousand operations",
		explanation: "Each of ten thousand operations, a thousand in flight at a time, is reported once and with its own bytes.",
		run: func(r *rig) {
			clients, servers := r.crowd()
			rounds := 5 * crowd / len(clients)
			ops := make([]*poll.Op, len(clients))
			for round := range rounds {
				for i := range ops {
					ops[i] = read(servers[i], 64)
					r.submit(ops[i])
				}
				for i := range ops {
					r.say(clients[i], fmt.Sprintf("%d of %d", round, i))
				}
				r.finish(ops...)
				for i, op := range ops {
					if want := fmt.Sprintf("%d of %d", round, i); op.Err != nil || string(op.Buf[:op.N]) != want {
						r.t.Fatalf("read %q, error %v; want %q", op.Buf[:op.N], op.Err, want)
					}
				}
			}
		},
	},
	{
		name:        "load/every fate",
		explanation: "Of a thousand Reads in flight some get data, some are cancelled, some lose their connection, and some get several of these at once. Each Read is reported once, with a result that matches what happened.",
		run: func(r *rig) {
			random := r.random()
			clients, servers := r.crowd()
			ops := make([]*poll.Op, len(servers))
			for i := range ops {
				ops[i] = read(servers[i], 64)
				r.submit(ops[i])
			}
			met := make([]fate, len(ops))
			for _, i := range random.Perm(len(ops)) {
				met[i] = fates[random.IntN(len(fates))]
				met[i].strike(r, clients[i], ops[i])
				// Usually many things happen between two Waits.
				if random.IntN(10) == 0 {
					r.wait(0)
				}
			}
			r.finish(ops...)
			for i, op := range ops {
				if !met[i].explains(op) {
					r.t.Errorf("%s: n %d, error %v", met[i].name, op.N, op.Err)
				}
			}
			r.quiet()
		},
	},
	// Most calls are misuse of a handle. They must be errors of the operation and not affect
	// others.
	{
		name:        "load/random life",
		explanation: "Whatever is submitted, cancelled and closed in any order, each operation is reported once, with an error that package poll or the kernel defines.",
		run: func(r *rig) {
			random := r.random()
			l := r.listen()
			for range 20 {
				r.randomCalls(random, l)
			}
		},
	},
	// The tables of a poller grow and are reused meanwhile.
	{
		name:        "load/many connections",
		explanation: "Hundreds of connections come and go without affecting another one.",
		run: func(r *rig) {
			l := r.listen()
			client, server := r.connect(l)
			stays := read(server, 8)
			r.submit(stays)
			for range 300 {
				c, s := r.connect(l)
				r.say(c, "hi")
				r.hear(s, "hi")
				r.ok("Abort", c.Abort()) // avoids TIME_WAIT
				r.ok("Close", s.Close())
			}
			r.say(client, "stayed")
			r.finish(stays)
			if string(stays.Buf[:stays.N]) != "stayed" {
				r.t.Errorf("read %q, error %v", stays.Buf[:stays.N], stays.Err)
			}
		},
	},
}

// crowd opens many connections.
func (r *rig) crowd() (clients, servers []poll.Handle) {
	r.t.Helper()
	l := r.listen()
	for len(clients) < crowd {
		in, out := accept(l), connect(l.LocalAddr())
		r.submit(in)
		r.submit(out)
		r.finish(out)
		if errors.Is(out.Err, syscall.EMFILE) {
			r.poller.Cancel(in) // there will be no connection
		}
		r.finish(in)
		if errors.Is(out.Err, syscall.EMFILE) || errors.Is(in.Err, syscall.EMFILE) {
			r.t.Logf("%d connections, then %v, %v", len(clients), out.Err, in.Err)
			break
		}
		r.ok("connect", out.Err)
		r.ok("accept", in.Err)
		clients, servers = append(clients, out.Handle), append(servers, in.Accepted)
	}
	if len(clients) == 0 {
		r.t.Fatal("no connection could be opened")
	}
	// Otherwise many ports would stay in TIME_WAIT for a minute.
	r.t.Cleanup(func() {
		for _, c := range clients {
			c.Abort()
		}
	})
	return clients, servers
}

// A fate is something that happens to a Read in flight. The Read may get the text "data" if
// data is set, or fail with an error in errs.
type fate struct {
	name   string
	strike func(r *rig, client poll.Handle, op *poll.Op)
	data   bool // the Read may get data
	errs   []error
}

var fates = []fate{
	{"data", func(r *rig, c poll.Handle, op *poll.Op) { r.say(c, "data") }, true, nil},
	{"cancel", func(r *rig, c poll.Handle, op *poll.Op) { r.poller.Cancel(op) }, false, []error{poll.ErrCanceled}},
	{"close", func(r *rig, c poll.Handle, op *poll.Op) { op.Handle.Close() }, false, []error{net.ErrClosed}},
	{"end", func(r *rig, c poll.Handle, op *poll.Op) { c.Close() }, false, []error{io.EOF}},
	{"reset", func(r *rig, c poll.Handle, op *poll.Op) { c.Abort() }, false, []error{syscall.ECONNRESET}},
	{"data, cancel", func(r *rig, c poll.Handle, op *poll.Op) {
		r.say(c, "data")
		r.poller.Cancel(op)
	}, true, []error{poll.ErrCanceled}},
	{"data, close", func(r *rig, c poll.Handle, op *poll.Op) {
		r.say(c, "data")
		op.Handle.Close()
	}, true, []error{net.ErrClosed}},
	{"end, cancel, close", func(r *rig, c poll.Handle, op *poll.Op) {
		c.Close()
		r.poller.Cancel(op)
		op.Handle.Close()
	}, false, []error{io.EOF, poll.ErrCanceled, net.ErrClosed}},
}

// explains reports whether the result of op matches f.
func (f fate) explains(op *poll.Op) bool {
	if op.Err == nil {
		return f.data && string(op.Buf[:op.N]) == "data"
	}
	return op.N == 0 && anyOf(op.Err, f.errs)
}

func anyOf(err error, errs []error) bool {
	for _, target := range errs {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// randomCalls makes a hundred random calls on one connection. The rig checks every report.
func (r *rig) randomCalls(random *rand.Rand, l poll.Handle) {
	r.t.Helper()
	client, server := r.connect(l)
	ends := []poll.Handle{client, server}
	var all []*poll.Op
	for range 100 {
		h := ends[random.IntN(2)]
		switch n := random.IntN(100); {
		case n < 35:
			all = append(all, read(h, 1+random.IntN(5000)))
			r.submit(all[len(all)-1])
		case n < 65:
			all = append(all, &poll.Op{Kind: poll.Write, Handle: h, Buf: pattern(random.IntN(200000))})
			r.submit(all[len(all)-1])
		case n < 80 && len(all) > 0:
			r.poller.Cancel(all[random.IntN(len(all))])
		case n < 97:
			r.wait(0)
		case n < 98:
			h.CloseWrite()
		case n < 99:
			h.Close()
		default:
			h.Abort()
		}
	}
	for _, op := range all {
		r.poller.Cancel(op)
	}
	r.finish(all...)
	for _, op := range all {
		if op.Err != nil && !anyOf(op.Err, []error{poll.ErrCanceled, poll.ErrBusy, net.ErrClosed, io.EOF,
			syscall.EPIPE, syscall.ECONNRESET}) {
			r.t.Errorf("a %v of %d bytes ended with n %d, error %v", op.Kind, len(op.Buf), op.N, op.Err)
		}
		if op.Kind == poll.Write && op.Err == nil && op.N != len(op.Buf) {
			r.t.Errorf("a Write of %d bytes wrote %d without an error", len(op.Buf), op.N)
		}
	}
	client.Abort()
	server.Close()
}
