// SPDX-License-Identifier: Apache-2.0

package await

import "fmt"

// misuse panics with what somebody did and what to do instead.
func misuse(format string, args ...any) {
	panic("await: " + fmt.Sprintf(format, args...))
}
