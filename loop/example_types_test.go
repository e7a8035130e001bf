// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
)

// A virtual clock jumps to the next timer while the loop waits.
func ExampleConfig() {
	l, err := loop.New(loop.Config{
		Poller:   virtual.New(virtual.Config{}),
		MaxJobs:  4,  // at most four blocking functions at a time
		SlowStep: -1, // no watchdog
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	start := l.Time()
	l.CallLater(24*time.Hour, func() { fmt.Println("after", l.Time().Sub(start)) })
	l.Run()
	// Output: after 24h0m0s
}

func ExampleHandle() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	var h *loop.Handle = l.CallLater(time.Hour, func() { fmt.Println("never") })
	fmt.Println("pending:", h.Pending())
	h.Cancel()
	fmt.Println("pending:", h.Pending())
	l.Run() // returns at once
	// Output:
	// pending: true
	// pending: false
}

// CallExceptionHandler reports an error that no caller can receive.
func ExampleException() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { fmt.Println(e) })
	l.CallExceptionHandler(loop.Exception{Message: "reload", Err: errors.New("no such file")})
	// Output: reload: no such file
}

// While a job waits in the executor, it can still be cancelled.
func ExampleJob() {
	l, err := loop.New(loop.Config{MaxJobs: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	release := make(chan bool)
	var first, second *loop.Job
	first = l.RunInExecutor(func() { <-release }, func() { fmt.Println("first: done") })
	second = l.RunInExecutor(func() { fmt.Println("second") }, nil)
	fmt.Println("first cancelled:", first.Cancel()) // false: it has begun
	fmt.Println("second cancelled:", second.Cancel())
	release <- true
	l.Run()
	// Output:
	// first cancelled: false
	// second cancelled: true
	// first: done
}

// A direct executor runs each function at once. It is for functions that do not block.
type direct struct{}

func (direct) Submit(fn func()) (cancel func() bool) {
	fn()
	return func() bool { return false } // the function has already run
}

func (direct) Close(time.Duration) (left int) { return 0 }

func ExampleExecutor() {
	var executor loop.Executor = direct{}
	l, err := loop.New(loop.Config{Executor: executor})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.RunInExecutor(func() { fmt.Println("the function") }, func() { fmt.Println("its callback") })
	fmt.Println("before the run")
	l.Run()
	// Output:
	// the function
	// before the run
	// its callback
}

// The watchdog reports a callback that holds the baton for long.
func ExampleSlowStep() {
	reported := make(chan bool)
	l, err := loop.New(loop.Config{
		SlowStep: 20 * time.Millisecond,
		OnSlow: func(s loop.SlowStep) {
			fmt.Println("slow:", s.Held >= 20*time.Millisecond)
			close(reported)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	l.CallSoon(func() { <-reported }) // blocks the loop
	l.Run()
	// Output: slow: true
}

// A printedStep prints its name.
type printedStep string

func (s printedStep) Run() { fmt.Println(s) }

// A lastFirst order runs the entries of a turn in reverse order.
type lastFirst struct{}

func (lastFirst) Arrange(batch []loop.Entry) (held int) {
	slices.Reverse(batch)
	return 0
}

// Package task queues steps in this way; package sim has an Order that shuffles them.
func ExampleOrder() {
	l, err := loop.New(loop.Config{Order: lastFirst{}})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	for _, r := range []loop.Runner{printedStep("a"), printedStep("b"), printedStep("c")} {
		l.Driver().Ready(loop.Entry{Runner: r, Step: true})
	}
	l.Run()
	// Output:
	// c
	// b
	// a
}

// An alarm is a Waker with its own timer.
type alarm struct{ timer loop.Timer }

func (*alarm) Wake() { fmt.Println("woken") }

// A Timer that is part of its Waker is started without an allocation.
func ExampleTimer() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	a := &alarm{}
	a.timer.Target = a
	l.Driver().StartTimer(&a.timer, l.Time().Add(time.Millisecond))
	l.Run()
	fmt.Println("was started:", l.Driver().StopTimer(&a.timer))
	// Output:
	// woken
	// was started: false
}

// A poster on another goroutine wakes a Waker of the loop.
func ExampleDriver() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	var d *loop.Driver = l.Driver()
	var w loop.Waker = waker(func() {
		fmt.Println("woken")
		d.Shut()
	})
	d.Open() // the loop is not idle until Shut
	go d.Post(w)
	l.Run()
	// Output: woken
}
