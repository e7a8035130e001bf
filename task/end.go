// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"

	"baton/loop"
)

// end ends the task. It runs on the task's goroutine, which holds the baton. The order
// matters. The task is done before anything else learns of it. Its context ends before its
// awaiters run. Its scope, which may end too, comes last.
func (r *Ref) end(err error) {
	r.err = err
	r.state = Done
	r.worker = nil
	r.observed = r.observed || err == nil || r.ctx.scope.isInnerCancel(r, err)
	r.ctx.end()
	if r.awaiters.wakeAll() > 0 {
		r.observed = true
	}
	if x := r.extra.Load(); x != nil {
		x.end(r)
	}
	if r == r.b.root {
		r.b.loop.Driver().Ready(loop.Entry{Runner: (*lastCallback)(r.b)})
	} else {
		r.ctx.scope.taskEnded(r)
	}
}

// end queues the callbacks, reports panics that the task dropped, and completes the
// portal's Call. The Call comes last, because a goroutine that waits for it continues at
// the same time as this one.
func (x *extra) end(r *Ref) {
	if x.stop != nil {
		x.stop()
	}
	x.callbacks.queue(r.b.loop)
	for _, p := range x.panics {
		if !errors.Is(r.err, p) {
			p.report(r.b.loop)
		}
	}
	if x.finish != nil {
		x.finish(r.err)
	}
}

// lastCallback stops the loop at the end of a Run. The end of the main task queues it
// behind everything that its last step has queued, so that all of this still runs. In
// asyncio, too, a callback ends run.
type lastCallback baton

func (f *lastCallback) Run() {
	if !f.over { // else Run has given up, and the loop runs for something else
		f.over = true
		f.loop.Stop()
	}
}
