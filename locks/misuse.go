// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"fmt"

	"baton/task"
)

// misuse panics with a message that says what the caller did and what to do instead.
func misuse(format string, args ...any) {
	panic("locks: " + fmt.Sprintf(format, args...))
}

// mustShareLoop panics if r and other belong to different loops. r is about to wait for the
// primitive called what; other holds it or waits for it, or is nil.
func mustShareLoop(r, other *task.Ref, what string) {
	if other != nil && other.Loop() != r.Loop() {
		misuse("%v of %v waits for %s together with %v of %v; use a task.Portal between loops",
			r, r.Loop(), what, other, other.Loop())
	}
}

// mustHoldBaton panics if the caller, which is about to wake r, does not hold the baton of
// r's loop. r may be nil. call is the caller's name for the message.
func mustHoldBaton(r *task.Ref, call string) {
	if r != nil && !r.Loop().Held() {
		misuse("%s, which wakes %v, from a goroutine that does not hold the baton of %v; use a task.Portal",
			call, r, r.Loop())
	}
}
