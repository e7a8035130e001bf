// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"fmt"

	"baton/task"
)

// misuse panics with what somebody did and what to do instead.
func misuse(format string, args ...any) {
	panic("locks: " + fmt.Sprintf(format, args...))
}

// meet panics if r and other are of different loops. other is somebody who
// holds or awaits what r wants, or nil.
func meet(r, other *task.Ref, what string) {
	if other != nil && other.Loop() != r.Loop() {
		misuse("%v of %v waits for %s together with %v of %v; use a task.Portal between loops",
			r, r.Loop(), what, other, other.Loop())
	}
}

// mayWake panics if the caller does not hold the baton of the waiter r, which
// it is about to wake. r may be nil.
func mayWake(r *task.Ref, call string) {
	if r != nil && !r.Loop().Held() {
		misuse("%s, which wakes %v, from a goroutine that does not hold the baton of %v; use a task.Portal",
			call, r, r.Loop())
	}
}
