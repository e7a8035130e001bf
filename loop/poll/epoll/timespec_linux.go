// SPDX-License-Identifier: Apache-2.0

package epoll

import "time"

// A timespec is the kernel's struct __kernel_timespec, which epoll_pwait2 (Linux
// 5.11) takes on every architecture. That of package unix has 32 bits where the
// processor has.
type timespec struct{ sec, nsec int64 }

// newTimespec returns d, which is not negative.
func newTimespec(d time.Duration) timespec {
	return timespec{int64(d / time.Second), int64(d % time.Second)}
}
