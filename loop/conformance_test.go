// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"testing"

	"baton/loop"
	"baton/loop/looptest"
	"baton/loop/poll"
	"baton/loop/poll/portable"
	"baton/loop/poll/virtual"
)

// worlds are the pollers on which loops are tested. The first is the default of the system,
// or of BATON_POLLER.
var worlds = []struct {
	name string
	open func() poll.Poller
}{
	{"default", func() poll.Poller { return nil }},
	{"portable", func() poll.Poller { return portable.New(portable.Config{}) }},
	{"virtual", func() poll.Poller { return virtual.New(virtual.Config{}) }},
}

func TestConformance(t *testing.T) {
	for _, world := range worlds {
		t.Run(world.name, func(t *testing.T) {
			looptest.Run(t, func(t testing.TB, report func(error)) looptest.Loop[*loop.Handle] {
				l, err := loop.New(loop.Config{Poller: world.open()})
				if err != nil {
					t.Fatal(err)
				}
				l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { report(e.Err) })
				return l
			})
		})
	}
}
