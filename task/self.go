// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"

	"baton/loop"
)

// Self returns the task that ctx belongs to. Like every call that takes a task's
// context it panics if the caller is not that task.
func Self(ctx context.Context) *Ref { return enter(ctx).ref }

// Now tells the time on the loop of the calling task. It never switches.
func Now(ctx context.Context) time.Time { return enter(ctx).ref.b.loop.Time() }

// Loop returns the loop of the calling task. It never switches.
func Loop(ctx context.Context) *loop.Loop { return enter(ctx).ref.b.loop }

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

// Report gives the panic to the exception handler of the calling task's loop,
// for whoever handles the error of a task without passing it on. A panic is
// reported once. It does not switch: the handler runs later, as a callback of
// the loop.
func (p *PanicError) Report(ctx context.Context) { p.report(Loop(ctx)) }
