// SPDX-License-Identifier: Apache-2.0

// Package epoll is the poller for Linux. Each Poller has one epoll instance and serves one
// loop. A loop on Linux uses such a poller by default. A program needs this package to set a
// [Config]:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		"baton/loop"
//		"baton/loop/poll/epoll"
//		"baton/task"
//	)
//
//	func main() {
//		poller, err := epoll.New(epoll.Config{Blocking: true})
//		if err != nil {
//			log.Fatal(err)
//		}
//		runner := task.Runner{Config: loop.Config{Poller: poller}}
//		err = runner.Run(context.Background(), func(ctx context.Context) error {
//			fmt.Println("hello from a task")
//			return nil
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// The kernel reports readiness, and package poll wants completions. So the poller tries each
// operation first, and waits only if the kernel returns EAGAIN. Each socket is registered once,
// edge-triggered and for both directions. It has two bits, "may be read" and "may be written".
// Events set these bits; EAGAIN or a short read clears them. So a request and its response cost
// one read and one write, without a call of epoll_ctl between them. Descriptors that belong to
// other code are watched level-triggered and one-shot, because that code may read them too.
//
// An idle loop waits inside Go's network poller, which watches the epoll descriptor like any
// other file, through a second epoll set. Such a wait holds no thread, and Go's timers end it.
// Another goroutine ends it by a deadline in the past, which costs no system call. If there are
// several processors, a loop whose sleeps are short may sleep in the kernel first (see
// [poll.Dozer]). A loop that has its own thread and is nearly always busy may always block in
// the kernel (see [Config]).
//
// On other systems the package is empty, and a loop uses package portable.
package epoll
