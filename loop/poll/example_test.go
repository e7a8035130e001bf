// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/portable"
	"baton/loop/poll/virtual"
)

// The program of the package documentation: a Wait for a connection that does not arrive
// ends after an hour of virtual time.
func Example() {
	p := virtual.New(virtual.Config{})
	defer p.Close()
	ln, err := p.Listen(&net.TCPAddr{}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}

	op := &poll.Op{Kind: poll.Accept, Handle: ln}
	fmt.Println("complete:", p.Submit(op)) // false: op is in flight

	done := p.Wait(nil, time.Hour) // no connection arrives within the hour
	fmt.Println("reported:", len(done))

	p.Cancel(op)
	done = p.Wait(nil, time.Hour)
	fmt.Println("reported:", len(done), op.Err)
	// Output:
	// complete: false
	// reported: 0
	// reported: 1 poll: operation canceled
}

// run submits operations and waits until all have completed.
func run(p poll.Poller, ops ...*poll.Op) {
	inflight := 0
	for _, op := range ops {
		if !p.Submit(op) {
			inflight++
		}
	}
	for inflight > 0 {
		inflight -= len(p.Wait(nil, -1))
	}
	for _, op := range ops {
		if op.Err != nil {
			log.Fatal(op.Kind, ": ", op.Err)
		}
	}
}

func ExamplePoller() {
	var p poll.Poller = virtual.New(virtual.Config{})
	defer p.Close()
	ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, poll.ListenOptions{Backlog: 16})
	if err != nil {
		log.Fatal(err)
	}

	options := &poll.ConnectOptions{
		SocketOptions: poll.SocketOptions{KeepAlive: net.KeepAliveConfig{Enable: true}},
	}
	connect := &poll.Op{Kind: poll.Connect, Addr: ln.LocalAddr(), Options: options}
	accept := &poll.Op{Kind: poll.Accept, Handle: ln}
	run(p, connect, accept)
	var client, server poll.Handle = connect.Handle, accept.Accepted

	write := &poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")}
	read := &poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 16)}
	run(p, write, read)
	fmt.Printf("%s\n", read.Buf[:read.N])
	// Output: hello
}

func ExampleCaps() {
	p := virtual.New(virtual.Config{})
	defer p.Close()

	fmt.Println("the clock is virtual:", p.Caps().Has(poll.Virtual))
	fmt.Println("names of capabilities:", poll.Unix|poll.Datagrams)
	// Output:
	// the clock is virtual: true
	// names of capabilities: unix|datagrams
}

func ExampleKind() {
	for _, kind := range []poll.Kind{poll.Connect, poll.Read, poll.SendFile} {
		fmt.Println(kind)
	}
	// Output:
	// connect
	// read
	// sendfile
}

// A printer is the owner of operations, and prints their results.
type printer struct{}

func (printer) Complete(op *poll.Op) { fmt.Println(op.Kind, "completed with", op.Err) }

// A loop calls the owner of each operation that Wait reports.
func ExampleCompleter() {
	p := virtual.New(virtual.Config{})
	defer p.Close()
	ln, err := p.Listen(&net.TCPAddr{}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}

	op := &poll.Op{Kind: poll.Accept, Handle: ln, Owner: printer{}}
	p.Submit(op)
	p.Cancel(op)
	for _, op := range p.Wait(nil, -1) {
		op.Owner.Complete(op)
	}
	// Output: accept completed with poll: operation canceled
}

func ExamplePacket() {
	p := virtual.New(virtual.Config{})
	defer p.Close()
	server, err := p.Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client, err := p.Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5000}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}

	out := []poll.Packet{{Data: []byte("hello"), Addr: netip.MustParseAddrPort("127.0.0.1:7")}}
	in := []poll.Packet{{Data: make([]byte, 16)}}
	run(p,
		&poll.Op{Kind: poll.Send, Handle: client, Packets: &out},
		&poll.Op{Kind: poll.Receive, Handle: server, Packets: &in})
	fmt.Printf("%s from %v\n", in[0].Data, in[0].Addr)
	// Output: hello from 127.0.0.1:5000
}

func ExampleMulticaster() {
	p := virtual.New(virtual.Config{})
	defer p.Close()
	socket, err := p.Listen(&net.UDPAddr{Port: 5353}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	group := netip.MustParseAddr("224.0.0.251")
	if err := socket.(poll.Multicaster).Join(group, 0); err != nil {
		log.Fatal(err)
	}

	out := []poll.Packet{{Data: []byte("hello, group"), Addr: netip.AddrPortFrom(group, 5353)}}
	in := []poll.Packet{{Data: make([]byte, 16)}}
	run(p,
		&poll.Op{Kind: poll.Send, Handle: socket, Packets: &out},
		&poll.Op{Kind: poll.Receive, Handle: socket, Packets: &in})
	fmt.Printf("%s\n", in[0].Data)
	// Output: hello, group
}

// An event loop whose guest uses this poller waits for the notification.
func ExampleNotifier() {
	var p poll.Notifier = portable.New(portable.Config{})
	defer p.Close()

	notified := make(chan bool, 1)
	p.Notify(func() {
		select {
		case notified <- true:
		default: // already notified
		}
	})
	go p.Wake() // from another goroutine
	<-notified
	fmt.Println("call Wait")
	p.Wait(nil, 0)
	// Output: call Wait
}
