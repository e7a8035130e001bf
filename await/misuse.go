// SPDX-License-Identifier: Apache-2.0

package await

import "fmt"

// misuse panics with a message that says what the caller did and what to do instead.
func misuse(format string, args ...any) {
	panic("await: " + fmt.Sprintf(format, args...))
}

// mustHave panics if have is false, because an argument of the call is a nil function.
// Otherwise the panic would come later, on another stack.
func mustHave(have bool, call string) {
	if !have {
		misuse("%s of a nil function", call)
	}
}
