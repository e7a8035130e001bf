// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"net"
	"sync"
)

// prepareResolver makes the first look-up of Go's resolver in this process, outside every
// bubble. In its first look-up, the resolver creates channels that it keeps. If it created
// them in a bubble, a look-up elsewhere would end the process. No query is sent, because
// Dial fails.
var prepareResolver = sync.OnceFunc(func() {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}
	_, _ = r.LookupHost(context.Background(), "name.test.")
})
