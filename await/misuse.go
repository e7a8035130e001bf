// SPDX-License-Identifier: Apache-2.0

package await

import "fmt"

// misuse panics with what somebody did and what to do instead.
func misuse(format string, args ...any) {
	panic("await: " + fmt.Sprintf(format, args...))
}

// mustHave panics if the function that a call is given is nil: later it would, on
// another stack.
func mustHave(fn bool, call string) {
	if !fn {
		misuse("%s of a nil function", call)
	}
}
