// SPDX-License-Identifier: Apache-2.0

//go:build unix

package poll_test

import (
	"fmt"
	"log"
	"net"
	"os"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// Control gives access to the descriptor, to set an option of the operating system.
func ExampleController() {
	p := portable.New(portable.Config{})
	defer p.Close()
	ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}

	err = ln.(poll.Controller).Control(func(fd uintptr) {
		fmt.Println("call setsockopt here")
	})
	fmt.Println("error:", err)
	// Output:
	// call setsockopt here
	// error: <nil>
}

// A listener of package net becomes a listener of the poller.
func ExampleImporter() {
	var p poll.Importer = portable.New(portable.Config{})
	defer p.Close()
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	f, err := opened.(*net.TCPListener).File()
	if err != nil {
		log.Fatal(err)
	}

	ln, err := p.Import(f, poll.Accept, poll.SocketOptions{})
	if err != nil {
		log.Fatal(err)
	}
	f.Close()      // Import has made a duplicate
	opened.Close() // the handle still accepts

	accept := &poll.Op{Kind: poll.Accept, Handle: ln}
	run(p, &poll.Op{Kind: poll.Connect, Addr: ln.LocalAddr()}, accept)
	fmt.Println("accepted:", accept.Accepted != nil)
	// Output: accepted: true
}

func ExamplePipeImporter() {
	var p poll.PipeImporter = portable.New(portable.Config{})
	defer p.Close()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Fprint(w, "hello")
	w.Close()

	pipe, err := p.ImportPipe(r, poll.Read, &net.UnixAddr{Name: "pipe", Net: "pipe"})
	if err != nil {
		log.Fatal(err)
	}
	read := &poll.Op{Kind: poll.Read, Handle: pipe, Buf: make([]byte, 16)}
	run(p, read)
	fmt.Printf("%s\n", read.Buf[:read.N])
	// Output: hello
}
