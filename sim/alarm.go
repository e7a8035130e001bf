// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// reserve is how much of the time for the tests of a binary (go test -timeout) is
// left, at most, when one that goes on is ended. In the end package testing would
// print the stacks of all goroutines, but neither the seed nor who waits for what.
const reserve = 10 * time.Second

// An alarm says when the time of a test is over, on the clock of the machine. It
// runs outside the bubble, which is not to be touched from there.
type alarm struct {
	timer *time.Timer // nil if there is no end
	over  atomic.Bool
}

// start is for a test that has time until deadline. When that is near, the alarm
// also prints how to replay the test: only package testing can end a test whose step
// does not end.
func (a *alarm) start(t *testing.T, deadline time.Time, seed uint64) {
	left := time.Until(deadline)
	a.timer = time.AfterFunc(left-min(left/4, reserve), func() {
		fmt.Fprintf(os.Stderr, "sim: the time of %s is nearly over; replay its schedule: %s\n", t.Name(), replay(t, seed))
		a.over.Store(true) // the end of the test may be that of the process
	})
}

// stop may be called without a start.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
