// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"fmt"
	"net"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// One round trip: what is submitted is in flight until Wait reports it.
func Example() {
	poller := portable.New(portable.Config{})
	defer poller.Close()

	finish := func(op *poll.Op) *poll.Op {
		if !poller.Submit(op) {
			poller.Wait(nil, -1)
		}
		return op
	}
	listener, err := poller.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := finish(&poll.Op{Kind: poll.Connect, Addr: listener.LocalAddr()}).Handle
	server := finish(&poll.Op{Kind: poll.Accept, Handle: listener}).Accepted

	finish(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")})
	read := finish(&poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 16)})
	fmt.Printf("%q %v\n", read.Buf[:read.N], read.Err)
	// Output:
	// "hello" <nil>
}
