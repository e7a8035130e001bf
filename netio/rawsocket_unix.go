// SPDX-License-Identifier: Apache-2.0

//go:build unix

package netio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A descriptorSocket is a rawSocket with a descriptor.
type descriptorSocket struct {
	fd      int
	network string
	family  int // AF_INET, AF_INET6, AF_UNIX or another family
}

// openRaw inspects the descriptor, and does not change it.
func openRaw(fd uintptr) (rawSocket, socketKind, error) {
	s := &descriptorSocket{fd: int(fd), network: "socket", family: unix.AF_UNSPEC}
	kind, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, socketKind{}, os.NewSyscallError("getsockopt", err)
	}
	flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
	if err != nil {
		return nil, socketKind{}, os.NewSyscallError("fcntl", err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		return nil, socketKind{}, fmt.Errorf("the descriptor blocks; call syscall.SetNonblock first: %w", unix.EINVAL)
	}
	local, _ := unix.Getsockname(s.fd) // fails for families that package unix does not know
	var names map[int]string
	switch local.(type) {
	case *unix.SockaddrInet4:
		s.family = unix.AF_INET
	case *unix.SockaddrInet6:
		s.family = unix.AF_INET6
	case *unix.SockaddrUnix:
		s.family = unix.AF_UNIX
		names = map[int]string{unix.SOCK_STREAM: "unix", unix.SOCK_DGRAM: "unixgram", unix.SOCK_SEQPACKET: "unixpacket"}
	}
	if s.family == unix.AF_INET || s.family == unix.AF_INET6 {
		names = map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp", unix.SOCK_RAW: "ip"}
	}
	if name := names[kind]; name != "" {
		s.network = name
	}
	return s, socketKind{
		network: s.network,
		stream:  kind == unix.SOCK_STREAM,
		ends:    kind == unix.SOCK_STREAM || kind == unix.SOCK_SEQPACKET,
	}, nil
}

func (s *descriptorSocket) receive(p []byte) (int, error) {
	n, err := unix.Read(s.fd, p)
	return max(n, 0), syscallError("read", err)
}

func (s *descriptorSocket) receiveFrom(p []byte) (int, net.Addr, error) {
	n, from, err := unix.Recvfrom(s.fd, p, 0)
	return max(n, 0), s.addr(from), syscallError("recvfrom", err)
}

func (s *descriptorSocket) send(p []byte) (int, error) {
	n, err := unix.Write(s.fd, p)
	return max(n, 0), syscallError("write", err)
}

func (s *descriptorSocket) sendTo(p []byte, to net.Addr) error {
	addr, err := s.sockaddr(to)
	if err != nil {
		return err
	}
	return syscallError("sendto", unix.Sendto(s.fd, p, 0, addr))
}

func (s *descriptorSocket) connect(to net.Addr) error {
	addr, err := s.sockaddr(to)
	if err != nil {
		return err
	}
	return syscallError("connect", unix.Connect(s.fd, addr))
}

// connected returns the result of a connect in progress. SO_ERROR reports the reason of a
// failure once.
func (s *descriptorSocket) connected() error {
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return syscallError("getsockopt", err)
	}
	if code != 0 {
		return os.NewSyscallError("connect", unix.Errno(code))
	}
	// No error and no connection: another call has taken the error.
	_, err = unix.Getpeername(s.fd)
	if errors.Is(err, unix.ENOTCONN) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

func (s *descriptorSocket) accept() (uintptr, net.Addr, error) {
	fd, from, err := accept(s.fd)
	if err != nil {
		return 0, nil, syscallError("accept", err)
	}
	return uintptr(fd), s.addr(from), nil
}

// syscallError adds the name of the system call to an error, unless the error only says
// what to do next.
func syscallError(name string, err error) error {
	switch err {
	case unix.EAGAIN, unix.EINTR, unix.EINPROGRESS, unix.EALREADY, unix.ECONNABORTED:
		return err
	}
	return os.NewSyscallError(name, err)
}

// sockaddr converts an address for the kernel, in the socket's family.
func (s *descriptorSocket) sockaddr(addr net.Addr) (unix.Sockaddr, error) {
	var ip net.IP
	var port int
	var zone string
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip, port, zone = a.IP, a.Port, a.Zone
	case *net.UDPAddr:
		ip, port, zone = a.IP, a.Port, a.Zone
	case *net.IPAddr:
		ip, zone = a.IP, a.Zone
	case *net.UnixAddr:
		return &unix.SockaddrUnix{Name: a.Name}, nil
	default:
		return nil, fmt.Errorf("address of type %T: %w", addr, errors.ErrUnsupported)
	}
	ip4, ip16 := ip.To4(), ip.To16()
	switch {
	case s.family == unix.AF_INET && (ip4 != nil || len(ip) == 0):
		to := &unix.SockaddrInet4{Port: port}
		copy(to.Addr[:], ip4)
		return to, nil
	case s.family == unix.AF_INET6 && (ip16 != nil || len(ip) == 0):
		to := &unix.SockaddrInet6{Port: port, ZoneId: zoneID(zone)}
		copy(to.Addr[:], ip16) // an IPv4 address as ::ffff:1.2.3.4
		return to, nil
	}
	return nil, &net.AddrError{Err: "address of another family than the socket's", Addr: addr.String()}
}

// zoneID returns the number of a zone: the index of the interface with this name, or the
// name as a number.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if link, err := net.InterfaceByName(zone); err == nil {
		return uint32(link.Index)
	}
	id, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(id)
}

// addr converts an address of the kernel. It returns nil if there is none.
func (s *descriptorSocket) addr(addr unix.Sockaddr) net.Addr {
	var ip net.IP
	var port int
	var zone string
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		ip, port = a.Addr[:], a.Port
	case *unix.SockaddrInet6:
		ip, port = a.Addr[:], a.Port
		if a.ZoneId != 0 {
			zone = strconv.FormatUint(uint64(a.ZoneId), 10)
		}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: s.network}
	default:
		return nil
	}
	switch s.network {
	case "tcp":
		return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
	case "udp":
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	}
	return &net.IPAddr{IP: ip, Zone: zone}
}
