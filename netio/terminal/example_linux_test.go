// SPDX-License-Identifier: Apache-2.0

package terminal_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"baton/await"
	"baton/netio/terminal"
	"baton/task"
)

// A program that reads lines while something else goes on.
func ExampleStdin() {
	stdin, typed, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	defer stdin.Close()
	fmt.Fprint(typed, "hello\nworld") // stands for what the user types
	typed.Close()

	err = task.Run(context.Background(), func(ctx context.Context) error {
		ticking := task.Go(ctx, func(ctx context.Context) error { return await.Sleep(ctx, time.Hour) })
		defer ticking.Cancel(nil)
		in, err := terminal.NewInput(ctx, stdin) // a program has terminal.Stdin(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		for line, err := range in.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(strings.ToUpper(line))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// HELLO
	// WORLD
	// <nil>
}

// Keys, up to the first Ctrl-D.
func ExampleRaw() {
	task.Main(func(ctx context.Context) error {
		in, err := terminal.Stdin(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		return terminal.Raw(ctx, os.Stdin, func(ctx context.Context) error {
			for key := make([]byte, 1); ; {
				if _, err := in.Read(ctx, key); err != nil {
					return err
				}
				fmt.Printf("%q\r\n", key)
				if key[0] == 4 {
					return nil
				}
			}
		})
	})
}

// The size of the window, and what it becomes.
func ExampleSizes() {
	task.Main(func(ctx context.Context) error {
		for size, err := range terminal.Sizes(ctx, os.Stdout) {
			if err != nil {
				return err
			}
			fmt.Println(size.Columns, "columns and", size.Rows, "rows")
		}
		return nil
	})
}
