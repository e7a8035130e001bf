// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"fmt"
	"net"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// Time passes only while a loop has nothing to do, and then at once.
func ExamplePoller_Wait() {
	world := virtual.New(virtual.Config{})
	defer world.Close()

	fmt.Println(world.Now())
	world.Wait(nil, 24*time.Hour)
	fmt.Println(world.Now())
	// Output:
	// 2000-01-01 00:00:00 +0000 UTC
	// 2000-01-02 00:00:00 +0000 UTC
}

// A connection that takes three seconds takes three seconds of virtual time.
func ExampleConfig_dial() {
	world := virtual.New(virtual.Config{
		Dial: func(net.Addr) (time.Duration, error) { return 3 * time.Second, nil },
	})
	defer world.Close()

	start := world.Now()
	server, err := world.Listen(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, poll.ListenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	world.Submit(&poll.Op{Kind: poll.Connect, Addr: server.LocalAddr()})
	for _, op := range world.Wait(nil, -1) {
		fmt.Println(op.Kind, op.Handle.RemoteAddr(), op.Err, world.Now().Sub(start))
	}
	// Output:
	// connect 10.0.0.1:80 <nil> 3s
}

// Bytes go from one end to the other without a system call.
func Example() {
	world := virtual.New(virtual.Config{})
	defer world.Close()

	listener, err := world.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	connect := &poll.Op{Kind: poll.Connect, Addr: listener.LocalAddr()}
	accept := &poll.Op{Kind: poll.Accept, Handle: listener}
	fmt.Println(world.Submit(connect), world.Submit(accept))

	read := &poll.Op{Kind: poll.Read, Handle: accept.Accepted, Buf: make([]byte, 16)}
	write := &poll.Op{Kind: poll.Write, Handle: connect.Handle, Buf: []byte("hello")}
	fmt.Println(world.Submit(read), world.Submit(write))

	for _, op := range world.Wait(nil, 0) {
		fmt.Printf("%v %q\n", op.Kind, op.Buf[:op.N])
	}
	// Output:
	// true true
	// false true
	// read "hello"
}
