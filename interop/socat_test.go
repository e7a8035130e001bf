// SPDX-License-Identifier: Apache-2.0

//go:build unix

package interop_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/netio"
	"baton/task"
)

// A socatProcess is a process of socat with its children. Socat logs to its standard error, which
// the test reads together with standard output.
type socatProcess struct {
	t     *testing.T
	stdin io.WriteCloser
	out   *bufio.Scanner
	seen  []string
}

func startSocat(t *testing.T, args ...string) *socatProcess {
	t.Helper()
	cmd := exec.Command("socat", append([]string{"-d", "-d", "-T", "30"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s := &socatProcess{t: t}
	var err error
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	s.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs socat, apt-get install socat: %v", err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return s
}

// hear reads lines until one contains text, and returns that line. An idle socat ends by itself.
func (s *socatProcess) hear(text string) string {
	s.t.Helper()
	for s.out.Scan() {
		s.seen = append(s.seen, s.out.Text())
		if strings.Contains(s.out.Text(), text) {
			return s.out.Text()
		}
	}
	s.t.Errorf("socat did not print %q but:\n%s", text, strings.Join(s.seen, "\n"))
	return ""
}

// datagramNetworks are the networks of the tests with socat.
var datagramNetworks = []string{"udp", "unixgram"}

// directory returns a directory with a short path, for UNIX sockets.
func directory(t *testing.T) string { return filepath.Dir(wire{network: "unix"}.address(t)) }

// Socat without a peer sends datagrams to a PacketConn and receives answers.
func TestSocatAsks(t *testing.T) {
	for _, network := range datagramNetworks {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			dir := directory(t)
			if network == "unixgram" {
				address = filepath.Join(dir, "ours")
			}
			run(t, func(ctx context.Context) error {
				c, err := netio.ListenPacket(ctx, network, address)
				if err != nil {
					return err
				}
				defer c.Close()
				target := "UDP4-SENDTO:" + c.LocalAddr().String()
				if network == "unixgram" {
					target = fmt.Sprintf("UNIX-SENDTO:%s,bind=%s", address, filepath.Join(dir, "theirs"))
				}
				s := startSocat(t, "-", target)
				for i := range 3 {
					question := fmt.Sprintf("hello %d\n", i)
					if _, err := io.WriteString(s.stdin, question); err != nil {
						return err
					}
					p, err := c.Receive(ctx, make([]byte, 1500))
					if err != nil {
						return err
					}
					if string(p.Data) != question {
						t.Errorf("socat has sent %q, want %q", p.Data, question)
					}
					p.Data = append([]byte("heard "), p.Data...)
					if err := c.Send(ctx, p); err != nil {
						return err
					}
					if err := on(ctx, func() { s.hear("heard " + strings.TrimSpace(question)) }); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// Socat answers the datagrams of a connected PacketConn.
func TestSocatAnswers(t *testing.T) {
	for _, network := range datagramNetworks {
		t.Run(network, func(t *testing.T) {
			var config netio.PacketConfig
			var address string
			if network == "udp" {
				s := startSocat(t, "UDP4-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat")
				address = s.heardAddress()
			} else {
				dir := directory(t)
				address = filepath.Join(dir, "theirs")
				config.LocalAddr = &net.UnixAddr{Name: filepath.Join(dir, "ours"), Net: network}
				startSocat(t, "UNIX-RECVFROM:"+address+",fork", "EXEC:cat").hear("receiving on")
			}
			run(t, func(ctx context.Context) error {
				c, err := config.Dial(ctx, network, address)
				if err != nil {
					return err
				}
				defer c.Close()
				for _, size := range []int{1, 100, 1400} {
					text := strings.Repeat("x", size)
					if err := c.Send(ctx, netio.Packet{Data: []byte(text)}); err != nil {
						return err
					}
					p, err := c.Receive(ctx, make([]byte, 1500))
					if err != nil {
						return err
					}
					if string(p.Data) != text {
						t.Errorf("socat returned %d bytes of %d", len(p.Data), size)
					}
				}
				return nil
			})
		})
	}
}

// Socat receives the datagrams of a batch unchanged and in order.
func TestSocatReceivesBatch(t *testing.T) {
	s := startSocat(t, "-u", "UDP4-LISTEN:0,bind=127.0.0.1", "-")
	to := netip.MustParseAddrPort(s.heardAddress())
	const all = 100
	run(t, func(ctx context.Context) error {
		c, err := netio.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		var batch []netio.Packet
		for i := range all {
			batch = append(batch, netio.Packet{Data: fmt.Appendf(nil, "line %d\n", i), Addr: to})
		}
		// After the first datagram, socat receives only datagrams of the same sender.
		if n, err := c.SendBatch(ctx, batch); n != all || err != nil {
			t.Errorf("sent %d, %v", n, err)
		}
		return on(ctx, func() {
			for i := range all {
				if line := s.hear("line "); line != fmt.Sprint("line ", i) {
					t.Errorf("line %d is %q", i, line)
					return
				}
			}
		})
	})
}

// heardAddress returns the address on which socat listens.
func (s *socatProcess) heardAddress() string {
	fields := strings.Fields(s.hear("listening on UDP"))
	if len(fields) == 0 {
		s.t.FailNow()
	}
	return fields[len(fields)-1]
}

// run runs fn as the root task of a loop.
func run(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	if err := task.Run(context.Background(), fn); err != nil {
		t.Error(err)
	}
}
