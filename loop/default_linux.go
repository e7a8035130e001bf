// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
	"baton/loop/poll/portable"
)

// defaultPoller makes the poller of this name; the empty name is the best one.
func defaultPoller(name string) (poll.Poller, error) {
	switch name {
	case "", "epoll":
		return epoll.New(epoll.Config{})
	case "portable":
		return portable.New(portable.Config{}), nil
	}
	return nil, fmt.Errorf("BATON_POLLER=%s: there are epoll and portable", name)
}
