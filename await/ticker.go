// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"math"
	"time"

	"baton/task"
)

// A Ticker waits for ticks at equal intervals on the loop's clock. Tick n comes n intervals
// after the call of NewTicker, even if earlier calls of Next were late. A Ticker has no
// timer between the calls of Next, so it need not be stopped. Only one task at a time may
// use it.
type Ticker struct {
	interval time.Duration
	next     time.Time // the first tick that Next has not returned
}

// NewTicker returns a Ticker whose first interval begins now, on the clock of ctx's loop.
// It never switches. It panics if the interval is zero or less.
func NewTicker(ctx context.Context, interval time.Duration) *Ticker {
	if interval <= 0 {
		misuse("NewTicker with an interval of %v; the interval must be positive", interval)
	}
	return &Ticker{interval, after(ctx, interval)}
}

// Next waits for the next tick, and returns the number of ticks since the last call. The
// number is 1, or more if the task was late. In that case, Next returns at once, with all
// missed ticks together. If ctx is cancelled, Next returns the *task.Canceled. No tick is
// lost: the next call counts it. Next does not allocate.
func (t *Ticker) Next(ctx context.Context) (ticks int, err error) {
	if err := task.ParkUntil(ctx, t.next); err != nil {
		return 0, err
	}
	late := task.Now(ctx).Sub(t.next) / t.interval
	t.next = t.next.Add((late + 1) * t.interval)
	return int(min(late, math.MaxInt-1)) + 1, nil // an int may have 32 bits
}
