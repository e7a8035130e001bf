// SPDX-License-Identifier: Apache-2.0

package porttest

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// Reserve returns an address of 127.0.0.1, and its port. Until the end of the test, the kernel does
// not choose this port for other sockets. So a server can listen there, end and start again.
//
// Reserve binds a socket with SO_REUSEADDR, and does not listen. On Linux, a server that also sets
// this option, as servers do, can listen nevertheless.
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
