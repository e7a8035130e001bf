// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// reopen opens the file of a descriptor again through its link in /proc. The two share the
// pipe, but not the flags. reopen does so only for pipes and terminals, because opening another
// device may create a new one. Opening the master of a pseudoterminal does, too.
func reopen(of, mode int, stat *unix.Stat_t) (fd int, ok bool) {
	if stat.Mode&unix.S_IFMT == unix.S_IFCHR {
		if _, err := unix.IoctlGetTermios(of, unix.TCGETS); err != nil || stat.Rdev == unix.Mkdev(5, 2) {
			return -1, false
		}
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(of), mode|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	return fd, err == nil
}
