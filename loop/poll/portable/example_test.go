// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/portable"
	"baton/task"
)

// A task runs on a loop that uses package net. Run closes the poller.
func ExampleConfig() {
	poller := portable.New(portable.Config{})
	runner := task.Runner{Config: loop.Config{Poller: poller}}
	err := runner.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println("hello from a task")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello from a task
}

// A Poller works without a loop. Each operation completes in Submit, or Wait reports it.
func ExamplePoller() {
	poller := portable.New(portable.Config{})
	defer poller.Close()

	finish := func(op *poll.Op) *poll.Op {
		if !poller.Submit(op) {
			for len(poller.Wait(nil, -1)) == 0 {
			}
		}
		if op.Err != nil {
			log.Fatal(op.Err)
		}
		return op
	}
	listener, err := poller.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := finish(&poll.Op{Kind: poll.Connect, Addr: listener.LocalAddr()}).Handle
	server := finish(&poll.Op{Kind: poll.Accept, Handle: listener}).Accepted

	finish(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")})
	read := finish(&poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 16)})
	fmt.Printf("%s\n", read.Buf[:read.N])
	// Output: hello
}
