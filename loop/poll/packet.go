// SPDX-License-Identifier: Apache-2.0

package poll

import "net/netip"

// A Packet is one datagram. Receive sets every field.
type Packet struct {
	// Data is the content to send. Receive stores the content in Data, up to its capacity,
	// and sets its length. A datagram may be empty.
	Data []byte

	// Addr is the peer of a UDP socket: the source of a received datagram, or the
	// destination of a sent one. A connected socket sends to its own peer, whatever Addr
	// and Name are.
	Addr netip.AddrPort

	// Name is the peer of a UNIX socket. Name is empty if the sender has no name.
	Name string

	// Local is the local address of a UDP datagram. Receive sets it to the address that the
	// datagram was sent to, which may be a group. For a broadcast, it may be the address of
	// the interface. Send uses it as the source address. If it is not valid, or is a group,
	// the system chooses the source address. See [Ancillary].
	Local netip.Addr

	// ECN is the congestion mark of a UDP datagram: two bits (RFC 3168). With a mark of
	// zero, Send leaves the mark to the system. Any other mark replaces the whole byte of
	// the header that contains it. See [Ancillary].
	ECN uint8

	// Truncated reports that the datagram was longer than the space in Data. The rest of it
	// is lost.
	Truncated bool
}

// A Multicaster is a Handle of a UDP socket that can join multicast groups. The methods
// belong to the loop, and do not wait. Interfaces are numbers, as in net.Interface; zero
// lets the system choose. Errors are not wrapped.
type Multicaster interface {
	Handle

	// Join makes the socket a member of group on an interface. Leave ends the membership.
	Join(group netip.Addr, iface int) error
	Leave(group netip.Addr, iface int) error

	// SetMulticastInterface chooses the interface by which datagrams to groups leave.
	SetMulticastInterface(iface int) error

	// SetMulticastLoop sets whether this machine receives the datagrams that the socket
	// sends to a group. The default is true.
	SetMulticastLoop(on bool) error

	// SetMulticastTTL limits how many routers may forward a datagram that the socket sends
	// to a group. The default is 1: datagrams stay in the local network.
	SetMulticastTTL(n int) error
}
