// SPDX-License-Identifier: Apache-2.0

// Subprocess_shell writes to a child process and reads from it at the same time. The child
// sleeps before it reads, so its pipe becomes full and the writer waits.
//
//	go run ./examples/subprocess_shell
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

var (
	command = flag.String("command", "sleep 2; wc", "the command that the shell runs")
	blocks  = flag.Int("blocks", 100, "how many blocks of 3600 bytes to send")
)

// slow is how long a Write must take to be reported as a pause.
const slow = time.Millisecond

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, w io.Writer) error {
	cmd := process.Command("/bin/sh", "-c", *command)
	stdin, err := cmd.StdinPipe(ctx)
	if err != nil {
		return err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe(ctx)
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := cmd.StderrPipe(ctx)
	if err != nil {
		return err
	}
	defer stderr.Close()
	err = task.Scope(ctx, func(ctx context.Context) error {
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return send(ctx, w, stdin) })
		task.Go(ctx, func(ctx context.Context) error { return show(ctx, w, "received", stdout) })
		task.Go(ctx, func(ctx context.Context) error { return show(ctx, w, "ERROR", stderr) })
		return cmd.Wait(ctx)
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "exit code:", cmd.ProcessState.ExitCode())
	return nil
}

// send writes the blocks. Write waits while the pipe is full.
func send(ctx context.Context, w io.Writer, stdin *netio.Stream) error {
	block := bytes.Repeat([]byte("one two three four five six seven\n"), 106)[:3600]
	for range *blocks {
		fmt.Fprintln(w, "sending", len(block), "bytes")
		began := task.Now(ctx)
		if _, err := stdin.Write(ctx, block); err != nil {
			return err
		}
		if took := task.Now(ctx).Sub(began); took > slow {
			fmt.Fprintln(w, "writing was paused for", took.Round(time.Millisecond))
		}
	}
	return stdin.Close()
}

// show prints the lines that come from a pipe.
func show(ctx context.Context, w io.Writer, what string, s *netio.Stream) error {
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %q\n", what, line)
	}
	return nil
}
