// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc"
	health "google.golang.org/grpc/health/grpc_health_v1"

	"baton/await"
	"baton/internal/porttest"
	"baton/netio"
	"baton/task"
)

const (
	childName    = "DRIVERS_SERVER"
	childAddress = "DRIVERS_ADDRESS"
	childReady   = "the server accepts connections"
)

// childServers are the servers that this test program runs in separate processes. Each
// serves at an address until the process is killed.
var childServers = map[string]func(address string) error{
	"nats": serveChildNATS,
	"grpc": serveChildGRPC,
	"ssh":  serveChildSSH,
}

// launchChild starts this test program again, as one of childServers.
func launchChild(t *testing.T, name string) *server {
	t.Helper()
	address, _ := porttest.Reserve(t)
	return launch(t, address, childReady, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), childName+"="+name, childAddress+"="+address)
		if _, err := cmd.StdinPipe(); err != nil { // its end ends the child
			t.Fatal(err)
		}
		return cmd
	})
}

func serveChildNATS(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s, err := natsserver.NewServer(&natsserver.Options{Host: host, Port: n, NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("the NATS server does not start")
	}
	fmt.Println(childReady)
	s.WaitForShutdown()
	return nil
}

// serveChildGRPC serves on a loop.
func serveChildGRPC(address string) error {
	return task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer ln.Close()
		srv := grpc.NewServer()
		health.RegisterHealthServer(srv, &counter{portal: task.OpenPortal(ctx), checks: make(map[string]int)})
		fmt.Println(childReady)
		return serveGRPC(ctx, srv, ln)
	})
}

// serveChildSSH serves on a loop. The server has a new key after each start, and accepts every
// client.
func serveChildSSH(address string) error {
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer(newKey()))
	run := func(ctx context.Context, _ string, in io.Reader, out io.Writer) error {
		return on(ctx, func(context.Context) error { _, err := io.Copy(out, in); return err })
	}
	return task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer ln.Close()
		s, accepting := &sshServer{config, task.OpenPortal(ctx), run}, ln.NetListener(ctx)
		fmt.Println(childReady)
		_, err = await.Blocking(ctx, func(context.Context) (struct{}, error) { return struct{}{}, s.serve(accepting) })
		return errors.Join(err, errors.New("the SSH server has ended"))
	})
}
