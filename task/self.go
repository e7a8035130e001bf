// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"

	"baton/loop"
)

// Self returns the calling task. It never switches.
func Self(ctx context.Context) *Ref { return enter(ctx).ref }

// Now returns the time on the loop's clock. It never switches.
func Now(ctx context.Context) time.Time { return enter(ctx).ref.b.loop.Time() }

// Loop returns the loop of the calling task. It never switches.
func Loop(ctx context.Context) *loop.Loop { return enter(ctx).ref.b.loop }

// Running returns the running task of r's loop, and the context that its function
// received, if the caller is that task. In a callback and on every other goroutine it
// returns nil, nil. It is for adapters of interfaces without a ctx, such as net.Conn, that
// any task may call. It never switches and is safe for concurrent use.
func (r *Ref) Running() (*Ref, context.Context) {
	if !r.b.word.Held() || r.b.cur == nil {
		return nil, nil
	}
	return r.b.cur, &r.b.cur.ctx
}

// Report gives the panic to the exception handler of the calling task's loop. Call it if
// you handle the error of a task and do not return it. Only the first report of a panic
// has an effect. Report never switches: the handler runs later, as a callback of the loop.
func (p *PanicError) Report(ctx context.Context) { p.report(Loop(ctx)) }
