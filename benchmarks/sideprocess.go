// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A sideProcess is the process in which one contestant measures all its rounds, with -fresh.
type sideProcess struct {
	shape string
	who   string // the hand-over, or the name of the peer
	procs int    // GOMAXPROCS of the process
	child *program
}

// measure is the side of the process. It measures one round in the child process, which the first
// round starts.
func (s *sideProcess) measure(r round) (float64, error) {
	if s.child == nil {
		if err := s.start(); err != nil {
			return 0, err
		}
	}
	if _, err := fmt.Fprintln(s.child.in, r.least.Nanoseconds()); err != nil {
		return 0, err
	}
	var value float64
	err := s.child.expect("%g\n", &value)
	return value, err
}

func (s *sideProcess) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-many", strconv.Itoa(atOnce), "-side", s.shape+" "+s.who)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(s.procs))
	s.child, err = start(cmd)
	return err
}

// end ends the child process.
func (s *sideProcess) end() error {
	if s.child == nil {
		return nil
	}
	return s.child.end()
}

// measureRounds runs in the child process of a sideProcess. Each line of in is the minimum time of
// a round in nanoseconds. For each line, measureRounds measures a round and prints the value. A
// round begins with a garbage collection, so that the garbage of the previous round costs it
// nothing.
func measureRounds(name string, in io.Reader, out io.Writer) error {
	measure, err := sideOf(name)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		least, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return fmt.Errorf("-side: %w", err)
		}
		runtime.GC()
		value, err := measure(round{least: time.Duration(least), procs: runtime.GOMAXPROCS(0)})
		if err != nil {
			fmt.Fprintln(out, "error:", err)
			return err
		}
		fmt.Fprintln(out, value)
	}
	return lines.Err()
}

// sideOf returns the side with the name "shape who" of a sideProcess.
func sideOf(name string) (side, error) {
	shape, who, _ := strings.Cut(name, " ")
	for _, s := range shapes() {
		if s.name != shape {
			continue
		}
		for _, h := range handoffs {
			if h.String() == who {
				return s.ours(h), nil
			}
		}
		for _, peer := range s.peers {
			if peer.name == who {
				return peer.side, nil
			}
		}
	}
	return nil, errors.New("-side " + name + ": unknown side")
}
