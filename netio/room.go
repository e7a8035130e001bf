// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton/task"
)

// A room is what a server has for connections, over all its listeners. A free
// place is nobody's: a listener that kept one for the connection that it waits for
// would keep it from the others. So each of several listeners accepts one
// connection even if there is no room, and stays in line with it, first come, first
// served: a busy listener cannot crowd out the others. One listener alone need not
// accept what it cannot serve; but of its addresses, which it asks all at once,
// several may bring a connection at a time, and Accept keeps those for later.
type room struct {
	size  int        // Server.MaxConns; zero has no bound
	taken int        // by sessions
	line  []*service // each with a connection in hand
}

// free reports whether v may serve one more connection. Who is in line comes before
// whoever is not.
func (r *room) free(v *service) bool {
	return r.size <= 0 || r.taken < r.size && (len(r.line) == 0 || r.line[0] == v)
}

// admit has s served when it is its turn. Until then s is nobody's: what ends the
// wait, a cancel of ctx or the end of the server or of its listener, resets it like
// those that are still in the kernel's queue. The error is the cancel.
func (v *service) admit(ctx context.Context, s *Stream) error {
	r := &v.server.room
	if r.free(v) {
		v.start(s)
		return nil
	}
	r.line = append(r.line, v)
	err := v.await(ctx, func() bool { return r.free(v) })
	r.line = slices.DeleteFunc(r.line, func(other *service) bool { return other == v })
	if err == nil && v.accepts() {
		v.start(s)
	} else {
		_ = s.Abort() // nobody has seen it
	}
	v.server.wake() // there may be room for the next one, too
	return err
}

// await waits until done reports true, or until v accepts nothing any more. Whoever
// makes done true wakes news. The error is the cancel of ctx.
func (v *service) await(ctx context.Context, done func() bool) error {
	for v.accepts() && !done() {
		if err := v.news.Wait(ctx, (*crowd)(v.server)); err != nil {
			return err
		}
	}
	return nil
}

// sole reports whether v is the only service, so that nobody else takes its room.
func (v *service) sole() bool { return len(v.server.services) == 1 }

// accepts reports whether there is anything to wait for: neither the server nor the
// listener has been closed. Both wake news.
func (v *service) accepts() bool { return v.phase == serving && !v.listener.closed }

// wake has every service look again whether it can go on. They are few.
func (srv *Server) wake() {
	for _, v := range srv.services {
		v.news.WakeOne()
	}
}

// A crowd is a server as what others wait for: the ends of its connections, over
// all its listeners.
type crowd Server

// String names the server by its listeners.
func (c *crowd) String() string {
	var all []string
	for _, v := range c.services {
		all = append(all, v.listener.String())
	}
	if len(all) == 0 {
		return "a server without listeners"
	}
	return strings.Join(all, ", ")
}

func (c *crowd) Reason() string {
	n := 0
	for _, v := range c.services {
		n += len(v.sessions)
	}
	return fmt.Sprintf("the end of its connections, %d left", n)
}

func (c *crowd) Owners() []*task.Ref {
	var all []*task.Ref
	for _, v := range c.services {
		all = append(all, v.Owners()...)
	}
	return all
}
