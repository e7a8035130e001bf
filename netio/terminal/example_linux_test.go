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

// A program reads lines while another task runs.
func ExampleStdin() {
	stdin, typed, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	defer stdin.Close()
	fmt.Fprint(typed, "hello\nworld") // instead of a user who types
	typed.Close()

	err = task.Run(context.Background(), func(ctx context.Context) error {
		ticking := task.Go(ctx, func(ctx context.Context) error { return await.Sleep(ctx, time.Hour) })
		defer ticking.Cancel(nil)
		in, err := terminal.NewInput(ctx, stdin) // a program calls terminal.Stdin(ctx)
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

// A program prints each key, up to the first Ctrl-D.
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
				if key[0] == 4 { // Ctrl-D
					return nil
				}
			}
		})
	})
}

// A program prints the size of the window whenever it changes.
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

// An Input reads a pipe as it reads a terminal. ReadPassword only hides what is typed on a
// terminal.
func ExampleInput() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		fmt.Fprint(w, "alice\nsecret\n")
		w.Close()
		in, err := terminal.NewInput(ctx, r)
		if err != nil {
			return err
		}
		defer in.Close()
		user, err := in.ReadLine(ctx)
		if err != nil {
			return err
		}
		password, err := in.ReadPassword(ctx)
		fmt.Println(user, len(password))
		return err
	})
	fmt.Println(err)
	// Output:
	// alice 6
	// <nil>
}

// A file that is not a terminal has no size.
func ExampleSize() {
	null, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	defer null.Close()
	size, err := terminal.SizeOf(null)
	if err != nil {
		size = terminal.Size{Columns: 80, Rows: 24}
	}
	fmt.Println(size.Columns, "columns and", size.Rows, "rows")
	// Output:
	// 80 columns and 24 rows
}
