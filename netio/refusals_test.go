// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// halfDead returns a network in which one address of "host" refuses and one never answers.
func halfDead() sim.Config {
	var log []string
	return hosts([]string{"fd00::1", "10.0.0.1"}, map[string]fate{"fd00::1": {err: refused}, "10.0.0.1": {delay: never}}, &log)
}

// If a Dial times out, its error also names the addresses that have refused.
func TestTimeoutAndRefusals(t *testing.T) {
	halfDead().Test(t, func(ctx context.Context, t *testing.T) {
		_, err := netio.Dialer{Timeout: time.Minute}.Dial(ctx, "tcp", "host:80")
		const text = "dial tcp host:80: i/o timeout\ndial tcp [fd00::1]:80: connect: connection refused"
		if err == nil || err.Error() != text {
			t.Errorf("Dial: %v, want %s", err, text)
		}
		want(t, "Dial", err, os.ErrDeadlineExceeded)
		want(t, "Dial", err, syscall.ECONNREFUSED)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial returned %v, which looks like a cancel", err)
		}
		if netErr, ok := errors.AsType[net.Error](err); !ok || !netErr.Timeout() {
			t.Errorf("Dial returned %v, want a net.Error with Timeout", err)
		}
	})
}

// If the caller's deadline passes together with the timeout, Dial returns the cancel, without the
// refusals.
func TestTimeoutAndDeadline(t *testing.T) {
	halfDead().Test(t, func(ctx context.Context, t *testing.T) {
		timed, release := await.WithTimeout(ctx, time.Minute)
		defer release()
		_, err := netio.Dialer{Timeout: time.Minute}.Dial(timed, "tcp", "host:80")
		want(t, "Dial", err, context.DeadlineExceeded)
		if _, bare := err.(*task.Canceled); !bare {
			t.Errorf("Dial returned a %T: %v", err, err)
		}
	})
}

// If a cancel comes just after the call's own timeout has passed, the call returns that cancel, not
// the cancel of the timeout's context.
func TestCancelAfterOwnTimeout(t *testing.T) {
	limits := map[string]func(ctx context.Context) error{
		"Listen":          listening(netio.ListenConfig{ResolveTimeout: time.Second}, "host:80"),
		"Dial":            dialing(netio.Dialer{ResolveTimeout: time.Second}, "host:80"),
		"Dial, the whole": dialing(netio.Dialer{Timeout: time.Second}, "host:80"),
	}
	for name, call := range limits {
		cfg := sim.Config{Network: virtual.Config{LookupDelay: func(string) time.Duration { return never }}}
		cfg.Test(t, func(ctx context.Context, t *testing.T) {
			caller := blocked(ctx, func(ctx context.Context) (int, error) { return 0, call(ctx) })
			want(t, "sleep", sleep(ctx, time.Second), nil)
			cause := errors.New("a test")
			caller.Cancel(cause)
			_, err := caller.Await(ctx)
			want(t, name, err, cause)
			if _, bare := err.(*task.Canceled); !bare {
				t.Errorf("%s returned a %T: %v", name, err, err)
			}
		})
	}
}

// nameless is a poller whose look-ups find no address and return no error.
type nameless struct{ poll.Poller }

func (n nameless) Submit(op *poll.Op) bool {
	if op.Kind != poll.Lookup {
		return n.Poller.Submit(op)
	}
	op.Addrs, op.Err = []netip.Addr{}, nil
	return true
}

func TestNoAddress(t *testing.T) {
	world := nameless{virtual.New(virtual.Config{})}
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		_, dialErr := netio.Dial(ctx, "tcp", "host:80")
		_, listenErr := netio.Listen(ctx, "tcp", "host:80")
		for op, err := range map[string]error{"dial": dialErr, "listen": listenErr} {
			dressed, ok := err.(*net.OpError)
			dns, found := errors.AsType[*net.DNSError](err)
			if !ok || dressed.Op != op || !found || !dns.IsNotFound || dns.Name != "host" {
				t.Errorf("%s: %v", op, err)
			}
		}
		return nil
	})
	want(t, "Run", err, nil)
}

// A nil pointer means no local address.
func TestLocalAddrNil(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		defer ln.Close()
		for _, local := range []net.Addr{(*net.TCPAddr)(nil), (*net.UnixAddr)(nil)} {
			must(netio.Dialer{LocalAddr: local}.Dial(ctx, w.network, ln.Addr().String()))(t).Close()
		}
		_, err := netio.Dialer{LocalAddr: (*net.TCPAddr)(nil)}.Dial(ctx, "tcp", "no port")
		if op, ok := err.(*net.OpError); !ok || op.Source != nil {
			t.Errorf("Dial: %#v", err)
		}
	})
}
