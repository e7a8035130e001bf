// SPDX-License-Identifier: Apache-2.0

// Package process runs child processes, and reads and writes pipes and terminals.
//
// A [Cmd] is like that of package os/exec, on a loop: while a task waits for a child, other
// tasks run.
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
//			out, err := process.Command("uname", "-s").Output(ctx)
//			fmt.Printf("This is %s", out)
//			return err
//		})
//	}
//
// Run, Output, CombinedOutput and Communicate start a command and wait for its end. Start
// only starts it; then [Cmd.Wait] waits, in any number of tasks. Input and output can be a
// file, an io.Reader or io.Writer, or the [*netio.Stream] of [Cmd.StdinPipe],
// [Cmd.StdoutPipe] and [Cmd.StderrPipe], which has lines, limits and timeouts.
//
// # The life of a child
//
// A child belongs to the scope in which it was started, as a task does: the scope does not
// end before it. When the ctx of Start ends, by a cancel or a deadline, the child is asked
// to terminate, killed if it has not ended after [DefaultGrace], and waited for. So no
// process and no zombie is left, and await.Timeout bounds what a command may take. With
// [Cmd.Group] that is so for the processes which the child has started, too. A shell needs
// that: without it, a cancel ends the shell and not the programs that it runs.
//
// # Pipes
//
// [ReadPipe] and [WritePipe] make a stream of a pipe, a named pipe or a terminal, such as
// os.Stdin, that was opened elsewhere.
//
// # Differences from os/exec
//
// A Wait ends some time: [Cmd.WaitDelay] has a default. A Cmd has two times, the Grace of
// the child and the WaitDelay of its pipes, where that of package os/exec has one. The
// streams of StdoutPipe and StderrPipe are not closed by Wait, but by their user. Input that
// the child has not read when it ends is not waited for.
//
// In a simulated world there are no children and no pipes: errors.ErrUnsupported.
package process
