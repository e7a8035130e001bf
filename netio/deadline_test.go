// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// silent is a world in which no connect and no look-up ever completes.
func silent() sim.Config {
	return sim.Config{Network: virtual.Config{
		Dial:        func(net.Addr) (time.Duration, error) { return never, nil },
		LookupDelay: func(string) time.Duration { return never },
	}}
}

func dialing(d netio.Dialer, address string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := d.Dial(ctx, "tcp", address)
		return err
	}
}

func listening(c netio.ListenConfig, address string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.Listen(ctx, "tcp", address)
		return err
	}
}

// If the caller's deadline passes during a Dial or Listen, the call returns the *task.Canceled
// unwrapped, whatever the call waits for and whatever limits it has itself. The timeout block
// recognizes its own cancel in it.
func TestCallersDeadline(t *testing.T) {
	const host, literal = "host:80", "10.0.0.1:80"
	for name, call := range map[string]func(context.Context) error{
		"connect":                        dialing(netio.Dialer{}, literal),
		"connect, with a timeout":        dialing(netio.Dialer{Timeout: time.Hour}, literal),
		"look-up of Dial":                dialing(netio.Dialer{}, host),
		"look-up of Dial, no limit":      dialing(netio.Dialer{ResolveTimeout: never}, host),
		"look-up of Dial, two limits":    dialing(netio.Dialer{Timeout: time.Hour, ResolveTimeout: time.Minute}, host),
		"look-up of Listen":              listening(netio.ListenConfig{}, host),
		"look-up of Listen, no limit":    listening(netio.ListenConfig{ResolveTimeout: never}, host),
		"look-up of Listen, other limit": listening(netio.ListenConfig{ResolveTimeout: time.Minute}, host),
	} {
		t.Run(name, func(t *testing.T) {
			silent().Test(t, func(ctx context.Context, t *testing.T) {
				start := task.Now(ctx)
				edge := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
					err := call(ctx)
					want(t, "the call", err, context.DeadlineExceeded)
					if _, bare := err.(*task.Canceled); !bare || errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("the call returned %#v, want a bare *task.Canceled", err)
					}
					return err
				})
				want(t, "Timeout", edge, context.DeadlineExceeded)
				if edge == nil || !strings.Contains(edge.Error(), "timeout after 1s") {
					t.Errorf("Timeout = %v, want the block's own error", edge)
				}
				timed, release := await.WithTimeout(ctx, time.Second)
				defer release()
				want(t, "under WithTimeout", call(timed), context.DeadlineExceeded)
				if took := task.Now(ctx).Sub(start); took != 2*time.Second {
					t.Errorf("both calls took %v, want one second each", took)
				}
			})
		})
	}
}

// A Dial whose own limit passes returns the error of that limit, also if limits are nested.
func TestOwnDeadline(t *testing.T) {
	silent().Test(t, func(ctx context.Context, t *testing.T) {
		for _, d := range []netio.Dialer{
			{Timeout: time.Second},                        // shorter than the limit of the look-up
			{Timeout: time.Second, ResolveTimeout: never}, // the look-up has no limit
		} {
			want(t, "the whole", dialing(d, "host:80")(ctx), os.ErrDeadlineExceeded)
		}
		var dns *net.DNSError
		err := dialing(netio.Dialer{Timeout: time.Hour, ResolveTimeout: time.Second}, "host:80")(ctx)
		if !errors.As(err, &dns) || !dns.IsTimeout {
			t.Errorf("the look-up: %v, want a *net.DNSError", err)
		}
	})
}
