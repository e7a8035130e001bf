// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/task"
)

// A task sleeps for a day of virtual time. Run closes the poller.
func Example() {
	world := virtual.New(virtual.Config{})
	runner := task.Runner{Config: loop.Config{Poller: world}}
	err := runner.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println(world.Now())
		err := await.Sleep(ctx, 24*time.Hour) // returns at once
		fmt.Println(world.Now())
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2000-01-01 00:00:00 +0000 UTC
	// 2000-01-02 00:00:00 +0000 UTC
}

// Wait advances the clock by an hour, and returns at once.
func ExamplePoller_Wait() {
	world := virtual.New(virtual.Config{})
	defer world.Close()

	start := world.Now()
	world.Wait(nil, time.Hour)
	fmt.Println(world.Now().Sub(start))
	// Output: 1h0m0s
}

// Bytes go from one end of a connection to the other without a system call.
func ExamplePoller() {
	world := virtual.New(virtual.Config{})
	defer world.Close()

	listener, err := world.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
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

// A connection takes three seconds of virtual time.
func ExampleConfig_dial() {
	world := virtual.New(virtual.Config{
		Dial: func(net.Addr) (time.Duration, error) { return 3 * time.Second, nil },
	})
	defer world.Close()

	start := world.Now()
	server, err := world.Listen(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	world.Submit(&poll.Op{Kind: poll.Connect, Addr: server.LocalAddr()})
	for _, op := range world.Wait(nil, -1) {
		fmt.Println(op.Kind, op.Handle.RemoteAddr(), op.Err, world.Now().Sub(start))
	}
	// Output:
	// connect 10.0.0.1:80 <nil> 3s
}

// Every datagram arrives twice, after 20 ms of virtual time.
func ExampleFaults() {
	world := virtual.New(virtual.Config{
		Faults: virtual.Faults{Double: 1, Delay: 20 * time.Millisecond},
	})
	defer world.Close()

	start := world.Now()
	server, err := world.Listen(&net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 53}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	connect := &poll.Op{Kind: poll.Connect, Addr: server.LocalAddr()}
	world.Submit(connect)
	world.Submit(&poll.Op{Kind: poll.Send, Handle: connect.Handle, Packets: &[]poll.Packet{{Data: []byte("hello")}}})
	world.Wait(nil, time.Second)

	packets := make([]poll.Packet, 4)
	for i := range packets {
		packets[i].Data = make([]byte, 16)
	}
	receive := &poll.Op{Kind: poll.Receive, Handle: server, Packets: &packets}
	world.Submit(receive)
	world.Wait(nil, 0)
	for _, p := range packets[:receive.N] {
		fmt.Printf("%s\n", p.Data)
	}
	fmt.Println(world.Now().Sub(start))
	// Output:
	// hello
	// hello
	// 1s
}
