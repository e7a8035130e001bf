// SPDX-License-Identifier: Apache-2.0

// Subprocess_attach_read_pipe gives a child process one more pipe, in addition to its standard
// files, and reads from the pipe.
//
//	go run ./examples/subprocess_attach_read_pipe
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"baton/netio/process"
	"baton/task"
)

func main() {
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, w io.Writer) error {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	pipe, err := process.ReadPipe(ctx, ours)
	ours.Close() // the stream has a duplicate
	if err != nil {
		return err
	}
	defer pipe.Close()

	cmd := process.Command("/bin/sh", "-c", "printf data >&3")
	cmd.ExtraFiles = []*os.File{theirs} // the child's descriptor 3
	if err := cmd.Run(ctx); err != nil {
		return err
	}
	theirs.Close() // the pipe ends when all its writers are closed
	data, err := pipe.ReadAll(ctx, 1024)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "read = %q\n", data)
	return nil
}
