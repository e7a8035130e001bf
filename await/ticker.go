// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"math"
	"time"

	"baton/task"
)

// A Ticker divides the time of a loop into equal intervals: tick n is n intervals
// after the call of NewTicker, however late Next was called for the ticks before.
// It holds no timer between the calls, so it need not be stopped. It is for one
// task at a time.
type Ticker struct {
	interval time.Duration
	next     time.Time // the first tick that Next has not returned
}

// NewTicker returns a Ticker that begins now on the loop of ctx's task. It never
// switches. An interval of zero or less is misuse and panics.
func NewTicker(ctx context.Context, interval time.Duration) *Ticker {
	if interval <= 0 {
		misuse("NewTicker with an interval of %v", interval)
	}
	return &Ticker{interval, after(ctx, interval)}
}

// Next waits for the next tick, and returns how many ticks have come since the
// last Next. That is 1, or more if the task was late: Next returns at once then,
// and once for all of them. The error is the *task.Canceled; no tick is lost with
// it, for the next call counts it. Next allocates nothing.
func (t *Ticker) Next(ctx context.Context) (ticks int, err error) {
	if err := task.ParkUntil(ctx, t.next); err != nil {
		return 0, err
	}
	late := task.Now(ctx).Sub(t.next) / t.interval
	t.next = t.next.Add((late + 1) * t.interval)
	return int(min(late, math.MaxInt-1)) + 1, nil // an int may have 32 bits
}
