// SPDX-License-Identifier: Apache-2.0

package epoll

import "time"

// A timespec is the kernel's struct __kernel_timespec. epoll_pwait2 takes it on every
// architecture (Linux 5.11). The Timespec of package unix has 32-bit fields on 32-bit
// architectures.
type timespec struct{ sec, nsec int64 }

// newTimespec converts d, which is not negative.
func newTimespec(d time.Duration) timespec {
	return timespec{int64(d / time.Second), int64(d % time.Second)}
}
