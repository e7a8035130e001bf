// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// reserve is how much time before the end of go test's -timeout a running test is ended, at
// most. At the -timeout itself, package testing prints the stacks of all goroutines, but
// neither the seed nor what the tasks wait for.
const reserve = 10 * time.Second

// A timeLimit records when the time of a test is over, on the machine's clock. Its timer
// runs outside the bubble, and must not touch anything in the bubble except over.
type timeLimit struct {
	timer *time.Timer // nil if there is no limit
	over  atomic.Bool
}

// start begins the time limit of a test that has time until deadline. Shortly before the
// deadline, it prints how to replay the test, because only package testing can end a test
// whose step does not end. Package testing ends the whole process.
func (l *timeLimit) start(t *testing.T, deadline time.Time, seed uint64) {
	left := time.Until(deadline)
	l.timer = time.AfterFunc(left-min(left/4, reserve), func() {
		fmt.Fprintf(os.Stderr, "sim: the time of %s is nearly over; to replay its schedule, run: %s\n", t.Name(), replay(t, seed))
		l.over.Store(true) // last: package testing may end the process soon after
	})
}

// stop ends the time limit. It may be called without start.
func (l *timeLimit) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}
