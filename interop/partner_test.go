// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// A program is a third-party program and the Debian package that contains it.
type program struct{ name, debian string }

var (
	curl   = program{"curl", "curl"}
	nginx  = program{"nginx", "nginx-light"}
	python = program{"python3", "python3"}
	socat  = program{"socat", "socat"}
	wrk    = program{"wrk", "wrk"}
)

// command returns the program with its arguments. It also searches /usr/sbin, which may be missing
// in the PATH of an ordinary user.
func (p program) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	for _, name := range []string{p.name, "/usr/sbin/" + p.name} {
		if path, err := exec.LookPath(name); err == nil {
			return exec.CommandContext(ctx, path, args...), nil
		}
	}
	return nil, fmt.Errorf("this test needs %s: apt-get install %s", p.name, p.debian)
}

// run runs the program to its end, outside the loop, and returns its output. An error contains what
// the program wrote to standard error.
func (p program) run(ctx context.Context, input string, args ...string) (string, error) {
	return await.Blocking(ctx, func(ctx context.Context) (string, error) {
		cmd, err := p.command(ctx, args...)
		if err != nil {
			return "", err
		}
		var complaints bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(input), &complaints
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", p.name, err, complaints.Bytes())
		}
		return string(out), err
	})
}

// curls runs curl with the common arguments of a test.
func curls(ctx context.Context, args ...string) (string, error) {
	return curl.run(ctx, "", append(args, "--silent", "--show-error", "--noproxy", "*", "--max-time", "60")...)
}

// A partner is a program that runs until the end of the test.
type partner struct {
	out *bufio.Scanner // standard output and standard error
}

// start starts the program. The test fails if the program is not installed.
func (p program) start(t *testing.T, args ...string) *partner {
	t.Helper()
	cmd, err := p.command(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &partner{bufio.NewScanner(out)}
}

// hear reads lines of the partner until one contains text, and returns that line. After that, the
// output is read and dropped, so that the partner never blocks on its output.
func (r *partner) hear(text string) (string, error) {
	var seen []string
	for r.out.Scan() {
		line := r.out.Text()
		if strings.Contains(line, text) {
			go func() {
				for r.out.Scan() {
				}
			}()
			return line, nil
		}
		seen = append(seen, line)
	}
	return "", fmt.Errorf("the partner did not print %q but:\n%s", text, strings.Join(seen, "\n"))
}

// bounded runs fn as the root task of a loop. The time limit only ends a test that hangs.
func bounded(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	boundedBy(t, time.Minute, task.Runner{}, fn)
}

// boundedBy is like bounded, with another limit and a configuration of the loop.
func boundedBy(t *testing.T, limit time.Duration, r task.Runner, fn func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := r.Run(ctx, fn); err != nil {
		t.Error(err)
	}
}
