// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// udpShape is echoShape with UDP datagrams. Our server is one task. Each of a number of clients
// has one datagram in flight. The peer is a goroutine with a *net.UDPConn.
func udpShape(clients int) shape {
	l := load{connections: clients, size: 1 << 10, udp: true}
	s := l.shape(fmt.Sprintf("udp/%d", clients), "baton", limits(0.9, 0.9))
	s.peers = []peer{l.goroutines()}
	s.peers[0].limited = true
	return s
}
