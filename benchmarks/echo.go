// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"baton/task"
)

// serverLife limits the life of a server process that is not ended.
const serverLife = time.Minute

// A load describes the clients of an echo server: their number and the size of their messages. Each
// client sends a message and waits until the message is returned.
type load struct {
	connections, size int
	tls, udp, http    bool
}

// echoShape measures the CPU time of a TCP echo server for each message of 1 KiB, with a number of
// busy connections. Style is the style of our server. Each round starts new processes for the
// server and the load. Connecting and warming up do not count.
func echoShape(name, style string, connections int, limit map[task.Handoff]float64) shape {
	l := load{connections: connections, size: 1 << 10}
	s := l.shape(fmt.Sprintf("%s/%d", name, connections), style, limit)
	s.peers = []peer{l.epoll(4 << 10), l.goroutines()}
	s.peers[0].limited = true
	return s
}

// timedShape is echoShape with an idle timeout that never expires. It measures the cost of a timer
// for each connection. Peers set a deadline for each Read.
func timedShape(connections int) shape {
	idle := []string{"-idle", serverLife.String()}
	l := load{connections: connections, size: 1 << 10}
	s := l.shape(fmt.Sprintf("echo/%d/idle", connections), "baton", limits(1.2, 1), idle...)
	s.peers = []peer{l.goroutines(idle...)}
	s.peers[0].limited = true
	return s
}

// bulkShape is echoShape with messages of 64 KiB. Our server uses netio.Copy. Each connection of
// the peers has a buffer for a whole message.
func bulkShape(connections int) shape {
	const size = 64 << 10
	l := load{connections: connections, size: size}
	s := l.shape(fmt.Sprintf("bulk/%d", connections), "baton", limits(1.1, 1.1), "-copy")
	s.peers = []peer{l.goroutines("-buffer", strconv.Itoa(size)), l.epoll(size)}
	s.peers[0].limited = true
	return s
}

// tlsShape is echoShape with TLS. All sides use package crypto/tls. The handshakes belong to
// connecting and do not count.
func tlsShape(connections int) shape {
	l := load{connections: connections, size: 1 << 10, tls: true}
	s := l.shape(fmt.Sprintf("tls/%d", connections), "baton", limits(1.05, 1.05))
	s.peers = []peer{l.goroutines()}
	s.peers[0].limited = true
	return s
}

// tlsBulkShape is bulkShape with TLS.
func tlsBulkShape(connections int) shape {
	const size = 64 << 10
	l := load{connections: connections, size: size, tls: true}
	s := l.shape(fmt.Sprintf("tlsbulk/%d", connections), "baton", limits(1.1, 1.1), "-copy")
	s.peers = []peer{l.goroutines("-buffer", strconv.Itoa(size))}
	s.peers[0].limited = true
	return s
}

// shape returns the shape of our server in a style, with more flags and without peers.
func (l load) shape(name, style string, limit map[task.Handoff]float64, flags ...string) shape {
	return shape{
		name: name, unit: "ns/message", limit: limit, whole: true, processes: true,
		ours: func(h task.Handoff) side {
			return l.on(func() (*exec.Cmd, error) {
				return goServer(append(flags, l.flag(), "-style", style, "-handoff", h.String())...)
			})
		},
	}
}

// goroutines returns the peer in plain Go, with more flags.
func (l load) goroutines(flags ...string) peer {
	return peer{name: "goroutines", side: l.on(func() (*exec.Cmd, error) {
		return goServer(append(flags, l.flag(), "-style", "goroutines")...)
	})}
}

// epoll returns the peer in C.
func (l load) epoll(buffer int) peer {
	return peer{name: "C epoll", single: true, side: l.on(func() (*exec.Cmd, error) {
		return epollServer(buffer)
	})}
}

// flag adds a flag for the programs of both ends.
func (l load) flag() string {
	if l.udp {
		return "-udp"
	}
	if l.http {
		return "-http"
	}
	return "-tls=" + strconv.FormatBool(l.tls)
}

// on returns the side that loads a server with l.
func (l load) on(server func() (*exec.Cmd, error)) side {
	return func(r round) (float64, error) { return l.round(r, server) }
}

func goServer(args ...string) (*exec.Cmd, error) {
	dir, err := goPrograms()
	if err != nil {
		return nil, err
	}
	return exec.Command(filepath.Join(dir, "echoserver"), append(args, "-port", "0", "-for", serverLife.String())...), nil
}

func epollServer(buffer int) (*exec.Cmd, error) {
	path, err := cServer()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, "0", strconv.Itoa(int(serverLife.Seconds())), strconv.Itoa(buffer)), nil
}

// round starts a server and the load, and reads the CPU time of the server before and after the
// load.
func (l load) round(r round, server func() (*exec.Cmd, error)) (value float64, err error) {
	cmd, err := server()
	if err != nil {
		return 0, err
	}
	srv, addr, err := startServer(cmd, r.procs)
	if err != nil {
		return 0, err
	}
	defer srv.kill()
	if l.http && byWrk {
		return l.wrk(addr, srv.cmd.Process.Pid)
	}
	client, err := l.start(addr, 3*r.least)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.end()) }()
	return measureLoad(client, srv.cmd.Process.Pid)
}

// startServer starts a server with GOMAXPROCS=procs and returns its address.
func startServer(cmd *exec.Cmd, procs int) (srv *program, addr string, err error) {
	srv, err = start(withProcs(cmd, procs))
	if err != nil {
		return nil, "", err
	}
	if err := srv.expect("listening on %s\n", &addr); err != nil {
		srv.kill()
		return nil, "", err
	}
	return srv, addr, nil
}

// withProcs sets GOMAXPROCS for a command.
func withProcs(cmd *exec.Cmd, procs int) *exec.Cmd {
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	return cmd
}

// start starts the clients. They connect, and wait for a line of input before they send.
func (l load) start(addr string, length time.Duration) (*program, error) {
	dir, err := goPrograms()
	if err != nil {
		return nil, err
	}
	return start(exec.Command(filepath.Join(dir, "echoload"), "-hold", l.flag(), "-addr", addr,
		"-connections", strconv.Itoa(l.connections), "-size", strconv.Itoa(l.size), "-for", length.String()))
}

// connected waits until the clients are connected.
func connected(client *program) error {
	var n int
	return client.expect("connected %d\n", &n)
}

// measureLoad lets the clients begin, and returns the CPU time in nanoseconds that the process pid
// has used for each message.
func measureLoad(client *program, pid int) (float64, error) {
	var messages int
	if err := connected(client); err != nil {
		return 0, err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(client.in, "go\n"); err != nil {
		return 0, err
	}
	if err := client.expect("messages %d", &messages); err != nil {
		return 0, err
	}
	after, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(messages), nil
}

// A program is a process that reads and writes lines.
type program struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(cmd *exec.Cmd) (*program, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &program{cmd, in, bufio.NewReader(out)}, nil
}

// expect reads a line and scans it.
func (p *program) expect(format string, values ...any) error {
	line, err := p.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, format, values...)
	}
	if err != nil {
		return fmt.Errorf("%s printed %q: %w", p.cmd.Args[0], line, err)
	}
	return nil
}

// end closes the input of the program and waits for the end of the program.
func (p *program) end() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// kill ends a program that would not end by itself.
func (p *program) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait() // returns the kill as an error
}
