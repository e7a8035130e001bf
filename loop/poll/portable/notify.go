// SPDX-License-Identifier: Apache-2.0

package portable

import "baton/loop/poll"

var _ poll.Notifier = (*Poller)(nil)

// Notify implements [poll.Notifier]. If there are completed operations or a Wake already, the
// calling goroutine calls fn. Later the goroutine of the operation, or of the Wake, calls fn.
func (p *Poller) Notify(fn func()) {
	if fn == nil {
		p.notify.Store(nil)
		return
	}
	p.notify.Store(&fn)
	p.mu.Lock()
	ready := p.head != nil || p.woken
	p.mu.Unlock()
	if ready {
		fn()
	}
}
