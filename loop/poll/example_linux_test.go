// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"fmt"
	"log"
	"net"
	"os"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// SendFile sends a part of a file without copying it into the program.
func ExampleFilePart() {
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	accept := &poll.Op{Kind: poll.Accept, Handle: ln}
	connect := &poll.Op{Kind: poll.Connect, Addr: ln.LocalAddr()}
	run(p, accept, connect)

	file, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	fmt.Fprint(file, "hello, world")

	part := &poll.FilePart{File: file, Offset: 7, Count: 5}
	read := &poll.Op{Kind: poll.Read, Handle: connect.Handle, Buf: make([]byte, 16)}
	run(p, &poll.Op{Kind: poll.SendFile, Handle: accept.Accepted, File: part}, read)
	fmt.Printf("%s\n", read.Buf[:read.N])
	// Output: world
}

// An event loop whose guest uses this poller waits until the descriptor is readable.
func ExamplePollable() {
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	var pollable poll.Pollable = p
	fd, err := pollable.Descriptor()
	fmt.Println("a descriptor to wait for:", fd > 0, err)
	// Output: a descriptor to wait for: true <nil>
}

// A loop whose tasks hand over by channel turns the short sleeps off.
func ExampleDozer() {
	p, err := epoll.New(epoll.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	if dozer, ok := poll.Poller(p).(poll.Dozer); ok {
		dozer.Doze(false)
		fmt.Println("short sleeps give up the processor")
	}
	// Output: short sleeps give up the processor
}
