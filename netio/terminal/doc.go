// SPDX-License-Identifier: Apache-2.0

// Package terminal is for programs that talk with a user: lines and keys that are typed,
// passwords, and the size of the window. Other tasks run while one waits for the user.
//
//	in, err := terminal.Stdin(ctx)
//	if err != nil {
//		return err
//	}
//	defer in.Close()
//	for line, err := range in.Lines(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println("you typed", line)
//	}
//
// The input may as well be a pipe or a file. What a program does about Ctrl-C, that is SIGINT,
// is said by task.Main and await.Signals.
//
// [Raw] gives the keys one by one, and [Input.ReadPassword] a line that is not shown. Both
// leave the terminal as it was, also if the program ends meanwhile. [Sizes] has the size of
// the window and its changes.
//
// Output is not part of this package: a terminal takes it at once, so fmt.Print does. A
// terminal whose output the user has stopped (Ctrl-S) stops the loop then, too; a stream of
// process.WritePipe does not.
package terminal
