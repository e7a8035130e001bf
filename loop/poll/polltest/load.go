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

// crowd is how many connections a case of many has. Each takes two descriptors;
// a process that may not have so many gets as many as there are.
const crowd = 1000

// loadCases are about many operations at a time, and about what happens to them
// in no particular order. Choices are drawn from a seed that a failure prints;
// with a kernel in between it repeats the choices, not the timing.
var loadCases = []testCase{
	{
		name:        "load/ten thousand operations",
		explanation: "Ten thousand operations, a thousand in flight at a time, are each reported once and with their own bytes.",
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
		explanation: "Among a thousand Reads in flight some get data, some are cancelled, some lose their connection, at either end, and some meet several of that at once. Each is reported once, with a result that its fate explains.",
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
				// Mostly many things have happened when the poller looks.
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
	// Most moves make no sense, and that is the point: misuse of a handle is an
	// error of the operation and nobody else's trouble.
	{
		name:        "load/random life",
		explanation: "Whatever is submitted, cancelled and closed in whatever order, an operation is reported once and ends with an error of the seam or of the world.",
		run: func(r *rig) {
			random := r.random()
			l := r.listen()
			for range 20 {
				r.live(random, l)
			}
		},
	},
	// Tables of handles grow and are reused meanwhile; the one that stays keeps
	// its place.
	{
		name:        "load/many connections",
		explanation: "Connections come and go by the hundred without disturbing one that stays.",
		run: func(r *rig) {
			l := r.listen()
			client, server := r.connect(l)
			stays := read(server, 8)
			r.submit(stays)
			for range 300 {
				c, s := r.connect(l)
				r.say(c, "hi")
				r.hear(s, "hi")
				r.ok("Abort", c.Abort()) // no port lingers
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

// crowd makes many connections.
func (r *rig) crowd() (clients, servers []poll.Handle) {
	r.t.Helper()
	l := r.listen()
	for len(clients) < crowd {
		in, out := accept(l), connect(l.LocalAddr())
		r.submit(in)
		r.submit(out)
		r.finish(out)
		if errors.Is(out.Err, syscall.EMFILE) {
			r.poller.Cancel(in) // nobody comes
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
		r.t.Fatal("this process may have no connections")
	}
	// Many ports would linger for a minute otherwise.
	r.t.Cleanup(func() {
		for _, c := range clients {
			c.Abort()
		}
	})
	return clients, servers
}

// A fate is something that happens to a Read in flight. A Read that gets the
// text "data" needs no other explanation; one that does not must end with an
// error of the list.
type fate struct {
	name   string
	strike func(r *rig, client poll.Handle, op *poll.Op)
	data   bool // there may be data
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

// explains tells whether op, which met f, may have ended as it did.
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

// live plays a hundred random moves on one connection. What is in flight in a
// direction is looked up in the rig, which also checks every report.
func (r *rig) live(random *rand.Rand, l poll.Handle) {
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
			r.t.Errorf("a Write of %d bytes took %d, and no error", len(op.Buf), op.N)
		}
	}
	client.Abort()
	server.Close()
}
