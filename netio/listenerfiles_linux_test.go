// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// twoAddresses resolves every name to two addresses of this machine.
type twoAddresses struct{}

func (twoAddresses) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
}

// listenOnTwo listens on two addresses with TCP, and on one with UNIX sockets.
func (w world) listenOnTwo(ctx context.Context, t testing.TB) *netio.Listener {
	address := "two.example:0"
	if w.network == "unix" {
		address = w.address(t)
	}
	return must(netio.ListenConfig{Resolver: twoAddresses{}}.Listen(ctx, w.network, address))(t)
}

// nonblocking reports whether the socket in f is non-blocking.
func nonblocking(t testing.TB, f *os.File) bool {
	t.Helper()
	return must(unix.FcntlInt(f.Fd(), unix.F_GETFL, 0))(t)&unix.O_NONBLOCK != 0
}

// acceptingChild is the environment variable that tells a child of TestFilesForChildren how many
// sockets it has inherited.
const acceptingChild = "NETIO_TEST_ACCEPTING_CHILD"

// Children accept from the sockets of a listener. The sockets stay non-blocking, and a child
// that ends leaves the listener and the file of its UNIX socket alone.
func TestFilesForChildren(t *testing.T) {
	if n, _ := strconv.Atoi(os.Getenv(acceptingChild)); n > 0 {
		acceptOnce(t, n)
		return
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := w.listenOnTwo(ctx, t)
		if w.poller == "virtual" {
			_, err := ln.Files()
			want(t, "Files", err, errors.ErrUnsupported)
			want(t, "Close", ln.Close(), nil)
			return
		}
		before := descriptors()
		files := must(ln.Files())(t)
		addrs := ln.Addrs()
		if len(files) != len(addrs) || w.network == "tcp" && len(files) != 2 {
			t.Fatalf("Files returned %d files for the addresses %v", len(files), addrs)
		}
		for range 2 { // the second child starts after the first one has used the sockets
			child := process.Command(os.Args[0], "-test.run=^TestFilesForChildren$")
			child.Env = append(os.Environ(), fmt.Sprint(acceptingChild, "=", len(files)))
			child.ExtraFiles = files
			var out strings.Builder
			child.Stdout = &out
			want(t, "Start", child.Start(ctx), nil)
			for i, f := range files {
				if got, want := f.Name(), w.network+":"+addrs[i].String(); got != want {
					t.Errorf("the name is %q, want %q", got, want)
				}
				if !nonblocking(t, f) {
					t.Errorf("%s: the socket blocks", f.Name())
				}
				s := must(netio.Dial(ctx, w.network, addrs[i].String()))(t)
				if text, err := s.ReadAll(ctx, 10); string(text) != strconv.Itoa(i) || err != nil {
					t.Errorf("%s: read %q, %v, want %d", f.Name(), text, err, i)
				}
				want(t, "Close", s.Close(), nil)
			}
			if err := child.Wait(ctx); err != nil {
				t.Errorf("the child: %v\n%s", err, &out)
			}
		}
		for i, f := range files {
			accepted := task.Start(ctx, ln.Accept)
			near := must(netio.Dial(ctx, w.network, addrs[i].String()))(t)
			far := must(accepted.Await(ctx))(t)
			want(t, "Close", errors.Join(near.Close(), far.Close(), f.Close()), nil)
		}
		settle(ctx, t, before)
		want(t, "Close", ln.Close(), nil)
		_, err := ln.Files()
		want(t, "Files after Close", err, net.ErrClosed)
		if e, ok := err.(*net.OpError); !ok || e.Op != "file" || e.Net != w.network {
			t.Errorf("Files after Close: %#v", err)
		}
		if _, err := os.Lstat(addrs[0].String()); w.network == "unix" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file of the socket after Close: %v", err)
		}
	})
}

// acceptOnce runs in a child with n sockets. It writes to one connection of each.
func acceptOnce(t *testing.T, n int) {
	real(t, func(ctx context.Context) error {
		for i := range n {
			f := os.NewFile(uintptr(3+i), "inherited")
			ln := must(netio.FileListener(ctx, f))(t)
			want(t, "Close of the file", f.Close(), nil)
			task.Go(ctx, func(ctx context.Context) error {
				s, err := ln.Accept(ctx)
				if err == nil {
					_, err = s.Write(ctx, []byte(strconv.Itoa(i)))
					err = errors.Join(err, s.Close())
				}
				return errors.Join(err, ln.Close())
			})
		}
		return nil
	})
}

// The files of a closed listener still accept connections, and a listener of FileListener
// has files as well.
func TestFilesAfterClose(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		before := descriptors()
		ln := must(netio.ListenConfig{KeepFile: true}.Listen(ctx, w.network, w.address(t)))(t)
		address := ln.Addr().String()
		for range 2 {
			f := must(ln.Files())(t)[0]
			want(t, "Close", ln.Close(), nil)
			ln = must(netio.FileListener(ctx, f))(t)
			want(t, "Close of the file", f.Close(), nil)
		}
		near := must(netio.Dial(ctx, w.network, address))(t)
		far := must(ln.Accept(ctx))(t)
		want(t, "Close", errors.Join(near.Close(), far.Close(), ln.Close()), nil)
		settle(ctx, t, before)
	})
}

// If the process cannot open a descriptor for each address, Files leaves none open.
func TestFilesWithoutDescriptors(t *testing.T) {
	const marker = "NETIO_TEST_FILES_WITHOUT_DESCRIPTORS"
	if os.Getenv(marker) == "" {
		for _, poller := range []string{"epoll", "portable"} {
			child := exec.Command(os.Args[0], "-test.run=^TestFilesWithoutDescriptors$")
			child.Env = append(os.Environ(), marker+"=1", "BATON_POLLER="+poller)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", poller, err, out)
			}
		}
		return
	}
	real(t, func(ctx context.Context) error {
		ln := world{network: "tcp"}.listenOnTwo(ctx, t)
		defer ln.Close()
		for _, f := range must(ln.Files())(t) { // opens descriptors that stay open
			want(t, "Close", f.Close(), nil)
		}
		limit := syscall.Rlimit{Cur: uint64(descriptors() + 20), Max: 1000}
		want(t, "Setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit), nil)
		occupied := occupy(t)
		want(t, "Close", occupied[0].Close(), nil)
		_, err := ln.Files()
		want(t, "Files", err, syscall.EMFILE)
		last, err := os.Open(os.DevNull)
		want(t, "Open with the last descriptor", err, nil)
		for _, f := range append(occupied[1:], last) {
			want(t, "Close", f.Close(), nil)
		}
		return nil
	})
}

// Files panics on a goroutine that does not hold the baton, and for a zero Listener.
func TestFilesMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		panics(t, "zero", func() { new(netio.Listener).Files() }, "Listener.Files of a zero value")
		return outside(ctx, func() error {
			panics(t, "Files", func() { ln.Files() }, "Listener.Files of", "does not hold the baton")
			return nil
		})
	})
}
