// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
	"baton/loop/poll/polltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// offline resolves names from the hosts file only, and sends nothing.
var offline = &net.Resolver{
	PreferGo: true,
	Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no network in tests")
	},
}

// modes are the two ways to sleep. Tests that depend on sleeping run in both.
var modes = []struct {
	name   string
	config epoll.Config
}{
	{"nested", epoll.Config{Resolver: offline}},
	{"blocking", epoll.Config{Resolver: offline, Blocking: true}},
}

func TestConformance(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			polltest.Run(t, func(t testing.TB) poll.Poller { return open(t, mode.config) })
		})
	}
}

func TestCaps(t *testing.T) {
	const want = "unix|lookups|readiness|adopts|provided|vectored|datagrams|sendfiles|ancillary"
	if got := open(t, epoll.Config{}).Caps().String(); got != want {
		t.Errorf("Caps() = %v, want %v", got, want)
	}
}

// The clock of a bubble would not advance while a goroutine waits for a descriptor.
func TestNewFailsInSynctestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := epoll.New(epoll.Config{})
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "package sim") {
			t.Errorf("New in a bubble: %v, want errors.ErrUnsupported and a text that names package sim", err)
		}
	})
}

// A cancelled Lookup is reported although the resolver does not answer. Close ends the resolver
// of a Lookup that was not cancelled.
func TestHangingLookupIsCancelledAndClosed(t *testing.T) {
	asked := make(chan struct{}, 100)
	gaveUp := make(chan error, 100)
	silent := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			asked <- struct{}{}
			<-ctx.Done()
			gaveUp <- ctx.Err()
			return nil, ctx.Err()
		},
	}
	p := open(t, epoll.Config{Resolver: silent})
	cancelled := &poll.Op{Kind: poll.Lookup, Network: "ip4", Host: "one.invalid"}
	dropped := &poll.Op{Kind: poll.Lookup, Network: "ip4", Host: "two.invalid"}
	p.Submit(cancelled)
	p.Submit(dropped)
	<-asked
	<-asked
	p.Cancel(cancelled)
	done := p.Wait(nil, -1)
	if len(done) != 1 || done[0] != cancelled || !errors.Is(cancelled.Err, poll.ErrCanceled) {
		t.Errorf("Wait reported %v, want the cancelled Lookup, which has error %v", done, cancelled.Err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	trace := make([]byte, 1<<20)
	if bytes.Contains(trace[:runtime.Stack(trace, true)], []byte("(*lookup)")) {
		t.Error("a goroutine of a Lookup runs after Close")
	}
	for range len(gaveUp) {
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("the resolver stopped with %v, want context.Canceled", err)
		}
	}
	if dropped.Err != nil || dropped.Addrs != nil {
		t.Errorf("Close changed an operation in flight: %v, %v", dropped.Addrs, dropped.Err)
	}
}

// A blocking poller is more precise than the milliseconds of epoll_pwait, which would be half a
// millisecond late here. On a busy machine many Waits may be late, so the test passes if one of
// thousands is in time.
func TestBlockingIsPrecise(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := open(t, epoll.Config{Blocking: true})
	const d, bound = 1500 * time.Microsecond, 400 * time.Microsecond
	best := time.Hour
	for tries := 0; best > bound && tries < 3000; tries++ {
		start := time.Now()
		p.Wait(nil, d)
		late := time.Since(start) - d
		if late < 0 {
			t.Fatalf("a Wait was %v early", -late)
		}
		best = min(best, late)
	}
	if best > bound {
		t.Errorf("the best Wait was %v late, want at most %v", best, bound)
	}
}

// open returns a poller that is closed at the end of the test.
func open(t testing.TB, c epoll.Config) *epoll.Poller {
	t.Helper()
	p, err := epoll.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// listen returns a TCP listener.
func listen(t testing.TB, p *epoll.Poller, addr string) poll.Handle {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.Listen(tcp, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
