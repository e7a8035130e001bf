// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"fmt"
	"log"
	"net"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// A poller alone, without a loop: every operation either finishes at once or is
// reported by Wait.
func ExamplePoller() {
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	finish := func(op *poll.Op) *poll.Op {
		if !p.Submit(op) {
			for len(p.Wait(nil, -1)) == 0 {
			}
		}
		if op.Err != nil {
			log.Fatal(op.Err)
		}
		return op
	}

	l, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}).Handle
	server := finish(&poll.Op{Kind: poll.Accept, Handle: l}).Accepted

	finish(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")})
	in := finish(&poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 16)})
	fmt.Printf("%s\n", in.Buf[:in.N])
	// Output: hello
}
