// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"testing"
	"time"
)

// Late is Test for a test whose time is over from the beginning.
func (c Config) Late(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	c.testUntil(t, time.Unix(1, 0), fn)
}
