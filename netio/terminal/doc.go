// SPDX-License-Identifier: Apache-2.0

// Package terminal is for programs that talk with a user. It reads typed lines, keys and
// passwords, and reports the size of the window. Other tasks run while one waits for the user.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//
//		"baton/netio/terminal"
//		"baton/task"
//	)
//
//	func main() {
//		task.Main(func(ctx context.Context) error {
//			in, err := terminal.Stdin(ctx)
//			if err != nil {
//				return err
//			}
//			defer in.Close()
//			for line, err := range in.Lines(ctx) {
//				if err != nil {
//					return err
//				}
//				fmt.Println("you typed", line)
//			}
//			return nil
//		})
//	}
//
// The input can also be a pipe or a file. Ctrl-C sends SIGINT: task.Main and await.Signals
// document what a program does then.
//
// [Raw] gives a program single keys, and [Input.ReadPassword] a line that is not shown. Both
// restore the mode of the terminal, also if the program ends meanwhile. [Sizes] returns the
// size of the window and its changes.
//
// This package has no output, because a write to a terminal usually returns at once: use
// fmt.Print. If the user has stopped the output with Ctrl-S, such a write blocks the loop; a
// stream of process.WritePipe does not.
package terminal
