// SPDX-License-Identifier: Apache-2.0

// Shell runs three programs. It writes to cat and reads the answer, it reads the output of ls
// line by line, and it kills sleep, which takes too long.
//
//	go run ./examples/shell
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"baton/await"
	"baton/netio/process"
	"baton/task"
)

var timeout = flag.Duration("timeout", time.Second, "how long sleep may run")

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, w io.Writer) error {
	if err := cat(ctx, w, "Hello World!"); err != nil {
		return err
	}
	if err := ls(ctx, w); err != nil {
		return err
	}
	return call(ctx, w, *timeout, "sleep", "3")
}

// cat writes message to the program cat, and reads it back.
func cat(ctx context.Context, w io.Writer, message string) error {
	cmd := process.Command("/bin/sh", "-c", "cat")
	if _, err := cmd.StdinPipe(ctx); err != nil {
		return err
	}
	if _, err := cmd.StdoutPipe(ctx); err != nil {
		return err
	}
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintln(w, "pid:", cmd.Process.Pid)
	fmt.Fprintf(w, "cat write: %q\n", message)
	// Communicate writes and reads at the same time, so that no pipe stays full. Then it
	// closes both pipes.
	stdout, _, err := cmd.Communicate(ctx, []byte(message))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "cat read: %q\n", stdout)
	fmt.Fprintf(w, "(exit code %d)\n", cmd.ProcessState.ExitCode())
	return nil
}

// ls prints each line when it arrives.
func ls(ctx context.Context, w io.Writer) error {
	cmd := process.Command("ls")
	stdout, err := cmd.StdoutPipe(ctx)
	if err != nil {
		return err
	}
	defer stdout.Close()
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	for line, err := range stdout.Lines(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "ls>>", line)
	}
	// The child may have ended already. The signal cannot reach another process.
	if err := cmd.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return exited(cmd.Wait(ctx))
}

// call runs a program, and kills it after a time limit.
func call(ctx context.Context, w io.Writer, limit time.Duration, name string, args ...string) error {
	cmd := process.Command(name, args...)
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	err := await.Timeout(ctx, limit, cmd.Wait)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintf(w, "timeout! (%v)\n", limit)
		if err := cmd.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return exited(cmd.Wait(ctx))
	}
	if err := exited(err); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: exit code %d\n", strings.Join(cmd.Args, " "), cmd.ProcessState.ExitCode())
	return nil
}

// exited returns nil if the child has ended, with whatever status, and other errors unchanged.
func exited(err error) error {
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return nil
	}
	return err
}
