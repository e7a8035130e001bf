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

// The program of the package documentation.
func Example() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	n := 0
	var ticks *loop.Handle
	ticks = l.CallRepeatedly(10*time.Millisecond, func() {
		n++
		fmt.Println("tick", n)
		if n == 3 {
			ticks.Cancel()
		}
	})
	l.CallSoon(func() { fmt.Println("hello") })
	l.Run() // returns when the loop is idle
	// Output:
	// hello
	// tick 1
	// tick 2
	// tick 3
}

// A turn runs what was ready when it began.
func ExampleLoop_CallSoon() {
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

// Timers fire in order of time. The virtual clock of this loop jumps when the loop waits.
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

// Stop lets the current turn end. What the turn has added runs in the next Run.
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

// A function that blocks runs on another goroutine. The callback receives its result.
func ExampleLoop_RunInExecutor() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	question, answer := make(chan string), ""
	l.RunInExecutor(func() {
		answer = "the answer to " + <-question // in a callback, this would block the loop
	}, func() {
		fmt.Println(answer)
	})
	l.CallSoon(func() { question <- "everything" })
	l.Run()
	// Output: the answer to everything
}

// Other goroutines use CallSoonThreadsafe. The external source keeps the loop from becoming
// idle before the call arrives.
func ExampleLoop_CallSoonThreadsafe() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.Driver().Open()
	go l.CallSoonThreadsafe(func() {
		fmt.Println("from another goroutine")
		l.Driver().Shut()
	})
	l.Run()
	// Output: from another goroutine
}

func ExampleLoop_SetExceptionHandler() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { fmt.Println("exception:", e.Err) })
	l.CallSoon(func() { panic(errors.New("no luck")) })
	l.CallSoon(func() { fmt.Println("the next one") })
	l.Run()
	// Output:
	// exception: no luck
	// the next one
}
