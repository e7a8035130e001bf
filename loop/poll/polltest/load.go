// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"fmt"

	"baton/loop/poll"
)

var loadCases = []testCase{
	{
		name:        "load/ten thousand operations",
		explanation: "Ten thousand operations, fifty in flight at a time, are each reported once and with their own bytes.",
		run: func(r *rig) {
			const conns, rounds = 50, 100
			l := r.listen()
			clients, servers := make([]poll.Handle, conns), make([]poll.Handle, conns)
			for i := range conns {
				clients[i], servers[i] = r.connect(l)
			}
			ops := make([]*poll.Op, conns)
			for round := range rounds {
				for i := range conns {
					ops[i] = read(servers[i], 64)
					r.submit(ops[i])
				}
				for i := range conns {
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
				r.ok("Abort", c.Abort())
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
