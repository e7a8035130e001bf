// SPDX-License-Identifier: Apache-2.0

// Package saturate adds durations to times without overflow.
package saturate

import (
	"math"
	"time"
)

// longest is the longest duration that is added: 73 years.
const longest = math.MaxInt64 / 4

// Add returns t plus d. A d of more than 73 years counts as 73 years, so that the sum does
// not overflow.
func Add(t time.Time, d time.Duration) time.Time { return t.Add(min(d, longest)) }

// Sum is like Add, for a time given as the duration since some moment.
func Sum(t, d time.Duration) time.Duration { return t + min(d, longest) }
