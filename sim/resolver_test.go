// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"context"
	"net"
	"testing"

	"baton/await"
	"baton/sim"
)

// Go's resolver works outside bubbles after it was first used in a bubble.
func TestResolverWorksOutsideBubbles(t *testing.T) {
	ask := func(ctx context.Context) (int, error) {
		calls := 0
		r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			calls++
			return nil, net.ErrClosed
		}}
		_, err := r.LookupTXT(ctx, "name.test.")
		return calls, err
	}
	check := func(where string, calls int, err error) {
		if _, ok := err.(*net.DNSError); !ok || calls == 0 {
			t.Errorf("%s: %v after %d dials", where, err, calls)
		}
	}
	sim.Test(t, func(ctx context.Context, _ *testing.T) {
		calls, err := await.Blocking(ctx, ask)
		check("inside a bubble", calls, err)
	})
	calls, err := ask(context.Background())
	check("outside bubbles", calls, err)
}
