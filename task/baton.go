// SPDX-License-Identifier: Apache-2.0

package task

import (
	"baton/internal/relay"
	"baton/loop"
	"baton/loop/poll"
)

// newBaton makes the baton of one Run on l. It starts no goroutine: a worker's goroutine
// starts when the baton is first passed to it.
func newBaton(l *loop.Loop, h Handoff) *baton {
	b := &baton{
		loop:    l,
		word:    l.Driver().Holder(),
		virtual: l.Poller().Caps().Has(poll.Virtual),
	}
	b.foreign = foreignContexts{loop: l, virtual: b.virtual}
	h = h.choose()
	b.relay = relay.New(l, h == Coroutine, newWorker)
	l.Driver().Doze(h == Coroutine)
	b.hasWatchdog = l.Driver().NameSteps(b.relay.NameOf)
	return b
}

// close ends all goroutines, and returns when they have ended. All tasks must have ended,
// and the loop must not run.
func (b *baton) close() {
	b.loop.Driver().NameSteps(nil)
	b.relay.Close()
}
