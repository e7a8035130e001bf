// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The virtual clock advances from one greeting to the next.
func Example() {
	l, err := loop.New(loop.Config{Poller: virtual.New(virtual.Config{})})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	began := l.Time()
	greet(l, 3)
	l.Run()
	fmt.Println(l.Time().Sub(began))
	// Output:
	// Hello World
	// Hello World
	// Hello World
	// 4s
}
