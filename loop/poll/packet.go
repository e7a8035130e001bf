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

	// Local is the address to which a UDP datagram was sent. It is not valid if
	// the poller does not know it.
	Local netip.Addr

	// ECN is the mark for congestion of a UDP datagram that was received (RFC
	// 3168): two bits, zero if the poller does not know it.
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
