// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// dialSSH connects beside the loop: an ssh.Client has goroutines of its own that its methods
// wait for.
func dialSSH(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	dial := netio.Dialer{}.DialFunc(ctx) // the connection lives as long as ctx
	return await.Blocking(ctx, func(ctx context.Context) (*ssh.Client, error) {
		conn, err := dial(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		c, channels, requests, err := ssh.NewClientConn(conn, address, config)
		if err != nil {
			conn.Close()
			return nil, err
		}
		return ssh.NewClient(c, channels, requests), nil
	})
}

// An sshServer runs a command as a task of its portal's scope.
type sshServer struct {
	config *ssh.ServerConfig
	portal *task.Portal
	run    func(ctx context.Context, command string, in io.Reader, out io.Writer) error
}

// serve accepts connections until the listener fails. It runs beside the loop, and leaves no
// goroutines.
func (s *sshServer) serve(ln net.Listener) error {
	var all []chan struct{}
	defer func() {
		for _, done := range all {
			<-done
		}
	}()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		done := make(chan struct{})
		all = append(all, done)
		go func() {
			defer close(done)
			defer conn.Close()
			s.connection(conn)
		}()
	}
}

func (s *sshServer) connection(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return // the client has the error as well
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

func (s *sshServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		var exec struct{ Command string }
		ok := r.Type == "exec" && ssh.Unmarshal(r.Payload, &exec) == nil
		r.Reply(ok, nil)
		if !ok {
			continue
		}
		var status struct{ Code uint32 }
		if err := s.portal.Do(func(ctx context.Context) error {
			return s.run(ctx, exec.Command, channel, channel)
		}); err != nil {
			status.Code = 1
		}
		channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Client and server talk over the same loop. The commands of the server are tasks, which read
// and write their channel beside the loop.
func TestSSH(t *testing.T) {
	id, user := newSigner(t), newSigner(t)
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), user.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	server.AddHostKey(id)
	client := &ssh.ClientConfig{
		User:            "gopher",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(user)},
		HostKeyCallback: ssh.FixedHostKey(id.PublicKey()),
	}
	run := func(ctx context.Context, command string, in io.Reader, out io.Writer) error {
		switch command {
		case "hello":
			return on(ctx, func(context.Context) error { _, err := io.WriteString(out, "hello, world"); return err })
		case "cat":
			return on(ctx, func(context.Context) error { _, err := io.Copy(out, in); return err })
		default:
			return fmt.Errorf("unknown command %q", command)
		}
	}
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		s := &sshServer{server, task.OpenPortal(ctx), run}
		accepting := ln.NetListener(ctx)
		serving := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return await.Blocking(ctx, func(context.Context) (struct{}, error) { return struct{}{}, s.serve(accepting) })
		})
		large := strings.Repeat("0123456789", 500_000)
		for range 3 {
			c, err := dialSSH(ctx, ln.Addr().String(), client)
			if err != nil {
				return err
			}
			ask := func(command, input string) (string, error) {
				return await.Blocking(ctx, func(context.Context) (string, error) {
					session, err := c.NewSession()
					if err != nil {
						return "", err
					}
					defer session.Close()
					session.Stdin = strings.NewReader(input)
					out, err := session.Output(command)
					return string(out), err
				})
			}
			if got, err := ask("hello", ""); got != "hello, world" || err != nil {
				t.Errorf("hello: %q, %v", got, err)
			}
			if got, err := ask("cat", large); got != large || err != nil {
				t.Errorf("cat: %d bytes, %v", len(got), err)
			}
			_, err = ask("mistake", "")
			if e, ok := errors.AsType[*ssh.ExitError](err); !ok || e.ExitStatus() != 1 {
				t.Errorf("mistake: %v", err)
			}
			if err := on(ctx, func(context.Context) error { return c.Close() }); err != nil {
				return err
			}
		}
		_, err = dialSSH(ctx, ln.Addr().String(), &ssh.ClientConfig{HostKeyCallback: client.HostKeyCallback})
		if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("a client without a key: %v", err)
		}
		ln.Close()
		if _, err := serving.Await(ctx); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// The methods of an ssh.Client take no ctx. The end of the lifetime ends the connection, and so
// the calls.
func TestSSHCancel(t *testing.T) {
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0") // accepts, and says nothing
		if err != nil {
			return err
		}
		defer ln.Close()
		err = await.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
			_, err := dialSSH(ctx, ln.Addr().String(), &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a handshake with a silent server: %v", err)
		}
		return nil
	})
}
