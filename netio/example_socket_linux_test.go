// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll/epoll"
	"baton/netio"
	"baton/task"
)

// Two tasks communicate over a pair of UNIX sockets that keep the borders of messages. This
// package does not make such sockets. The example chooses the poller, because not every poller
// can watch descriptors.
func ExampleAdoptSocket() {
	send := func(ctx context.Context, s *netio.Socket) error {
		for _, message := range []string{"one", "message", "at a time"} {
			if _, err := s.SendAll(ctx, []byte(message)); err != nil {
				return err
			}
		}
		return nil
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	poller, err := epoll.New(epoll.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = task.Runner{Config: loop.Config{Poller: poller}}.Run(context.Background(), func(ctx context.Context) error {
		near, err := netio.AdoptSocket(ctx, uintptr(fds[0]))
		if err != nil {
			return err
		}
		defer near.Close()
		far, err := netio.AdoptSocket(ctx, uintptr(fds[1]))
		if err != nil {
			return err
		}
		defer far.Close()
		task.Go(ctx, func(ctx context.Context) error { return send(ctx, near) })
		buf := make([]byte, 100)
		for range 3 {
			n, err := far.Receive(ctx, buf)
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", buf[:n])
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// "one"
	// "message"
	// "at a time"
	// <nil>
}
