// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/task"
)

// A contestant is a side with the settings of its process.
type contestant struct {
	name    string
	handoff task.Handoff // AnyHandoff for goroutines
}

var contestants = []contestant{
	{"tasks, channel", task.Channel},
	{"tasks, coroutine", task.Coroutine},
	{"goroutines", task.AnyHandoff},
}

func (c contestant) side(p Program) Side {
	if c.handoff == task.AnyHandoff {
		return p.Goroutines
	}
	return p.Tasks
}

// bound is how long one process may take.
const bound = time.Minute

// A sample is what one process has measured.
type sample struct {
	cpu        float64 // nanoseconds for a unit of work
	goroutines float64
	memory     float64 // bytes
	cancel     float64 // nanoseconds until the side has returned
	shutdown   float64 // nanoseconds until its last goroutine has ended
	stall      float64 // nanoseconds
}

// measure runs one side in its own process.
func measure(ctx context.Context, p Program, c contestant, st stage, procs int) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	s, err := measureProcess(ctx, p, c, st, procs)
	if err != nil {
		return s, fmt.Errorf("%s, %s, %s: %w", p.Name, c.name, st, err)
	}
	return s, nil
}

func measureProcess(ctx context.Context, p Program, c contestant, st stage, procs int) (s sample, err error) {
	partner, err := p.Partner()
	if err != nil {
		return s, err
	}
	defer partner.Close()
	n := p.Working
	if st == holdStage {
		n = p.Holding
	}
	proc, err := start(ctx, procs, "-side", p.Name+", "+c.name, "-stage", string(st),
		"-partner", partner.Address(), "-n", strconv.Itoa(n))
	if err != nil {
		return s, err
	}
	defer func() {
		proc.kill()
		if said := strings.TrimSpace(proc.stderr.String()); err != nil && said != "" {
			err = fmt.Errorf("%w; the process says: %s", err, said)
		}
	}()
	line, err := proc.read()
	if err != nil {
		return s, err
	}
	address, ok := strings.CutPrefix(line, "ready")
	if !ok {
		return s, fmt.Errorf("the side says %q before it is ready", line)
	}
	address = strings.TrimSpace(address)

	units := 1
	if st == holdStage {
		if err := partner.Hold(ctx, address, n); err != nil {
			return s, err
		}
		if err := proc.ask("look", &s.goroutines, &s.memory); err != nil {
			return s, err
		}
	} else if units, err = partner.Work(ctx, address, n); err != nil {
		return s, err
	}
	if err := proc.ask("cancel", &s.cancel, &s.shutdown, &s.stall); err != nil {
		return s, err
	}
	cpu, err := proc.wait()
	s.cpu = float64(cpu.Nanoseconds()) / float64(units)
	return s, err
}

// A process is a child of the report.
type process struct {
	cmd    *exec.Cmd
	in     io.Writer
	out    *bufio.Reader
	stderr strings.Builder
}

func start(ctx context.Context, procs int, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	cmd.Stderr = &p.stderr
	return p, cmd.Start()
}

func (p *process) read() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

// ask writes a line, and reads the numbers of the answer.
func (p *process) ask(line string, values ...*float64) error {
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return err
	}
	answer, err := p.read()
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	fields := strings.Fields(answer)
	if len(fields) != len(values) {
		return fmt.Errorf("%s: the answer is %q", line, answer)
	}
	for i, v := range values {
		if *v, err = strconv.ParseFloat(fields[i], 64); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for the end of the process, and returns its CPU time.
func (p *process) wait() (time.Duration, error) {
	err := p.cmd.Wait()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), err
}

// kill ends a process that has not ended.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// A spread is the median of several values, with the least and the greatest value.
type spread struct{ median, least, greatest float64 }

func spreadOf(values []float64) spread {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}
