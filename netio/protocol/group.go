// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"fmt"
	"slices"

	"baton/internal/bridge"
	"baton/task"
)

// A group is the transports of a scope. While there are any, one task of the scope, the
// guard, waits for their end: so the scope does not end before them, and its cancel
// reaches them. The guard serves all of them, so a transport has no goroutine.
type group struct {
	scope   *task.ScopeRef
	first   *Transport // of connections, the youngest
	size    int        // of all
	guarded bool
	cause   error          // why the transports are aborted, new ones too; nil before that
	news    task.WaitQueue // where the guard waits

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

// add makes t one of the group.
func (g *group) add(t *Transport) {
	if t.next = g.first; t.next != nil {
		t.next.prev = t
	}
	g.first = t
	g.enter(t.abort)
}

// remove is the end of t.
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

// addDatagram and removeDatagram are add and remove for sockets of datagrams, of which
// there are few.
func (g *group) addDatagram(t *DatagramTransport) {
	g.datagrams = append(g.datagrams, t)
	g.enter(t.abort)
}

func (g *group) removeDatagram(t *DatagramTransport) {
	i := slices.Index(g.datagrams, t)
	g.datagrams = slices.Delete(g.datagrams, i, i+1)
	g.leave()
}

// enter counts a transport, which abort ends.
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
		g.news.WakeAll()
	}
}

// guard waits until the group is empty. A cancel aborts all of it, and is returned: if
// it came from further out, the scope was cut short.
func (g *group) guard(ctx context.Context) error {
	defer func() { g.guarded, g.cause = false, nil }()
	shielded, release := task.Shield(ctx, -1)
	defer release()
	for g.size > 0 && g.cause == nil {
		g.cause = g.news.Wait(ctx, g)
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
		if err := g.news.Wait(shielded, g); err != nil {
			return err // a deadlock: there is nothing to wait for
		}
	}
	return g.cause
}

// all returns the transports of connections, the oldest first.
func (g *group) all() []*Transport {
	var list []*Transport
	for t := g.first; t != nil; t = t.next {
		list = append(list, t)
	}
	slices.Reverse(list)
	return list
}

// Reason and Owners make it a task.Reason.
func (g *group) Reason() string { return fmt.Sprintf("the end of %d transports", g.size) }

// Owners returns nil: no task of this loop.
func (g *group) Owners() []*task.Ref { return nil }
