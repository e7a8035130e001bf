// SPDX-License-Identifier: Apache-2.0

package poll

import "net/netip"

// A Packet is one datagram. Receive sets every field.
type Packet struct {
	// Data is what to send. Receive puts the bytes in there, up to its capacity,
	// and sets its length. A datagram may be empty.
	Data []byte

	// Addr is the peer of a UDP socket: the source of what was received, the
	// destination of what is to be sent. A socket that is connected sends to its
	// own peer, whatever Addr and Name are.
	Addr netip.AddrPort

	// Name is the peer of a UNIX socket. It is empty if a sender has no name.
	Name string

	// Local is the address of this end of a UDP datagram. Receive sets it to the
	// address of this machine that the datagram was sent to, or to the group; that
	// of a broadcast may be the address of the interface. Send sends from it. If
	// it is not valid, or a group, the system chooses the address. See [Ancillary].
	Local netip.Addr

	// ECN is the mark for congestion of a UDP datagram (RFC 3168): two bits. Send
	// leaves a mark of zero to the system; another one replaces the whole byte of
	// the header that it is part of. See [Ancillary].
	ECN uint8

	// Truncated reports that the datagram was longer than Data has room for. The
	// rest of it is lost.
	Truncated bool
}

// A Multicaster is a Handle of a UDP socket that can belong to groups. The methods
// belong to the loop, and do not wait. Interfaces are numbers, as in net.Interface;
// zero lets the system choose. Errors are bare.
type Multicaster interface {
	Handle

	// Join and Leave make the socket a member of group on an interface, and end
	// that.
	Join(group netip.Addr, iface int) error
	Leave(group netip.Addr, iface int) error

	// SetMulticastInterface chooses where datagrams to groups go out.
	SetMulticastInterface(iface int) error

	// SetMulticastLoop says whether this machine gets the datagrams that the socket
	// sends to a group, which is the default.
	SetMulticastLoop(on bool) error

	// SetMulticastTTL bounds how many routers pass on the datagrams that the socket
	// sends to groups. The default is 1: they stay in this network.
	SetMulticastTTL(n int) error
}
