// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package loop

import (
	"fmt"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// defaultPoller makes the poller with this name. This system has only the portable poller.
func defaultPoller(name string) (poll.Poller, error) {
	switch name {
	case "", "portable":
		return portable.New(portable.Config{}), nil
	}
	return nil, fmt.Errorf("unknown poller BATON_POLLER=%s; use portable, the only poller for this system", name)
}
