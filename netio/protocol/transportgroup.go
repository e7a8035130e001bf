// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"fmt"
	"slices"

	"baton/internal/bridge"
	"baton/task"
)

// A group holds the transports of a scope. While the group is not empty, one task of the scope,
// the guard, waits for the end of all transports. So the scope does not end before them, and a
// cancel of the scope reaches them. There is one guard for all, so a transport needs no goroutine.
type group struct {
	scope   *task.ScopeRef
	first   *Transport // the list of connections, the newest first
	size    int        // the number of connections and datagram sockets
	guarded bool
	cause   error          // why the guard aborts the transports, also new ones; nil before
	waiters task.WaitQueue // the guard

	datagrams []*DatagramTransport
}

// groupKey is the key of a group in its scope.
type groupKey struct{}

// groupOf returns the group of the scope of ctx.
func groupOf(ctx context.Context) *group {
	return bridge.Local(ctx, groupKey{}, func(ctx context.Context) any {
		return &group{scope: task.ScopeOf(ctx)}
	}).(*group)
}

// add adds t to the group.
func (g *group) add(t *Transport) {
	if t.next = g.first; t.next != nil {
		t.next.prev = t
	}
	g.first = t
	g.enter(t.abort)
}

// remove removes t, which has ended.
func (g *group) remove(t *Transport) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		g.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
	g.leave()
}

// addDatagram and removeDatagram are add and remove for datagram sockets. A slice is enough,
// because there are few.
func (g *group) addDatagram(t *DatagramTransport) {
	g.datagrams = append(g.datagrams, t)
	g.enter(t.abort)
}

func (g *group) removeDatagram(t *DatagramTransport) {
	i := slices.Index(g.datagrams, t)
	g.datagrams = slices.Delete(g.datagrams, i, i+1)
	g.leave()
}

// enter counts a new transport and starts the guard. Abort aborts the transport.
func (g *group) enter(abort func(error)) {
	g.size++
	if !g.guarded {
		g.guarded = true
		g.scope.Go(g.guard).SetName("protocol.transports")
	}
	if g.cause != nil {
		abort(g.cause)
	}
}

func (g *group) leave() {
	if g.size--; g.size == 0 {
		g.waiters.WakeAll()
	}
}

// guard waits until the group is empty. A cancel aborts all transports; guard returns it, so that
// the scope reports a cancel from an outer scope.
func (g *group) guard(ctx context.Context) error {
	defer func() { g.guarded, g.cause = false, nil }()
	shielded, release := task.Shield(ctx, -1)
	defer release()
	for g.size > 0 && g.cause == nil {
		g.cause = g.waiters.Wait(ctx, g)
	}
	if g.cause != nil {
		for _, t := range g.all() {
			t.abort(g.cause)
		}
		for _, t := range slices.Clone(g.datagrams) {
			t.abort(g.cause)
		}
	}
	for g.size > 0 {
		if err := g.waiters.Wait(shielded, g); err != nil {
			return err // a deadlock, which ends every wait
		}
	}
	return g.cause
}

// all returns the connections, the oldest first.
func (g *group) all() []*Transport {
	var list []*Transport
	for t := g.first; t != nil; t = t.next {
		list = append(list, t)
	}
	slices.Reverse(list)
	return list
}

// Reason returns what the guard waits for, for reports.
func (g *group) Reason() string { return fmt.Sprintf("the end of %d transports", g.size) }

// Owners returns nil, because no task of the loop ends the wait.
func (g *group) Owners() []*task.Ref { return nil }
