// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

const never = -1 // the delay of a connect that is never answered

// closedPort is an address on which no process listens. A port that was free before may be taken.
const closedPort = "127.0.0.1:1"

var refused = os.NewSyscallError("connect", syscall.ECONNREFUSED)

// outcome is the result of a connect to an address.
type outcome struct {
	delay time.Duration
	err   error
}

// hosts returns a network in which the host named "host" has the addresses addrs. Connects end
// as outcomes says. The network writes the time and the address of each connect to log.
func hosts(addrs []string, outcomes map[string]outcome, log *[]string) sim.Config {
	var ips []netip.Addr
	for _, addr := range addrs {
		ips = append(ips, netip.MustParseAddr(addr))
	}
	var start time.Time
	return sim.Config{Network: virtual.Config{
		Hosts: map[string][]netip.Addr{"host": ips},
		Dial: func(addr net.Addr) (time.Duration, error) {
			if start.IsZero() {
				start = time.Now() // in virtual time
			}
			host, _, _ := net.SplitHostPort(addr.String())
			*log = append(*log, fmt.Sprintf("%v %s", time.Since(start), host))
			f := outcomes[host]
			return f.delay, f.err
		},
	}}
}

// Dial starts its attempts in the order and with the delays of RFC 8305, and the first attempt
// to connect wins.
func TestHappyEyeballs(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name     string
		addrs    []string
		outcomes map[string]outcome
		dialer   netio.Dialer
		log      []string
		winner   string
		took     time.Duration
		errs     []error
	}{
		{
			name:     "the first one answers",
			addrs:    []string{"fd00::1", "10.0.0.1"},
			outcomes: map[string]outcome{"fd00::1": {delay: 10 * ms}},
			log:      []string{"0s fd00::1"},
			winner:   "fd00::1", took: 10 * ms,
		}, {
			name:     "no answer, then the other family",
			addrs:    []string{"fd00::1", "fd00::2", "10.0.0.1"},
			outcomes: map[string]outcome{"fd00::1": {delay: never}, "10.0.0.1": {delay: 10 * ms}},
			log:      []string{"0s fd00::1", "250ms 10.0.0.1"},
			winner:   "10.0.0.1", took: 260 * ms,
		}, {
			name:  "a failure starts the next at once",
			addrs: []string{"fd00::1", "10.0.0.1"},
			outcomes: map[string]outcome{
				"fd00::1": {delay: 10 * ms, err: refused}, "10.0.0.1": {delay: 10 * ms},
			},
			log:    []string{"0s fd00::1", "10ms 10.0.0.1"},
			winner: "10.0.0.1", took: 20 * ms,
		}, {
			name:  "the delay begins again with every attempt",
			addrs: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"},
			outcomes: map[string]outcome{
				"10.0.0.1": {delay: never}, "10.0.0.2": {delay: 100 * ms, err: refused}, "10.0.0.3": {delay: never},
				"10.0.0.4": {delay: 10 * ms},
			},
			log:    []string{"0s 10.0.0.1", "250ms 10.0.0.2", "350ms 10.0.0.3", "600ms 10.0.0.4"},
			winner: "10.0.0.4", took: 610 * ms,
		}, {
			name:     "a slow first one still wins",
			addrs:    []string{"fd00::1", "10.0.0.1"},
			outcomes: map[string]outcome{"fd00::1": {delay: 300 * ms}, "10.0.0.1": {delay: 100 * ms}},
			log:      []string{"0s fd00::1", "250ms 10.0.0.1"},
			winner:   "fd00::1", took: 300 * ms,
		}, {
			name:  "no happy eyeballs",
			addrs: []string{"10.0.0.1", "10.0.0.2"},
			outcomes: map[string]outcome{
				"10.0.0.1": {delay: time.Hour, err: refused}, "10.0.0.2": {},
			},
			dialer: netio.Dialer{FallbackDelay: -1},
			log:    []string{"0s 10.0.0.1", "1h0m0s 10.0.0.2"},
			winner: "10.0.0.2", took: time.Hour,
		}, {
			name:  "all fail alike: one error",
			addrs: []string{"10.0.0.1", "fd00::1"},
			outcomes: map[string]outcome{
				"10.0.0.1": {err: refused}, "fd00::1": {err: refused},
			},
			log:  []string{"0s 10.0.0.1", "0s fd00::1"},
			errs: []error{syscall.ECONNREFUSED},
		}, {
			name:  "all fail: all errors",
			addrs: []string{"10.0.0.1", "fd00::1"},
			outcomes: map[string]outcome{
				"10.0.0.1": {err: refused}, "fd00::1": {err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
			},
			log:  []string{"0s 10.0.0.1", "0s fd00::1"},
			errs: []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH},
		}, {
			name:     "an address that comes twice is tried once",
			addrs:    []string{"10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"},
			outcomes: map[string]outcome{"10.0.0.1": {err: refused}},
			log:      []string{"0s 10.0.0.1"},
			errs:     []error{syscall.ECONNREFUSED},
		}, {
			name:     "a timeout of the whole call",
			addrs:    []string{"10.0.0.1", "10.0.0.2"},
			outcomes: map[string]outcome{"10.0.0.1": {delay: never}, "10.0.0.2": {delay: never}},
			dialer:   netio.Dialer{Timeout: time.Minute},
			log:      []string{"0s 10.0.0.1", "250ms 10.0.0.2"},
			took:     time.Minute,
			errs:     []error{os.ErrDeadlineExceeded},
		}, {
			name:   "a local address chooses the family",
			addrs:  []string{"fd00::1", "10.0.0.1"},
			dialer: netio.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9)}},
			log:    []string{"0s 10.0.0.1"},
			winner: "10.0.0.1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log []string
			cfg := hosts(c.addrs, c.outcomes, &log)
			cfg.Test(t, func(ctx context.Context, t *testing.T) {
				ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
				defer ln.Close()
				start := task.Now(ctx)
				s, err := c.dialer.Dial(ctx, "tcp", "host:80")
				if took := task.Now(ctx).Sub(start); took != c.took {
					t.Errorf("Dial took %v, want %v", took, c.took)
				}
				if !slices.Equal(log, c.log) {
					t.Errorf("dialed %q, want %q", log, c.log)
				}
				for _, cause := range c.errs {
					want(t, "Dial", err, cause)
				}
				if err != nil {
					checkDialError(t, err, c.winner == "", len(c.errs))
					return
				}
				defer s.Close()
				if host, _, _ := net.SplitHostPort(s.RemoteAddr().String()); host != c.winner {
					t.Errorf("connected to %v, want %s", host, c.winner)
				}
			})
		})
	}
}

func checkDialError(t *testing.T, err error, wanted bool, n int) {
	t.Helper()
	var op *net.OpError
	if !wanted || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("Dial returned %v, want a *net.OpError", err)
	}
	if _, one := err.(*net.OpError); one != (n == 1) {
		t.Errorf("Dial returned a %T, want %d errors", err, n)
	}
}

// A cancel during a look-up or a connect takes effect at once.
func TestDialCancelTakesEffectAtOnce(t *testing.T) {
	for _, lookup := range []bool{true, false} {
		cfg := sim.Config{Network: virtual.Config{
			Hosts: map[string][]netip.Addr{"host": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}},
			Dial:  func(net.Addr) (time.Duration, error) { return never, nil },
		}}
		if lookup {
			cfg.Network.LookupDelay = func(string) time.Duration { return never }
		}
		cfg.Test(t, func(ctx context.Context, t *testing.T) {
			dial := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
				return netio.Dial(ctx, "tcp", "host:80")
			})
			want(t, "sleep", sleep(ctx, time.Second), nil)
			dial.Cancel(nil)
			start := task.Now(ctx)
			_, err := dial.Await(ctx)
			want(t, "Dial", err, context.Canceled)
			if _, bare := err.(*task.Canceled); !bare || task.Now(ctx) != start {
				t.Errorf("Dial returned a %T after %v, want a bare *task.Canceled at once", err, task.Now(ctx).Sub(start))
			}
		})
	}
}

// A cancel and a connection may come in one turn. Whichever comes first, the connection is not
// leaked: Dial returns it, or the peer sees it end.
func TestDialCancelRacesWithConnect(t *testing.T) {
	for range 20 {
		cfg := sim.Config{Network: virtual.Config{
			Dial: func(net.Addr) (time.Duration, error) { return time.Second, nil },
		}}
		cfg.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			defer ln.Close()
			dial := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
				return netio.Dial(ctx, "tcp", "10.0.0.1:80")
			})
			task.Go(ctx, func(ctx context.Context) error {
				if err := sleep(ctx, time.Second); err != nil {
					return err
				}
				dial.Cancel(nil)
				return nil
			})
			s, err := dial.Await(ctx)
			if (s == nil) != errors.Is(err, context.Canceled) {
				t.Fatalf("Dial = %v, %v", s, err)
			}
			if s != nil {
				want(t, "Close", s.Close(), nil)
			}
			accept := task.Start(ctx, ln.Accept)
			want(t, "sleep", sleep(ctx, time.Second), nil)
			accept.Cancel(nil)
			if far, err := accept.Await(ctx); err == nil {
				n, err := far.Read(ctx, make([]byte, 1))
				if n != 0 || err == nil {
					t.Errorf("the peer reads %d bytes, %v; want an error", n, err)
				}
				far.Close()
			}
		})
	}
}

func TestResolveTimeout(t *testing.T) {
	cfg := sim.Config{Network: virtual.Config{LookupDelay: func(string) time.Duration { return never }}}
	cfg.Test(t, func(ctx context.Context, t *testing.T) {
		for name, call := range map[string]func() error{
			"Dial":   func() error { _, err := netio.Dial(ctx, "tcp", "host:80"); return err },
			"Listen": func() error { _, err := netio.Listen(ctx, "tcp", "host:80"); return err },
		} {
			start := task.Now(ctx)
			err := call()
			var dns *net.DNSError
			var op *net.OpError
			if !errors.As(err, &op) || !op.Timeout() || !errors.As(err, &dns) || dns.Name != "host" {
				t.Errorf("%s: %v", name, err)
			}
			if took := task.Now(ctx).Sub(start); took != 30*time.Second {
				t.Errorf("%s took %v, want 30 s", name, took)
			}
		}
	})
}

// An impossible address is the same error as in package net, and no socket is opened.
func TestBadAddressIsErrorOfPackageNet(t *testing.T) {
	for _, c := range []struct {
		network, address string
		cause            error // by type
	}{
		{"tcp", "localhost", &net.AddrError{}},
		{"tcp", "localhost:65536", &net.AddrError{}},
		{"tcp", "localhost:-1", &net.AddrError{}},
		{"tcp", "localhost:no-such-service", &net.DNSError{}},
		{"tcp", "[::1:80", &net.AddrError{}},
		{"tcp", "::1:80", &net.AddrError{}},
		{"tcp4", "[::1]:80", &net.AddrError{}},
		{"tcp6", "127.0.0.1:80", &net.AddrError{}},
		{"unix", "", &net.AddrError{}},
		{"udp", "localhost:80", net.UnknownNetworkError("")},
		{"", "localhost:80", net.UnknownNetworkError("")},
		{"tcp", "no-such-host:80", &net.DNSError{}},
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			_, dialErr := netio.Dial(ctx, c.network, c.address)
			_, listenErr := netio.Listen(ctx, c.network, c.address)
			for op, err := range map[string]error{"dial": dialErr, "listen": listenErr} {
				var wrapped *net.OpError
				if !errors.As(err, &wrapped) || wrapped.Op != op || wrapped.Net != c.network ||
					fmt.Sprintf("%T", wrapped.Err) != fmt.Sprintf("%T", c.cause) {
					t.Errorf("%s %s %s: %v, want a %T in a *net.OpError", op, c.network, c.address, err, c.cause)
				}
			}
		})
	}
}

func TestDialFromUsedLocalAddr(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		defer ln.Close()
		d := netio.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
		s := must(d.Dial(ctx, w.network, ln.Addr().String()))(t)
		defer s.Close()
		d.LocalAddr = s.LocalAddr() // already in use
		_, err := d.Dial(ctx, w.network, ln.Addr().String())
		want(t, "Dial", err, syscall.EADDRINUSE)
		if err == nil || !strings.Contains(err.Error(), s.LocalAddr().String()) {
			t.Errorf("Dial: %v does not mention the local address", err)
		}
	})
}

func TestDialRefused(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		address, cause := w.address(t), error(syscall.ENOENT)
		if w.network == "tcp" {
			address, cause = closedPort, syscall.ECONNREFUSED
		}
		_, err := netio.Dial(ctx, w.network, address)
		want(t, "Dial", err, cause)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Addr.String() != address {
			t.Errorf("Dial: %#v", err)
		}
	})
}

// A port may be the name of a well-known service.
func TestPortByServiceName(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:http"))(t)
		defer ln.Close()
		if port(ln) != "80" {
			t.Errorf("http is port %s, want 80", port(ln))
		}
	})
}
