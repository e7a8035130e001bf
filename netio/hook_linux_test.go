// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/task"
)

// controller has a Control function that sets an option and records its calls.
type controller struct {
	mu    sync.Mutex
	calls []string
	fails error
}

// lowWater is a value of SO_RCVLOWAT that no socket has by default.
const lowWater = 3

func (k *controller) control(network, address string, c syscall.RawConn) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := "new"
	err := c.Control(func(fd uintptr) {
		name, _ := unix.Getsockname(int(fd))
		if a, ok := name.(*unix.SockaddrInet4); ok && a.Port != 0 {
			state = "bound"
		}
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, lowWater)
	})
	k.calls = append(k.calls, network+" "+address+" "+state)
	return errors.Join(err, k.fails)
}

// take returns the calls since the last take.
func (k *controller) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	calls := k.calls
	k.calls = nil
	return calls
}

// was checks that there was one call, and that the socket c has the option.
func (k *controller) was(t *testing.T, c syscall.Conn, call string) {
	t.Helper()
	if got := k.take(); !slices.Equal(got, []string{call}) {
		t.Errorf("Control called with %q, want %q", got, call)
	}
	if got := option(t, c, unix.SOL_SOCKET, unix.SO_RCVLOWAT); got != lowWater {
		t.Errorf("SO_RCVLOWAT is %d, want 3", got)
	}
}

// Control functions are called before bind and connect, with the network and the address. The
// options that they set stay set.
func TestControl(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		var k controller
		address := w.address(t)
		config := netio.ListenConfig{Control: k.control}
		ln, err := config.Listen(ctx, w.network, address)
		if w.poller == "virtual" {
			want(t, "Listen", err, errors.ErrUnsupported)
			ln = must(netio.Listen(ctx, w.network, address))(t)
			defer ln.Close()
			_, err = netio.Dialer{Control: k.control}.Dial(ctx, w.network, ln.Addr().String())
			want(t, "Dial", err, errors.ErrUnsupported)
			return
		}
		want(t, "Listen", err, nil)
		network := map[string]string{"tcp": "tcp4", "unix": "unix"}[w.network]
		k.was(t, ln, network+" "+address+" new")
		s := must(netio.Dialer{Control: k.control}.Dial(ctx, w.network, ln.Addr().String()))(t)
		k.was(t, s, network+" "+ln.Addr().String()+" new")
		want(t, "Close", s.Close(), nil)
		if w.network == "tcp" {
			local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
			s := must(netio.Dialer{Control: k.control, LocalAddr: local}.Dial(ctx, w.network, ln.Addr().String()))(t)
			k.was(t, s, network+" "+ln.Addr().String()+" new")
			want(t, "Close", s.Close(), nil)
		}
		want(t, "Close", ln.Close(), nil)

		config.ReusePort = true
		ln = must(config.Listen(ctx, w.network, address))(t)
		k.was(t, ln, network+" "+address+" new")
		defer ln.Close()
		k.fails = syscall.EACCES
		_, err = netio.Dialer{Control: k.control}.Dial(ctx, w.network, ln.Addr().String())
		if e, ok := err.(*net.OpError); !ok || e.Op != "dial" || !errors.Is(err, syscall.EACCES) {
			t.Errorf("Dial: %v, want EACCES", err)
		}
		_, err = config.Listen(ctx, "tcp", ":0")
		if e, ok := err.(*net.OpError); !ok || e.Op != "listen" || !errors.Is(err, syscall.EACCES) {
			t.Errorf("Listen: %v, want EACCES", err)
		}
	})
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		var k controller
		address := w.place(t)
		config := netio.PacketConfig{Control: k.control}
		c, err := config.Listen(ctx, w.network, address)
		if w.poller == "virtual" {
			want(t, "Listen", err, errors.ErrUnsupported)
			c = must(netio.ListenPacket(ctx, w.network, address))(t)
			defer c.Close()
			_, err = config.Dial(ctx, w.network, c.LocalAddr().String())
			want(t, "Dial", err, errors.ErrUnsupported)
			return
		}
		want(t, "Listen", err, nil)
		defer c.Close()
		network := map[string]string{"udp": "udp4", "unixgram": "unixgram"}[w.network]
		k.was(t, c, network+" "+address+" new")
		peer := must(config.Dial(ctx, w.network, c.LocalAddr().String()))(t)
		defer peer.Close()
		k.was(t, peer, network+" "+c.LocalAddr().String()+" new")
		k.fails = syscall.EACCES
		_, err = config.Dial(ctx, w.network, c.LocalAddr().String())
		want(t, "Dial", err, syscall.EACCES)
	})
}

// A Control function that panics makes the calling task panic, and leaves no socket open.
func TestControlPanics(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		explode := func(string, string, syscall.RawConn) error { panic("boom") }
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		defer ln.Close()
		before := descriptors()
		for what, call := range map[string]func() error{
			"Listen": func() error {
				_, err := netio.ListenConfig{Control: explode}.Listen(ctx, "tcp", ":0")
				return err
			},
			"Dial": func() error {
				_, err := netio.Dialer{Control: explode}.Dial(ctx, w.network, ln.Addr().String())
				return err
			},
			"ListenPacket": func() error {
				_, err := netio.PacketConfig{Control: explode}.Listen(ctx, "udp", "127.0.0.1:0")
				return err
			},
			"DialPacket": func() error {
				_, err := netio.PacketConfig{Control: explode}.Dial(ctx, "udp", "127.0.0.1:9")
				return err
			},
		} {
			func() {
				defer func() {
					p, ok := recover().(*task.PanicError)
					if !ok || p.Value != "boom" || !strings.Contains(string(p.Stack), "TestControlPanics") {
						t.Errorf("%s: panic %v", what, p)
					}
				}()
				t.Errorf("%s returned %v", what, call())
			}()
		}
		settle(ctx, t, before)
	})
}
