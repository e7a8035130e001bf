// SPDX-License-Identifier: Apache-2.0

package porttest

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// Reserve returns an address of 127.0.0.1, and its port. Until the end of the test the kernel
// gives the port to no socket that does not ask for it, so a server can end and start again there.
// The server must set SO_REUSEADDR, as servers do: then a socket that is bound with this option and
// does not listen, such as that of Reserve, is not in its way.
func Reserve(t testing.TB) (address, port string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(bound.(*syscall.SockaddrInet4).Port)
	return net.JoinHostPort("127.0.0.1", port), port
}
