// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"math/rand/v2"
	"time"
)

// Faults says what the network does to UDP datagrams. The zero value delivers each datagram at
// once and in order. Decisions are drawn from Config.Rand.
type Faults struct {
	// Loss is the fraction of datagrams that are lost, from 0 to 1.
	Loss float64

	// Double is the fraction of datagrams that arrive twice, from 0 to 1.
	Double float64

	// Each copy of a datagram takes Delay plus a random time up to Jitter. With Jitter,
	// datagrams may overtake each other.
	Delay, Jitter time.Duration
}

// copies calls send with a delay for each copy of a datagram that arrives.
func (f Faults) copies(r *rand.Rand, send func(delay time.Duration)) {
	if f.Loss > 0 && r.Float64() < f.Loss {
		return
	}
	n := 1
	if f.Double > 0 && r.Float64() < f.Double {
		n = 2
	}
	for range n {
		delay := f.Delay
		if f.Jitter > 0 {
			delay += time.Duration(r.Int64N(int64(f.Jitter) + 1))
		}
		send(delay)
	}
}
