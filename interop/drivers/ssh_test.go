// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// dialSSH connects outside the loop: the methods of an ssh.Client wait for its own goroutines.
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

// An sshServer runs each command as a task.
type sshServer struct {
	config *ssh.ServerConfig
	portal *task.Portal
	run    func(ctx context.Context, command string, in io.Reader, out io.Writer) error
}

// serve accepts connections until the listener fails, and returns when all of them have ended.
func (s *sshServer) serve(ln net.Listener) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		connections.Go(func() {
			defer conn.Close()
			s.connection(conn)
		})
	}
}

// connection serves one connection, and returns when the connection and its sessions have ended.
func (s *sshServer) connection(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return // the client has the error as well
	}
	var sessions sync.WaitGroup
	defer sessions.Wait()
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		if channel, requests, err := c.Accept(); err == nil {
			sessions.Go(func() { s.session(channel, requests) })
		}
	}
}

// session runs the first command of a session.
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

// command runs a command of the server and returns its output.
func command(ctx context.Context, c *ssh.Client, command, input string) (string, error) {
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

// The same loop serves the connections of the client and of the server. The commands of the server
// are tasks. They read and write their channels outside the loop.
func TestSSH(t *testing.T) {
	id, user := signer(newKey()), signer(newKey())
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
			if got, err := command(ctx, c, "hello", ""); got != "hello, world" || err != nil {
				t.Errorf("hello: %q, %v", got, err)
			}
			if got, err := command(ctx, c, "cat", large); got != large || err != nil {
				t.Errorf("cat: %d bytes, %v", len(got), err)
			}
			_, err = command(ctx, c, "mistake", "")
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

// The methods of an ssh.Client take no ctx. The end of the ctx of DialFunc closes the connection,
// and that ends the calls.
func TestSSHCancel(t *testing.T) {
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0") // the kernel accepts for it, and no task answers
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
