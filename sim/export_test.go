// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"testing"
	"time"
)

// Late is Test when the time of the test is over.
func (c Config) Late(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	c.until(t, time.Unix(1, 0), fn)
}
