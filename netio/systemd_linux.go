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
// activation, sd_listen_fds(3)), in the order of their unit. The Name of each file is its
// FileDescriptorName. Pass the files to FileListener, FileStream or FilePacketConn, and
// close them. Without sockets it returns nil.
//
// SystemdFiles removes LISTEN_PID and the related variables from the environment, so that
// child processes do not use the sockets by mistake. Later calls return nil. On systems
// other than Linux it always returns nil.
func SystemdFiles() ([]*os.File, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // the variables are inherited; the sockets are for another process
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("netio: LISTEN_FDS is %q, want the number of sockets", count)
	}
	for i := range n { // before an os.File owns any of them
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
		name := "unknown" // as in sd_listen_fds_with_names(3)
		if names != "" {
			name = all[i]
		}
		files = append(files, os.NewFile(uintptr(firstSystemdFile+i), name))
	}
	return files, nil
}
