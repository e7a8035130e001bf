// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/task"
)

// filer is a socket of package net that can be a file.
type filer interface {
	io.Closer
	File() (*os.File, error)
}

// file returns a duplicate of the socket c as a file, and closes c.
func file(t testing.TB, c filer) *os.File {
	t.Helper()
	f := must(c.File())(t)
	want(t, "Close", c.Close(), nil)
	return f
}

// listening returns a listener of package net. Closing it does not remove a UNIX socket's file.
func (w world) listening(t testing.TB) filer {
	t.Helper()
	ln := must(net.Listen(w.network, w.address(t)))(t)
	if ln, ok := ln.(*net.UnixListener); ok {
		ln.SetUnlinkOnClose(false)
	}
	return ln.(filer)
}

// An inherited listener can be served, with the connections in its queue. The caller keeps the
// file.
func TestFileListener(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		before := descriptors()
		theirs := w.listening(t)
		address := theirs.(net.Listener).Addr()
		early := must(net.Dial(w.network, address.String()))(t) // in the queue already
		f := file(t, theirs)
		config := netio.ListenConfig{Stream: netio.StreamConfig{LineLimit: 5}}
		ln := must(config.FileListener(ctx, f))(t)
		if got := ln.Addr(); got.String() != address.String() || got.Network() != w.network {
			t.Errorf("Addr is %v, want %v", got, address)
		}
		far := must(ln.Accept(ctx))(t)
		if w.network == "tcp" {
			if got := probes(t, far); got != [4]int{1, 15, 15, 9} {
				t.Errorf("probes %v", got)
			}
			if option(t, far, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
				t.Error("TCP_NODELAY is not set")
			}
		}
		must(early.Write([]byte("too long\n")))(t)
		_, err := far.ReadLine(ctx)
		want(t, "ReadLine", err, netio.ErrTooLong)
		want(t, "Close", errors.Join(early.Close(), far.Close()), nil)

		again := must(netio.ListenConfig{Stream: netio.StreamConfig{KeepAlive: -1}}.FileListener(ctx, f))(t)
		want(t, "Close", errors.Join(ln.Close(), f.Close()), nil)
		near := must(netio.Dial(ctx, w.network, address.String()))(t)
		far = must(again.Accept(ctx))(t)
		if w.network == "tcp" {
			if got := probes(t, far); got != [4]int{} {
				t.Errorf("probes %v, want none", got)
			}
		} else if _, err := os.Lstat(address.String()); err != nil {
			t.Errorf("the file of the socket: %v", err)
		}
		want(t, "Close", errors.Join(near.Close(), far.Close(), again.Close()), nil)
		settle(ctx, t, before)
	})
}

// An inherited connection can be a stream.
func TestFileStream(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		before := descriptors()
		theirs := w.listening(t)
		conn := must(net.Dial(w.network, theirs.(net.Listener).Addr().String()))(t)
		f := file(t, conn.(filer))
		accepted := must(theirs.(net.Listener).Accept())(t)
		want(t, "Close", theirs.Close(), nil)
		s := must(netio.StreamConfig{KeepAlive: -1}.FileStream(ctx, f))(t)
		want(t, "Close of the file", f.Close(), nil)
		if got, want := s.String(), conn.LocalAddr().String()+"->"+conn.RemoteAddr().String(); w.network == "tcp" && got != want {
			t.Errorf("the stream is %v, want %v", got, want)
		}
		if w.network == "tcp" && probes(t, s) != [4]int{} {
			t.Error("probes, want none")
		}
		must(accepted.Write([]byte("hello\n")))(t)
		if line, err := s.ReadLine(ctx); line != "hello" {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		must(s.Write(ctx, []byte("x")))(t)
		must(accepted.Read(make([]byte, 1)))(t)
		want(t, "Close", s.Close(), nil)
		_, err := accepted.Read(make([]byte, 1))
		want(t, "Read after Close", err, io.EOF)
		want(t, "Close", accepted.Close(), nil)
		settle(ctx, t, before)
	})
}

// An inherited datagram socket can be a PacketConn, with or without a peer.
func TestFilePacketConn(t *testing.T) {
	everywherePackets(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		before := descriptors()
		bound := file(t, must(net.ListenPacket(w.network, w.place(t)))(t).(filer))
		server := must(netio.FilePacketConn(ctx, bound))(t)
		want(t, "Close of the file", bound.Close(), nil)
		dialed := must(net.Dial(w.network, server.LocalAddr().String()))(t)
		f := file(t, dialed.(filer))
		client := must(netio.FilePacketConn(ctx, f))(t)
		if got := client.RemoteAddr(); got == nil || got.String() != server.LocalAddr().String() || got.Network() != w.network {
			t.Errorf("RemoteAddr is %v", got)
		}
		want(t, "Close of the file", f.Close(), nil)
		want(t, "Send", client.Send(ctx, netio.Packet{Data: []byte("hello")}), nil)
		p := must(server.Receive(ctx, make([]byte, 10)))(t)
		if string(p.Data) != "hello" || w.network == "udp" && p.Addr.String() != client.LocalAddr().String() {
			t.Errorf("received %q from %v", p.Data, p.Addr)
		}
		stranger := netio.Packet{Addr: p.Addr, Name: "stranger"}
		want(t, "Send to a stranger", client.Send(ctx, stranger), net.ErrWriteToConnected)
		want(t, "Close", errors.Join(client.Close(), server.Close()), nil)
		settle(ctx, t, before)
	})
}

// A file that is not a socket of the wanted kind is an error, and no descriptor stays open.
func TestFileErrors(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		f := must(os.Open(os.DevNull))(t)
		defer f.Close()
		calls := map[string]func(f *os.File) error{
			"listener": func(f *os.File) error { _, err := netio.FileListener(ctx, f); return err },
			"stream":   func(f *os.File) error { _, err := netio.FileStream(ctx, f); return err },
			"packets":  func(f *os.File) error { _, err := netio.FilePacketConn(ctx, f); return err },
		}
		check := func(f *os.File, what string, cause error) {
			t.Helper()
			before := descriptors()
			for name, call := range calls {
				if name == what {
					continue
				}
				err := call(f)
				var dressed *net.OpError
				if !errors.As(err, &dressed) || dressed.Op != "file" || dressed.Addr.String() != f.Name() || !errors.Is(err, cause) {
					t.Errorf("%s of %s: %v, want %v", name, f.Name(), err, cause)
				}
			}
			settle(ctx, t, before)
		}
		if w.poller == "virtual" {
			check(f, "", errors.ErrUnsupported)
			return
		}
		check(f, "", syscall.ENOTSOCK)
		theirs := w.listening(t)
		conn := must(net.Dial(w.network, theirs.(net.Listener).Addr().String()))(t)
		stream := file(t, conn.(filer))
		defer stream.Close()
		check(stream, "stream", syscall.EINVAL)
		listener := file(t, theirs)
		defer listener.Close()
		check(listener, "listener", syscall.EINVAL)
		packets := file(t, must(net.ListenPacket("udp", "127.0.0.1:0"))(t).(filer))
		defer packets.Close()
		check(packets, "packets", syscall.EINVAL)
		closed := must(os.Open(os.DevNull))(t)
		closed.Close()
		check(closed, "", os.ErrClosed)
	})
}

// theChild is the environment variable that tells a child of TestSystemdFiles what it must find.
const theChild = "NETIO_SYSTEMD_CHILD"

// A process that systemd has started finds its sockets by name. Its own children do not find
// them.
func TestSystemdFiles(t *testing.T) {
	if os.Getenv(theChild) != "" {
		systemdChild(t)
		return
	}
	none, err := netio.SystemdFiles()
	want(t, "SystemdFiles", err, nil)
	if none != nil {
		t.Errorf("%d files without systemd, want none", len(none))
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	packets := must(net.ListenPacket("udp", "127.0.0.1:0"))(t)
	web, dns := file(t, ln.(filer)), file(t, packets.(filer))
	defer web.Close()
	defer dns.Close()
	for _, c := range []struct{ pid, names, count, want string }{
		{"$$", "web:dns", "2", "web dns"},
		{"$$", "", "2", "unknown unknown"},
		{"$$", "web", "2", "LISTEN_FDNAMES is \"web\""},
		{"$$", "", "x", "LISTEN_FDS is \"x\""},
		{"$$", "", "-1", "LISTEN_FDS is \"-1\""},
		{"$$", "", "1000000000", "bad file descriptor"},
		{"$$", "", "0", "nothing"},
		{"1", "web:dns", "2", "nothing"},
	} {
		// The shell knows its process id, which exec keeps.
		child := exec.Command("sh", "-c", "LISTEN_PID="+c.pid+` exec "$0" "$@"`, os.Args[0], "-test.run=^TestSystemdFiles$")
		child.Env = append(os.Environ(), theChild+"="+c.want, "LISTEN_FDS="+c.count, "LISTEN_FDNAMES="+c.names)
		child.ExtraFiles = []*os.File{web, dns}
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}

// systemdChild runs in the child process, whose sockets are those of the parent.
func systemdChild(t *testing.T) {
	wanted := os.Getenv(theChild)
	files, err := netio.SystemdFiles()
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LISTEN_") {
			t.Errorf("the environment has %s", v)
		}
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		if flags := must(unix.FcntlInt(f.Fd(), unix.F_GETFD, 0))(t); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("children inherit %s", f.Name())
		}
	}
	switch got := strings.Join(names, " "); {
	case err != nil:
		if !strings.Contains(err.Error(), wanted) {
			t.Errorf("SystemdFiles: %v, want %q", err, wanted)
		}
		return
	case got == "" && wanted == "nothing":
		return
	case got != wanted:
		t.Errorf("files %q, want %q", got, wanted)
		return
	}
	again, err := netio.SystemdFiles()
	if again != nil || err != nil {
		t.Errorf("the second call returned %d files, %v", len(again), err)
	}
	real(t, func(ctx context.Context) error {
		ln := must(netio.FileListener(ctx, files[0]))(t)
		defer ln.Close()
		dns := must(netio.FilePacketConn(ctx, files[1]))(t)
		defer dns.Close()
		for _, f := range files {
			want(t, "Close", f.Close(), nil)
		}
		near := must(netio.Dial(ctx, "tcp", ln.Addr().String()))(t)
		defer near.Close()
		must(ln.Accept(ctx))(t).Close()
		want(t, "Send", dns.Send(ctx, to(dns, "x")), nil)
		must(dns.Receive(ctx, make([]byte, 1)))(t)
		return nil
	})
}

// Tasks serve a listener that other code has made with package net.
func ExampleFileListener() {
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = task.Run(context.Background(), func(ctx context.Context) error {
		f, err := theirs.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		ln, err := netio.FileListener(ctx, f)
		if err := errors.Join(err, f.Close(), theirs.Close()); err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				_, err := s.Write(ctx, []byte("hello"))
				return err
			})
		})
		s, err := netio.Dial(ctx, "tcp", theirs.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		text, err := s.ReadAll(ctx, 100)
		fmt.Println(string(text))
		return errors.Join(err, srv.Shutdown(ctx))
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}
