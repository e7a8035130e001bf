// SPDX-License-Identifier: Apache-2.0

package portable

import "baton/loop/poll"

var _ poll.Notifier = (*Poller)(nil)

// Notify implements [poll.Notifier]. What has finished or come before is told at
// once, by the caller's goroutine; everything later by the goroutine of the
// operation, or by that of the Wake.
func (p *Poller) Notify(fn func()) {
	if fn == nil {
		p.notify.Store(nil)
		return
	}
	p.notify.Store(&fn)
	p.mu.Lock()
	some := p.head != nil || p.woken
	p.mu.Unlock()
	if some {
		fn()
	}
}
