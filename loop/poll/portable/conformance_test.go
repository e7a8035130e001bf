// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/polltest"
	"baton/loop/poll/portable"
)

func TestConformance(t *testing.T) {
	polltest.Run(t, func(t testing.TB) poll.Poller {
		return portable.New(portable.Config{Resolver: offline})
	})
}

// offline resolves what package net resolves by itself. All DNS servers are unreachable.
var offline = &net.Resolver{
	PreferGo: true,
	Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, syscall.ENETUNREACH
	},
}
