// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"net"
	"sync"
)

// prepareNet makes the first look-up of Go's resolver in this process, outside of every
// bubble. The resolver then makes channels that it keeps. If it made them in a bubble,
// they would belong to the bubble, and a look-up anywhere else would end the process.
// The Dial fails, so nobody is asked.
var prepareNet = sync.OnceFunc(func() {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}
	_, _ = r.LookupHost(context.Background(), "name.test.")
})
