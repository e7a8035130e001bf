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

// serverLife bounds the life of a server process, should nobody end it.
const serverLife = time.Minute

// echoShape: CPU time of a TCP echo server for each message of 1 KiB, with so
// many connections at work. Server and load are processes of their own, new for
// each round; connecting and warming up do not count.
func echoShape(connections int) shape {
	through := func(server func() (*exec.Cmd, error)) side {
		return func(r round) (float64, error) { return echoRound(r, connections, server) }
	}
	return shape{
		name: fmt.Sprintf("echo/%d", connections), unit: "ns/message", limit: limits(1.2, 1.12), whole: true, processes: true,
		ours: func(h task.Handoff) side {
			return through(func() (*exec.Cmd, error) {
				return goServer("-style", "baton", "-handoff", h.String())
			})
		},
		peers: []peer{
			{name: "C epoll", single: true, limited: true, side: through(epollServer)},
			{name: "goroutines", side: through(func() (*exec.Cmd, error) {
				return goServer("-style", "goroutines")
			})},
		},
	}
}

func goServer(args ...string) (*exec.Cmd, error) {
	dir, err := goPrograms()
	if err != nil {
		return nil, err
	}
	return exec.Command(filepath.Join(dir, "echoserver"), append(args, "-port", "0", "-for", serverLife.String())...), nil
}

func epollServer() (*exec.Cmd, error) {
	path, err := cServer()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, "0", strconv.Itoa(int(serverLife.Seconds()))), nil
}

// echoRound starts a server and a load, and reads the server's CPU time before
// and after the load.
func echoRound(r round, connections int, server func() (*exec.Cmd, error)) (value float64, err error) {
	dir, err := goPrograms()
	if err != nil {
		return 0, err
	}
	cmd, err := server()
	if err != nil {
		return 0, err
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(r.procs))
	srv, err := start(cmd)
	if err != nil {
		return 0, err
	}
	defer srv.kill()
	var addr string
	if err := srv.expect("listening on %s\n", &addr); err != nil {
		return 0, err
	}
	load, err := start(exec.Command(filepath.Join(dir, "echoload"), "-hold",
		"-addr", addr, "-connections", strconv.Itoa(connections), "-for", (3 * r.least).String()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, load.end()) }()
	return measureLoad(load, srv.cmd.Process.Pid)
}

// measureLoad lets a load begin and returns the nanoseconds of CPU time that the
// process pid has spent on each of its messages.
func measureLoad(load *program, pid int) (float64, error) {
	var connected, messages int
	if err := load.expect("connected %d\n", &connected); err != nil {
		return 0, err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(load.in, "go\n"); err != nil {
		return 0, err
	}
	if err := load.expect("messages %d", &messages); err != nil {
		return 0, err
	}
	after, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(messages), nil
}

// A program is a process that talks to us by lines.
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
func (p *program) expect(format string, value any) error {
	line, err := p.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, format, value)
	}
	if err != nil {
		return fmt.Errorf("%s said %q: %w", p.cmd.Args[0], line, err)
	}
	return nil
}

// end closes the program's input and waits for its end.
func (p *program) end() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// kill ends a program that would go on.
func (p *program) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait() // which tells that it was killed
}
