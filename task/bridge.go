// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/internal/bridge"
)

// Packages above this one use these functions; users do not: see package bridge.
func init() {
	bridge.WithDeadline = withDeadline
	bridge.WithCancel = withCancel
	bridge.WithValues = func(ctx, values context.Context) context.Context { return valued{ctx, values} }
	bridge.Reschedule = reschedule
	bridge.Expired = expired
	bridge.AfterEnd = afterEnd
	bridge.AddValues = addValues
	bridge.Local = local
	bridge.Watch = func(ref any) func() { return ref.(*Ref).addWatcher() }
	bridge.GoUnder = func(ctx context.Context, fn func(ctx context.Context) error) any { return goUnder(ctx, fn) }
}

// goUnder starts fn as a task under ctx, like Go, for a task or callback to which ctx does
// not belong. The task is a daemon. It is cancelled when ctx ends for any reason. The
// scope does not wait for it: when the scope's function has returned and only daemons are
// left, they are cancelled, and from then on goUnder returns nil.
func goUnder(ctx context.Context, fn func(ctx context.Context) error) *Ref {
	n := nodeOf(ctx)
	n.ref.held("a call of a net.Conn")
	s := n.scope
	if s.phase != open && s.count == s.daemons {
		return nil
	}
	t := &background{fn: fn}
	t.ref.body, t.ref.daemon = t, true
	s.daemons++
	s.adopt(&t.ref, n, ctx)
	return &t.ref
}

// addValues is bridge.AddValues.
func addValues(ctx context.Context, add func(values context.Context) context.Context) {
	n := enter(ctx)
	n.inherited = &inherited{add(n.inherited.values), n.inherited.deadlines}
}

// local is bridge.Local.
func local(ctx context.Context, key any, build func(ctx context.Context) any) any {
	s := enter(ctx).scope
	if v, ok := s.locals[key]; ok {
		return v
	}
	if s.locals == nil {
		s.locals = make(map[any]any)
	}
	v := build(ctx)
	s.locals[key] = v
	return v
}
