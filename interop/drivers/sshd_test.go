// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"baton/await"
	"baton/internal/porttest"
	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// The keys of OpenSSH's server and of its users.
var sshdKey, sshUserKey = newKey(), newKey()

func newKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return key
}

// signer returns key as package ssh uses it.
func signer(key ed25519.PrivateKey) ssh.Signer {
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return s
}

// writeKey writes a private key to a file of dir and returns its path.
func writeKey(t *testing.T, dir, name string, key ed25519.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// launchSSHD starts OpenSSH's server. It accepts the user who runs the test, with sshUserKey.
func launchSSHD(t *testing.T) *server {
	t.Helper()
	path, err := exec.LookPath("sshd")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			t.Fatal("this test needs OpenSSH's server: apt-get install openssh-server")
		}
	}
	if os.Getuid() == 0 { // then sshd insists on this directory
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	home := "SetEnv=HOME=" + dir // else the user's shell runs the user's startup files
	authorized := filepath.Join(dir, "authorized_keys")
	if err := os.WriteFile(authorized, ssh.MarshalAuthorizedKey(signer(sshUserKey).PublicKey()), 0o644); err != nil {
		t.Fatal(err)
	}
	address, port := porttest.Reserve(t)
	args := []string{"-D", "-e", "-f", "/dev/null", "-p", port, "-h", writeKey(t, dir, "host_key", sshdKey)}
	for _, option := range []string{
		"ListenAddress=127.0.0.1", "AuthorizedKeysFile=" + authorized, "PidFile=none", "UsePAM=no", "StrictModes=no",
		"PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "PermitRootLogin=yes", "MaxStartups=100", home,
	} {
		args = append(args, "-o", option)
	}
	return launch(t, address, "Server listening", func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, path, args...)
	})
}

// sshdClient is the configuration of a client for launchSSHD.
func sshdClient() *ssh.ClientConfig {
	me, err := user.Current()
	if err != nil {
		panic(err)
	}
	return &ssh.ClientConfig{
		User:            me.Username,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer(sshUserKey))},
		HostKeyCallback: ssh.FixedHostKey(signer(sshdKey).PublicKey()),
	}
}

// A client of package ssh runs commands on OpenSSH's server, and reaches a server on the loop
// through it.
func TestSSHD(t *testing.T) {
	s := launchSSHD(t)
	large := strings.Repeat("0123456789", 300_000)
	within(t, func(ctx context.Context) error {
		c, err := dialSSH(ctx, s.address, sshdClient())
		if err != nil {
			return err
		}
		err = task.Scope(ctx, func(ctx context.Context) error {
			for range 4 { // sessions of one connection
				task.Go(ctx, func(ctx context.Context) error {
					if got, err := command(ctx, c, "cat", large); got != large || err != nil {
						t.Errorf("cat: %d bytes, %v", len(got), err)
					}
					_, err := command(ctx, c, "exit 3", "")
					if e, ok := errors.AsType[*ssh.ExitError](err); !ok || e.ExitStatus() != 3 {
						t.Errorf("exit 3: %v", err)
					}
					return nil
				})
			}
			return forward(ctx, t, c)
		})
		return errors.Join(err, on(ctx, func(context.Context) error { return c.Close() }))
	})
}

// forward sends bytes to a listener of the loop by way of the SSH server, and back.
func forward(ctx context.Context, t *testing.T, c *ssh.Client) error {
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	serving := task.Start(ctx, func(ctx context.Context) (int64, error) {
		s, err := ln.Accept(ctx)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		return netio.Copy(ctx, s, s)
	})
	text := strings.Repeat("forwarded", 10_000)
	got, err := await.Blocking(ctx, func(context.Context) (string, error) {
		conn, err := c.Dial("tcp", ln.Addr().String())
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			return "", err
		}
		back := make([]byte, len(text))
		_, err = io.ReadFull(conn, back)
		return string(back), err
	})
	if got != text || err != nil {
		t.Errorf("the forwarded connection returned %d bytes, %v", len(got), err)
	}
	_, err = serving.Await(ctx)
	return err
}

// OpenSSH's client runs commands of a server on the loop. The end of the client's process, even
// by a cancel, ends its command.
func TestSSHProgram(t *testing.T) {
	path, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal("this test needs OpenSSH's client: apt-get install openssh-client")
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), signer(sshUserKey).PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(signer(sshdKey))
	began, ended := 0, 0 // belong to the loop
	run := func(ctx context.Context, command string, in io.Reader, out io.Writer) error {
		began++
		defer func() { ended++ }()
		if command != "cat" {
			return errors.New("unknown command")
		}
		return on(ctx, func(context.Context) error { _, err := io.Copy(out, in); return err })
	}
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		s, accepting := &sshServer{config, task.OpenPortal(ctx), run}, ln.NetListener(ctx)
		serving := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return await.Blocking(ctx, func(context.Context) (struct{}, error) { return struct{}{}, s.serve(accepting) })
		})
		ssh := sshProgram(t, path, ln.Addr().String())
		large := strings.Repeat("0123456789", 300_000)
		for range 4 {
			task.Go(ctx, func(ctx context.Context) error {
				cmd := ssh("cat")
				cmd.Stdin = strings.NewReader(large)
				if got, err := cmd.Output(ctx); string(got) != large || err != nil {
					t.Errorf("cat: %d bytes, %v", len(got), err)
				}
				return nil
			})
		}
		err = ssh("mistake").Run(ctx)
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 {
			t.Errorf("mistake: %v", err)
		}
		waiting := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			cmd := ssh("cat")
			if _, err := cmd.StdinPipe(ctx); err != nil { // never ends by itself
				return struct{}{}, err
			}
			return struct{}{}, cmd.Run(ctx)
		})
		for began < 6 {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		waiting.Cancel(nil)
		if _, err := waiting.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancel: %v", err)
		}
		for ended < 6 {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		ln.Close()
		if _, err := serving.Await(ctx); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// sshProgram returns a function that makes commands of ssh(1) for a server with sshdKey.
func sshProgram(t *testing.T, path, address string) func(command string) *process.Cmd {
	t.Helper()
	dir := t.TempDir()
	key, known := writeKey(t, dir, "user_key", sshUserKey), filepath.Join(dir, "known_hosts")
	line := knownhosts.Line([]string{address}, signer(sshdKey).PublicKey())
	if err := os.WriteFile(known, []byte(line+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return func(command string) *process.Cmd {
		return process.Command(path, "-F", "/dev/null", "-T", "-p", port, "-i", key, "-o", "UserKnownHostsFile="+known,
			"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
			"gopher@"+host, command)
	}
}
