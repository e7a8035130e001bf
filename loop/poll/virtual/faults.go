// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"math/rand/v2"
	"time"
)

// Faults are what a network does to UDP datagrams. The zero value delivers each at
// once, in order. What happens to one is drawn from Config.Rand.
type Faults struct {
	// Loss is the part of the datagrams that are lost, from 0 to 1.
	Loss float64

	// Double is the part of the datagrams that arrive twice, from 0 to 1.
	Double float64

	// Delay is how long each copy of a datagram takes, and up to Jitter more. With
	// Jitter, datagrams overtake one another.
	Delay, Jitter time.Duration
}

// copies calls send for each copy of a datagram that arrives, with its delay.
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
