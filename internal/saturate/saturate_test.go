// SPDX-License-Identifier: Apache-2.0

package saturate_test

import (
	"math"
	"testing"
	"time"

	"baton/internal/saturate"
)

func TestLongDurationsDoNotOverflow(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	if got := saturate.Add(now, time.Hour); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("Add(now, time.Hour) = %v", got)
	}
	if got := saturate.Add(now, -time.Hour); !got.Equal(now.Add(-time.Hour)) {
		t.Errorf("Add(now, -time.Hour) = %v", got)
	}
	never := saturate.Add(now, math.MaxInt64)
	if again := saturate.Add(never, math.MaxInt64); !never.After(now.AddDate(70, 0, 0)) || !again.After(never) {
		t.Errorf("adding the longest duration once gives %v, and twice %v", never, again)
	}
	if got := saturate.Sum(math.MaxInt64/2, math.MaxInt64); got < math.MaxInt64/2 {
		t.Errorf("Sum overflows: %v", got)
	}
}
