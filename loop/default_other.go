// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package loop

import (
	"fmt"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// defaultPoller makes the poller of this name; here there is one.
func defaultPoller(name string) (poll.Poller, error) {
	switch name {
	case "", "portable":
		return portable.New(portable.Config{}), nil
	}
	return nil, fmt.Errorf("BATON_POLLER=%s: on this system there is portable", name)
}
