// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"sync"

	"baton/loop"
)

// A visit is a call of a goroutine outside on its way to a loop: a
// [loop.Waker] with a way back.
type visit struct {
	mu   sync.Mutex
	do   func() // nil once the loop has taken it, or the caller has given up
	done chan struct{}
}

// send has do called with the loop's baton; whatever it begins there ends with a
// close of done. A false means that the loop is closed.
func (v *visit) send(l *loop.Loop, do func()) bool {
	if other := loop.Current(); other != nil {
		misuse("a net.Conn of %v is used by a task of %v; use a Portal between loops", l, other)
	}
	v.do, v.done = do, make(chan struct{})
	return l.Post(v) == nil
}

// take returns what to do, to one caller.
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

// wait waits for the end, and once over is closed only for what has begun. It
// reports whether that was so.
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
