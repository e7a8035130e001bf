// SPDX-License-Identifier: Apache-2.0

// Package process runs child processes, and reads and writes pipes and terminals.
//
// A [Cmd] is like the Cmd of package os/exec, for tasks: while a task waits for a child,
// other tasks run.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//
//		"baton/netio/process"
//		"baton/task"
//	)
//
//	func main() {
//		task.Main(func(ctx context.Context) error {
//			out, err := process.Command("echo", "hello").Output(ctx)
//			fmt.Printf("%s", out)
//			return err
//		})
//	}
//
// Run, Output, CombinedOutput and Communicate start a command and wait until it ends. Start
// only starts the command; then any number of tasks can call [Cmd.Wait]. Input and output
// can be a file, an io.Reader or io.Writer, or the [*netio.Stream] of [Cmd.StdinPipe],
// [Cmd.StdoutPipe] and [Cmd.StderrPipe], which has lines, limits and timeouts.
//
// # The life of a child
//
// Like a task, a child belongs to the scope in which it was started: the scope does not end
// before the child. When the ctx of Start ends, by a cancel or a deadline, the child is asked
// to terminate. If it has not ended after [DefaultGrace], it is killed. The scope then waits
// for it, so no process and no zombie is left, and await.Timeout limits the time of a command.
// With [Cmd.Group] this is also true of the processes that the child has started. Set Group
// for a shell: without it, a cancel ends the shell but not the programs that the shell runs.
//
// # Pipes
//
// [ReadPipe] and [WritePipe] make a stream from an open pipe, named pipe or terminal, such as
// os.Stdin. With os.Pipe and ExtraFiles they also give a child more pipes than its standard
// input, output and error.
//
// # Differences from os/exec
//
//   - There is no CommandContext: the ctx goes to Start, Run and Wait.
//   - Wait always returns after the end of the child, since [Cmd.WaitDelay] has a default.
//   - Cmd has two times where os/exec has one: Grace for the child, WaitDelay for its pipes.
//   - Wait does not close the streams of StdoutPipe and StderrPipe. Their user does.
//   - Wait does not wait for input that the child has not read.
//   - Wait can be called more than once.
//
// A simulated world has no children and no pipes: calls return errors.ErrUnsupported.
package process
