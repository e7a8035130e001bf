// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/polltest"
	"baton/loop/poll/virtual"
)

func TestConformance(t *testing.T) {
	polltest.Run(t, func(t testing.TB) poll.Poller {
		return virtual.New(virtual.Config{})
	})
}

func TestConformanceInBubbles(t *testing.T) {
	polltest.RunInBubbles(t, func(t testing.TB) poll.Poller {
		return virtual.New(virtual.Config{Bubble: true})
	})
}
