// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/epoll"
	"baton/task"
)

// A task runs on a loop whose poller blocks in the kernel. Run closes the poller.
func ExampleConfig() {
	poller, err := epoll.New(epoll.Config{Blocking: true})
	if err != nil {
		log.Fatal(err)
	}
	runner := task.Runner{Config: loop.Config{Poller: poller}}
	err = runner.Run(context.Background(), func(ctx context.Context) error {
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
