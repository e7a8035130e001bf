// SPDX-License-Identifier: Apache-2.0

package task

import "context"

// GoUnder starts fn as a task under ctx, like Go, for a caller that ctx does not
// belong to: any task or callback of its loop. The end of ctx cancels fn, whatever
// ends it. The scope does not wait for fn to end by itself: when its function has
// returned and no other task is left, it cancels fn, and GoUnder returns nil from then
// on. Like Running, it is for adapters of interfaces that pass no context. It never
// switches.
func GoUnder(ctx context.Context, fn func(ctx context.Context) error) *Ref {
	n := nodeOf(ctx)
	if n == nil {
		refuse("a context that does not belong to a task; start one with task.Run and pass its ctx on")
	}
	n.ref.held("GoUnder")
	mustHave(fn != nil, "GoUnder")
	s := n.scope
	if s.phase != open && s.count == s.bound {
		return nil
	}
	t := &background{fn: fn}
	t.ref.body, t.ref.bound = t, true
	s.bound++
	s.adopt(&t.ref, n, ctx)
	return &t.ref
}

// Running returns the task that runs on r's loop and the context that its
// function was given, if the caller is that task. It returns nil in callbacks
// and on every other goroutine. It is for adapters of interfaces that pass no
// context, as net.Conn, whose caller may be any task. It never switches, and is
// safe from every goroutine.
func (r *Ref) Running() (*Ref, context.Context) {
	if !r.b.word.Held() || r.b.cur == nil {
		return nil, nil
	}
	return r.b.cur, &r.b.cur.ctx
}
