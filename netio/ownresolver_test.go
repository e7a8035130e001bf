// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// hostFunc is a HostResolver that is a function.
type hostFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f hostFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

// resolving returns the calls that look up a name, by the operation in their errors.
func resolving(r netio.HostResolver, timeout time.Duration) map[string]func(ctx context.Context, network, address string) error {
	packets := netio.PacketConfig{Resolver: r, ResolveTimeout: timeout}
	return map[string]func(ctx context.Context, network, address string) error{
		"dial": func(ctx context.Context, network, address string) error {
			_, err := netio.Dialer{Resolver: r, ResolveTimeout: timeout}.Dial(ctx, "tcp"+network, address)
			return err
		},
		"listen": func(ctx context.Context, network, address string) error {
			_, err := netio.ListenConfig{Resolver: r, ResolveTimeout: timeout}.Listen(ctx, "tcp"+network, address)
			return err
		},
		"dial of datagrams": func(ctx context.Context, network, address string) error {
			_, err := packets.Dial(ctx, "udp"+network, address)
			return err
		},
		"listen for datagrams": func(ctx context.Context, network, address string) error {
			_, err := packets.Listen(ctx, "udp"+network, address)
			return err
		},
	}
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// The addresses of a custom resolver are treated like those of the poller.
func TestOwnResolverAnswers(t *testing.T) {
	all := addrs("::ffff:10.0.0.1", "10.0.0.2", "10.0.0.1", "fd00::1", "fd00::1")
	all = append(all, netip.Addr{})
	for _, c := range []struct {
		network string
		listens []string
		dials   []string
	}{
		{"", []string{"10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"}, []string{"0s 10.0.0.1", "0s fd00::1", "0s 10.0.0.2"}},
		{"4", []string{"10.0.0.1:80", "10.0.0.2:80"}, []string{"0s 10.0.0.1", "0s 10.0.0.2"}},
		{"6", []string{"[fd00::1]:80"}, []string{"0s fd00::1"}},
	} {
		var log []string
		fates := map[string]fate{"10.0.0.1": {err: refused}, "10.0.0.2": {err: refused}, "fd00::1": {err: refused}}
		hosts(nil, fates, &log).Test(t, func(ctx context.Context, t *testing.T) {
			r := hostFunc(func(_ context.Context, network, host string) ([]netip.Addr, error) {
				if network != "ip"+c.network || host != "own.test" {
					t.Errorf("tcp%s: the resolver was asked for %s of %s", c.network, host, network)
				}
				return all, nil
			})
			ln := must(netio.ListenConfig{Resolver: r}.Listen(ctx, "tcp"+c.network, "own.test:80"))(t)
			var listens []string
			for _, addr := range ln.Addrs() {
				listens = append(listens, addr.String())
			}
			ln.Close()
			_, err := netio.Dialer{Resolver: r}.Dial(ctx, "tcp"+c.network, "own.test:80")
			want(t, "Dial", err, refused)
			if !slices.Equal(listens, c.listens) || !slices.Equal(log, c.dials) {
				t.Errorf("tcp%s: listens on %v, dialed %v, want others", c.network, listens, log)
			}
			for _, call := range []func(netio.PacketConfig, context.Context, string, string) (*netio.PacketConn, error){
				netio.PacketConfig.Listen, netio.PacketConfig.Dial,
			} {
				socket := must(call(netio.PacketConfig{Resolver: r}, ctx, "udp"+c.network, "own.test:80"))(t)
				addr := socket.RemoteAddr()
				if addr == nil {
					addr = socket.LocalAddr()
				}
				if addr.String() != c.listens[0] {
					t.Errorf("udp%s: %v", c.network, addr)
				}
				socket.Close()
			}
		})
	}
}

// A resolver is not asked for an IP address or for an empty host.
func TestOwnResolverIsNotAsked(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		r := hostFunc(func(context.Context, string, string) ([]netip.Addr, error) { panic("the resolver was asked") })
		for _, address := range []string{"10.0.0.1:80", "[fd00::1]:81", ":82"} {
			ln := must(netio.ListenConfig{Resolver: r}.Listen(ctx, "tcp", address))(t)
			must(netio.Dialer{Resolver: r}.Dial(ctx, "tcp", ln.Addr().String()))(t).Close()
			ln.Close()
		}
	})
}

// An error of a resolver becomes a *net.DNSError in a *net.OpError and keeps its cause.
func TestOwnResolverErrors(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ended := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, await.Forever(ctx) })
		ended.Cancel(nil)
		_, canceled := ended.Await(ctx)
		refusal := &net.DNSError{Err: "server misbehaving", Name: "other.test", Server: "10.0.0.53", IsTemporary: true}
		stopped := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, await.Forever(ctx) })
		stopped.Cancel(refusal)
		_, because := stopped.Await(ctx)
		for _, c := range []struct {
			name    string
			answer  []netip.Addr
			err     error // nil if the host does not exist
			timeout bool
		}{
			{name: "nothing"},
			{name: "another family", answer: addrs("fd00::1")},
			{name: "a *net.DNSError", err: refusal},
			{name: "an error of a file", err: fs.ErrNotExist},
			{name: "a timeout of a stream", err: &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, timeout: true},
			{name: "a cancel of something else", err: canceled},
			{name: "a cancel whose cause is a *net.DNSError", err: because},
			{name: "a wrapped *net.DNSError", err: fmt.Errorf("cache: %w", refusal)},
			{name: "an error with addresses", answer: addrs("10.0.0.1"), err: fs.ErrNotExist},
		} {
			r := hostFunc(func(context.Context, string, string) ([]netip.Addr, error) { return c.answer, c.err })
			for name, call := range resolving(r, 0) {
				err := call(ctx, "4", "own.test:80")
				op, dressed := err.(*net.OpError)
				dns, ok := errors.AsType[*net.DNSError](err)
				if !dressed || !ok || dns.IsNotFound != (c.err == nil) || op.Timeout() != c.timeout || c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("%s, %s: %v", c.name, name, err)
				} else if dns != refusal && dns.Name != "own.test" {
					t.Errorf("%s, %s: the name is %s", c.name, name, dns.Name)
				}
			}
		}
	})
}

// A resolver runs on the calling task and may switch. ResolveTimeout and a cancel end its wait.
func TestOwnResolverSwitches(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var caller *task.Ref
		r := hostFunc(func(ctx context.Context, _, host string) ([]netip.Addr, error) {
			if task.Self(ctx) != caller {
				t.Errorf("the resolver runs on %v, want %v", task.Self(ctx), caller)
			}
			if host == "slow.test" {
				return nil, await.Forever(ctx)
			}
			return addrs("10.0.0.1"), sleep(ctx, time.Second)
		})
		ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
		defer ln.Close()
		caller = task.Self(ctx)
		start := task.Now(ctx)
		must(netio.Dialer{Resolver: r}.Dial(ctx, "tcp", "own.test:80"))(t).Close()
		if took := task.Now(ctx).Sub(start); took != time.Second {
			t.Errorf("the dial took %v, want 1s", took)
		}
		for limit, timeout := range map[time.Duration]time.Duration{30 * time.Second: 0, time.Hour: time.Hour} {
			for name, call := range resolving(r, timeout) {
				start := task.Now(ctx)
				err := call(ctx, "", "slow.test:80")
				dns, ok := errors.AsType[*net.DNSError](err)
				if took := task.Now(ctx).Sub(start); !ok || !dns.IsTimeout || dns.Name != "slow.test" || took != limit {
					t.Errorf("%s: %v after %v, want a timeout after %v", name, err, took, limit)
				}
			}
		}
		for name, call := range resolving(r, -1) {
			waiting := task.StartErr(ctx, func(ctx context.Context) error {
				caller = task.Self(ctx)
				return call(ctx, "", "slow.test:80")
			})
			want(t, "sleep", sleep(ctx, time.Hour), nil)
			waiting.Cancel(nil)
			_, err := waiting.Await(ctx)
			if _, bare := err.(*task.Canceled); !bare {
				t.Errorf("%s: %v, want a *task.Canceled", name, err)
			}
		}
	})
}

// A *net.Resolver does not hold the baton while it waits: it can ask a server that is a task of
// the same loop.
func TestOwnResolverOfPackageNet(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		z := zone{}
		z.add(typeA, "local.test.", "\x7f\x00\x00\x01")
		answering := z.resolver(ctx, t)
		for _, r := range []netio.HostResolver{answering, netio.Resolver{Net: answering}} {
			ln := must(netio.ListenConfig{Resolver: r}.Listen(ctx, "tcp4", "local.test.:0"))(t)
			near := must(netio.Dialer{Resolver: r}.Dial(ctx, "tcp", net.JoinHostPort("local.test.", port(ln))))(t)
			must(ln.Accept(ctx))(t).Close()
			near.Close()
			ln.Close()
			_, err := netio.Dialer{Resolver: r}.Dial(ctx, "tcp", "no-such-name.test.:80")
			if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
				t.Errorf("Dial of an unknown name: %v", err)
			}
		}
		task.ScopeOf(ctx).Cancel(nil)
	})
}
