// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
	"baton/loop/poll/portable"
)

// defaultPoller makes the poller with this name. The empty name means epoll.
func defaultPoller(name string) (poll.Poller, error) {
	switch name {
	case "", "epoll":
		return epoll.New(epoll.Config{})
	case "portable":
		return portable.New(portable.Config{}), nil
	}
	return nil, fmt.Errorf("unknown poller BATON_POLLER=%s; use epoll or portable", name)
}
