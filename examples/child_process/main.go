// SPDX-License-Identifier: Apache-2.0

// Child_process attaches streams to the pipes of a child that package os/exec has started.
// The child is this program again, as an interpreter of constant expressions. It writes
// results to its standard output, and errors to its standard error.
//
//	go run ./examples/child_process
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"

	"baton/await"
	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

var child = flag.Bool("child", false, "run as the interpreter")

func main() {
	flag.Parse()
	if *child {
		interpret(os.Stdin, os.Stdout, os.Stderr)
		return
	}
	task.Main(func(ctx context.Context) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		return run(ctx, os.Stdout, exec.Command(self, "--child"))
	})
}

// interpret evaluates each line. It uses no tasks.
func interpret(in io.Reader, out, errs io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, lines.Text()); err != nil {
			fmt.Fprintln(errs, err)
		} else {
			fmt.Fprintln(out, v.Value)
		}
	}
}

func run(ctx context.Context, w io.Writer, interpreter *exec.Cmd) error {
	var pipes [3]*netio.Stream
	defer func() {
		for _, s := range pipes {
			if s != nil {
				s.Close()
			}
		}
	}()
	if err := start(ctx, interpreter, &pipes); err != nil {
		return err
	}
	err := talk(ctx, w, pipes[0], pipes[1], pipes[2])
	if ended := pipes[0].CloseWrite(); err == nil { // the child finds the end of its input
		err = ended
	}
	// Wait blocks, so the executor of the loop calls it.
	_, failed := await.Blocking(ctx, func(context.Context) (any, error) { return nil, interpreter.Wait() })
	return errors.Join(err, failed)
}

// talk sends expressions to the child and prints its answers.
func talk(ctx context.Context, w io.Writer, stdin, stdout, stderr *netio.Stream) error {
	for _, expression := range []string{"1+1", "1<<16", "1.0/3", `"x"+"y"`, "1/0", `len("Hello")`} {
		fmt.Fprintln(w, ">>>", expression)
		if _, err := stdin.Write(ctx, []byte(expression+"\n")); err != nil {
			return err
		}
		// The answer comes from one of the two streams. First cancels the other call. That
		// loses nothing, because a part of a line stays in its stream.
		answer, err := await.First(ctx, reader("OUT", stdout), reader("ERR", stderr))
		if err != nil {
			return err
		}
		fmt.Fprintln(w, answer)
	}
	return nil
}

// reader returns a function that reads a line from s.
func reader(what string, s *netio.Stream) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		line, err := s.ReadLine(ctx)
		return what + " " + line, err
	}
}

// start starts a command of package os/exec with three pipes, and makes streams of the ends
// that the child does not use.
func start(ctx context.Context, cmd *exec.Cmd, pipes *[3]*netio.Stream) error {
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close() // the child and the stream have duplicates
		defer w.Close()
		switch i {
		case 0:
			cmd.Stdin = r
			pipes[i], err = process.WritePipe(ctx, w)
		case 1:
			cmd.Stdout = w
			pipes[i], err = process.ReadPipe(ctx, r)
		case 2:
			cmd.Stderr = w
			pipes[i], err = process.ReadPipe(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	_, err := await.Blocking(ctx, func(context.Context) (any, error) { return nil, cmd.Start() })
	return err
}
