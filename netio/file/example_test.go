// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"baton/netio"
	"baton/netio/file"
	"baton/task"
)

// A program writes a file, and reads it line by line.
func Example() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		dir, err := file.MkdirTemp(ctx, "", "example")
		if err != nil {
			return err
		}
		defer file.RemoveAll(ctx, dir)
		name := filepath.Join(dir, "greeting")
		if err := file.WriteFile(ctx, name, []byte("hello\nworld\n"), 0o666); err != nil {
			return err
		}
		for line, err := range file.Lines(ctx, name) {
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

// A server sends a file, and its client stores it in another file.
func ExampleFile_WriteTo() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		dir, err := file.MkdirTemp(ctx, "", "example")
		if err != nil {
			return err
		}
		defer file.RemoveAll(ctx, dir)
		if err := file.WriteFile(ctx, filepath.Join(dir, "page"), []byte("<p>hello\n"), 0o666); err != nil {
			return err
		}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { // the server
			defer ln.Close()
			s, err := ln.Accept(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			f, err := file.Open(ctx, filepath.Join(dir, "page"))
			if err != nil {
				return err
			}
			defer f.Close(ctx)
			_, err = netio.Copy(ctx, s, f) // uses sendfile(2) where the kernel has it
			return err
		})
		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		f, err := file.Create(ctx, filepath.Join(dir, "copy"))
		if err != nil {
			return err
		}
		defer f.Close(ctx)
		if _, err := netio.Copy(ctx, f, s); err != nil {
			return err
		}
		copied, err := file.ReadFile(ctx, f.Name())
		fmt.Printf("%s", copied)
		return err
	})
	fmt.Println(err)
	// Output:
	// <p>hello
	// <nil>
}
