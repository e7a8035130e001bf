// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstSystemdFile is the first descriptor that systemd passes (SD_LISTEN_FDS_START).
const firstSystemdFile = 3

// SystemdFiles returns the sockets that systemd has opened for this process (socket
// activation, sd_listen_fds(3)), in the order of their unit. The Name of each is its
// FileDescriptorName. Call FileListener, FileStream or FilePacketConn with them, and
// close them. The result is nil if there are none.
//
// SystemdFiles removes LISTEN_PID and its companions from the environment, so that
// children do not take the sockets for theirs, and later calls return nil. On other
// systems than Linux it always returns nil.
func SystemdFiles() ([]*os.File, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are for another process, from which this one has the variables
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("netio: LISTEN_FDS is %q, want the number of sockets", count)
	}
	for i := range n { // before any of them belongs to an os.File
		if _, err := unix.FcntlInt(uintptr(firstSystemdFile+i), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, fmt.Errorf("netio: descriptor %d of LISTEN_FDS=%d: %w", firstSystemdFile+i, n, os.NewSyscallError("fcntl", err))
		}
	}
	all := strings.Split(names, ":")
	if names != "" && len(all) != n {
		return nil, fmt.Errorf("netio: LISTEN_FDNAMES is %q, want %d names", names, n)
	}
	var files []*os.File
	for i := range n {
		name := "unknown" // as sd_listen_fds_with_names(3) has it
		if names != "" {
			name = all[i]
		}
		files = append(files, os.NewFile(uintptr(firstSystemdFile+i), name))
	}
	return files, nil
}
