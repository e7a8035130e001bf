// SPDX-License-Identifier: Apache-2.0

// Hello_callback prints a greeting every two seconds, by a callback that
// schedules itself again. It shows the loop alone, without a task; see
// hello_coroutine for the same with one.
//
//	go run ./examples/hello_callback       # for ever, until Ctrl-C
//	go run ./examples/hello_callback -n 2  # twice
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"baton/loop"
)

func main() {
	n := flag.Int("n", 0, "greet so many times; 0 is for ever")
	flag.Parse()

	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	greet(l, *n)
	l.Run() // until no callback is left
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
}

// greet greets in the loop's next turn, and then every two seconds.
func greet(l *loop.Loop, n int) {
	greeted := 0
	var hello func()
	hello = func() {
		fmt.Println("Hello World")
		if greeted++; greeted != n {
			l.CallLater(2*time.Second, hello)
		}
	}
	l.CallSoon(hello)
}
