// SPDX-License-Identifier: Apache-2.0

// Hello_callback prints a greeting every two seconds, from a callback that schedules itself
// again. It shows the loop without tasks. The example hello_coroutine does the same with a
// task.
//
//	go run ./examples/hello_callback       # until Ctrl-C
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
	n := flag.Int("n", 0, "number of greetings; 0 is without end")
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

// greet prints a greeting in the loop's next turn, and then every two seconds.
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
