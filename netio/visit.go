// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"sync"

	"baton/loop"
)

// A visit is a call of a goroutine outside on its way to a loop: a
// [loop.Waker] with a way back. Either the loop takes it or the caller gives it up,
// never both: so a caller that does not wait any more knows that nothing of it will
// happen, and that its memory is its own. It is used once.
type visit struct {
	mu   sync.Mutex
	do   func() // nil once the loop has taken it, or the caller has given up
	done chan struct{}
}

// send has do called with the loop's baton, where it must not switch; whatever it
// begins there ends with a close of done. A false means that the loop is closed. A
// true promises nothing: a loop that does not run takes no visit. A goroutine that
// holds another loop's baton would stop that while it waits, and panics.
func (v *visit) send(l *loop.Loop, do func()) bool {
	if other := loop.Current(); other != nil {
		misuse("a net.Conn of %v is used by a task of %v; use a Portal between loops", l, other)
	}
	v.do, v.done = do, make(chan struct{})
	return l.Driver().Post(v) == nil
}

// take returns what to do, to one caller, and nil to every other one.
func (v *visit) take() func() {
	v.mu.Lock()
	defer v.mu.Unlock()
	do := v.do
	v.do = nil
	return do
}

// Wake does it. It is the loop's to call.
func (v *visit) Wake() {
	if do := v.take(); do != nil {
		do()
	}
}

// wait blocks the calling goroutine, which must be one outside, until the visit has
// ended. Once over is closed it waits only for what has begun: that has borrowed
// the caller's memory, and what closes over ends it, too. It reports whether the
// visit has taken place.
func (v *visit) wait(over <-chan struct{}) bool {
	select {
	case <-v.done:
		return true
	case <-over:
	}
	if v.take() != nil {
		return false
	}
	<-v.done
	return true
}
