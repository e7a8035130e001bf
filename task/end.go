// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"

	"baton/loop"
)

// end is the end of the task: on its own goroutine, with its baton. The task is
// done before anybody is told, so that whoever asks finds the result; its
// context ends before its awaiters run; its scope, which may end with it, comes
// last.
func (r *Ref) end(err error) {
	r.err = err
	r.state = Done
	r.worker = nil
	canceled := err != nil && r.ctx.scope.isInnerCancel(r, err)
	r.ctx.end()
	if r.awaiters.wakeAll() > 0 {
		r.observed = true
	}
	if x := r.extra.Load(); x != nil {
		r.observed = r.observed || x.watchers > 0
		x.end(r)
	}
	if r == r.b.root {
		r.b.loop.Driver().Ready(loop.Entry{Runner: (*lastCallback)(r.b)})
	} else {
		r.ctx.scope.taskEnded(r, canceled)
	}
}

// end tells everybody else who is to know, and reports panics that the task
// dropped. The call of a portal comes last: its goroutine runs on at once, at
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

// A finale is the last callback of a Run, behind what the root task's last step
// has queued. It stops the loop with the turn that runs them: asyncio's run ends
// by a callback, too. To stop at once would leave them to nobody.
type lastCallback baton

func (f *lastCallback) Run() {
	if !f.over { // else it was left behind, and the loop runs for somebody else
		f.over = true
		f.loop.Stop()
	}
}
