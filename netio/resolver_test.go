// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"baton/await"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// lookups are the calls of a Resolver, with their answers from the zone example as fmt prints
// them.
var lookups = []struct {
	name string
	call func(ctx context.Context, r netio.Resolver, domain string) (string, error)
	host string // the name or address to look up
	want string
}{
	{"NetIP", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		ips, err := r.LookupNetIP(ctx, "ip4", name)
		return fmt.Sprint(ips), err
	}, "host.test.", "[192.0.2.1]"},
	{"Host", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		addrs, err := r.LookupHost(ctx, name)
		return fmt.Sprint(addrs), err
	}, "host.test.", "[192.0.2.1]"},
	{"Addr", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		names, err := r.LookupAddr(ctx, name)
		return fmt.Sprint(names), err
	}, "192.0.2.1", "[host.test.]"},
	{"CNAME", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		return r.LookupCNAME(ctx, name)
	}, "alias.test.", "host.test."},
	{"TXT", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		texts, err := r.LookupTXT(ctx, name)
		return fmt.Sprint(texts), err
	}, "host.test.", "[helloworld bye]"},
	{"SRV", func(ctx context.Context, r netio.Resolver, name string) (string, error) {
		cname, all, err := r.LookupSRV(ctx, "chat", "tcp", name)
		for _, a := range all {
			cname += fmt.Sprint(" ", *a)
		}
		return cname, err
	}, "test.", "_chat._tcp.test. {mail.test. 81 1 0} {host.test. 80 2 0}"},
	{"MX", func(ctx context.Context, r netio.Resolver, name string) (answer string, err error) {
		all, err := r.LookupMX(ctx, name)
		for _, a := range all {
			answer += fmt.Sprint(*a)
		}
		return answer, err
	}, "test.", "{host.test. 5}{mail.test. 10}"},
	{"NS", func(ctx context.Context, r netio.Resolver, name string) (answer string, err error) {
		all, err := r.LookupNS(ctx, name)
		for _, a := range all {
			answer += fmt.Sprint(*a)
		}
		return answer, err
	}, "test.", "{host.test.}"},
}

// unknown returns a name or an address, as host is one, that does not exist.
func unknown(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return "192.0.2.99"
	}
	return "no-such-name.test."
}

// checkLookups makes every call, for a name that exists and for a name that does not.
func checkLookups(ctx context.Context, t *testing.T, r netio.Resolver) {
	for _, c := range lookups {
		if got, err := c.call(ctx, r, c.host); err != nil || got != c.want {
			t.Errorf("%s returned %q, %v, want %q", c.name, got, err, c.want)
		}
		_, err := c.call(ctx, r, unknown(c.host))
		if dns, ok := err.(*net.DNSError); !ok || !dns.IsNotFound {
			t.Errorf("%s of an unknown name: %v", c.name, err)
		}
	}
}

// The server that answers runs on the same loop, so the calls do not block the loop.
func TestResolverAnswers(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		r := netio.Resolver{Net: example().resolver(ctx, t)}
		checkLookups(ctx, t, r)
		all, err := r.LookupMX(ctx, "partly.test.")
		if _, ok := err.(*net.DNSError); !ok || len(all) != 1 || all[0].Host != "host.test." {
			t.Errorf("LookupMX with a malformed record = %v, %v", all, err)
		}
		for _, r := range []netio.Resolver{r, {}} {
			got, err := lookups[0].call(ctx, r, "::ffff:192.0.2.1")
			if err != nil || got != "[192.0.2.1]" {
				t.Errorf("NetIP of a mapped address: %s, %v", got, err)
			}
		}
		task.ScopeOf(ctx).Cancel(nil)
	})
}

// overUDP runs fn with a resolver that asks a server of z on the loopback interface. begun waits
// until a look-up has sent its query.
func overUDP(t *testing.T, z zone, fn func(ctx context.Context, t *testing.T, r netio.Resolver, begun func())) {
	real(t, func(ctx context.Context) error {
		socket := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(t)
		defer socket.Close()
		z.serveUDP(ctx, socket)
		conns := make(chan net.Conn, 100)
		begun := func() {
			conn, _, err := await.Receive(ctx, conns)
			want(t, "Receive", err, nil)
			conns <- conn
		}
		defer func() { // ends what cancelled calls have left
			for len(conns) > 0 {
				(<-conns).Close()
			}
		}()
		fn(ctx, t, netio.Resolver{Net: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "udp", socket.LocalAddr().String())
			if err == nil {
				conns <- conn
			}
			return conn, err
		}}}, begun)
		return nil
	})
}

func TestResolverOverUDP(t *testing.T) {
	overUDP(t, example(), func(ctx context.Context, t *testing.T, r netio.Resolver, _ func()) { checkLookups(ctx, t, r) })
}

// A cancel ends a call at once, although package net waits some seconds longer for the answer.
func TestResolverCancel(t *testing.T) {
	for _, c := range lookups {
		cancel := func(ctx context.Context, t *testing.T, r netio.Resolver, begun func()) {
			call := task.StartErr(ctx, func(ctx context.Context) error { _, err := c.call(ctx, r, c.host); return err })
			begun()
			call.Cancel(nil)
			start := task.Now(ctx)
			_, err := call.Await(ctx)
			if _, bare := err.(*task.Canceled); !bare || task.Now(ctx).Sub(start) > time.Second {
				t.Errorf("%s returned %v after %v, want a *task.Canceled at once", c.name, err, task.Now(ctx).Sub(start))
			}
		}
		overUDP(t, nil, cancel)
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			cancel(ctx, t, netio.Resolver{Net: zone(nil).resolver(ctx, t)}, func() {
				want(t, "sleep", sleep(ctx, time.Millisecond), nil)
			})
			task.ScopeOf(ctx).Cancel(nil)
		})
	}
}

// If the server does not answer, a call times out on the loop's clock. The default is 30 s, even if
// package net ignores it.
func TestResolverTimeout(t *testing.T) {
	cfg := sim.Config{Network: virtual.Config{LookupDelay: func(string) time.Duration { return never }}}
	cfg.Test(t, func(ctx context.Context, t *testing.T) {
		silent := zone(nil).resolver(ctx, t)
		release := make(chan struct{})
		defer close(release)
		deaf := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			<-release
			return nil, net.ErrClosed
		}}
		check := func(name string, r netio.Resolver, ask func(context.Context, netio.Resolver, string) (string, error), limit time.Duration) {
			start := task.Now(ctx)
			_, err := ask(ctx, r, "host.test.")
			took := task.Now(ctx).Sub(start)
			if dns, ok := err.(*net.DNSError); !ok || !dns.IsTimeout || dns.Name != "host.test." || took != limit {
				t.Errorf("%s: %v after %v, want a timeout after %v", name, err, took, limit)
			}
		}
		for _, c := range lookups {
			if c.name == "NetIP" || c.name == "TXT" {
				check(c.name, netio.Resolver{Net: silent, Timeout: time.Millisecond}, c.call, time.Millisecond)
				check(c.name+" by default", netio.Resolver{Net: deaf}, c.call, 30*time.Second)
			}
		}
		check("of the poller", netio.Resolver{}, lookups[0].call, 30*time.Second)
		check("of the poller, longer", netio.Resolver{Timeout: time.Hour}, lookups[0].call, time.Hour)
		task.ScopeOf(ctx).Cancel(nil)
	})
}

// A simulated world resolves only addresses.
func TestResolverOfSimulation(t *testing.T) {
	cfg := sim.Config{Network: virtual.Config{Hosts: map[string][]netip.Addr{
		"host.test": {netip.MustParseAddr("192.0.2.1")},
	}}}
	cfg.Test(t, func(ctx context.Context, t *testing.T) {
		for _, c := range lookups {
			got, err := c.call(ctx, netio.Resolver{}, c.host)
			if c.name == "NetIP" || c.name == "Host" {
				if err != nil || got != c.want {
					t.Errorf("%s returned %s, %v", c.name, got, err)
				}
				_, err := c.call(ctx, netio.Resolver{}, "no-such-name.test")
				if dns, ok := err.(*net.DNSError); !ok || !dns.IsNotFound {
					t.Errorf("%s of an unknown name: %v", c.name, err)
				}
				continue
			}
			if dns, ok := err.(*net.DNSError); !ok || !errors.Is(err, errors.ErrUnsupported) || dns.Name != c.host {
				t.Errorf("%s: %v, want ErrUnsupported", c.name, err)
			}
		}
	})
}
