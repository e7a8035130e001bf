// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
)

func Example() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.CallSoon(func() {
		fmt.Println("hello")
		l.CallSoon(func() { fmt.Println("the next turn") })
	})
	l.CallSoon(func() { fmt.Println("world") })
	l.Run()
	// Output:
	// hello
	// world
	// the next turn
}

// Timers run in order of time, here on a clock that jumps when everybody waits.
func ExampleLoop_CallLater() {
	l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{})})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	start := l.Time()
	say := func(s string) func() {
		return func() { fmt.Println(l.Time().Sub(start), s) }
	}
	l.CallLater(2*time.Hour, say("late"))
	l.CallLater(time.Hour, say("early"))
	l.CallLater(time.Hour, say("never")).Cancel()
	l.CallLater(0, say("at once"))
	l.Run()
	// Output:
	// 0s at once
	// 1h0m0s early
	// 2h0m0s late
}

func ExampleLoop_CallRepeatedly() {
	l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{})})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	n := 3
	var countdown *loop.Handle
	countdown = l.CallRepeatedly(time.Second, func() {
		fmt.Println(n)
		if n--; n == 0 {
			countdown.Cancel()
		}
	})
	l.Run()
	// Output:
	// 3
	// 2
	// 1
}

// Stop lets the turn end; what it left is still there for the next run.
func ExampleLoop_Stop() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.CallSoon(func() {
		l.Stop()
		l.CallSoon(func() { fmt.Println("in the next run") })
	})
	l.CallSoon(func() { fmt.Println("in this turn") })
	fmt.Println("stopped:", l.Run())
	fmt.Println("stopped:", l.Run())
	// Output:
	// in this turn
	// stopped: true
	// in the next run
	// stopped: false
}

// A function that blocks runs beside the loop; its callback brings the result.
func ExampleLoop_RunInExecutor() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	question, answer := make(chan string), ""
	l.RunInExecutor(func() {
		answer = "the answer to " + <-question // this would stop the loop
	}, func() {
		fmt.Println(answer)
	})
	l.CallSoon(func() { question <- "everything" })
	l.Run()
	// Output: the answer to everything
}

// Other goroutines come in through CallSoonThreadsafe. The door keeps the loop
// from being idle before they do.
func ExampleLoop_CallSoonThreadsafe() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.Driver().Open()
	go l.CallSoonThreadsafe(func() {
		fmt.Println("from outside")
		l.Driver().Shut()
	})
	l.Run()
	// Output: from outside
}

func ExampleLoop_SetExceptionHandler() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { fmt.Println("failed:", e.Err) })
	l.CallSoon(func() { panic(errors.New("no luck")) })
	l.CallSoon(func() { fmt.Println("the next one") })
	l.Run()
	// Output:
	// failed: no luck
	// the next one
}
