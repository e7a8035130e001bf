// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// A child process inherits the socket of a listener as descriptor 3. A child that uses this
// library calls FileListener with os.NewFile(3, "listener").
func ExampleListener_Files() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		files, err := ln.Files()
		if err != nil {
			return err
		}
		for _, f := range files {
			defer f.Close()
		}
		cmd := process.Command("sh", "-c", "test -S /dev/fd/3 && echo descriptor 3 is a socket")
		cmd.ExtraFiles = files
		out, err := cmd.Output(ctx)
		fmt.Printf("%s", out)
		return err
	})
	fmt.Println(err)
	// Output:
	// descriptor 3 is a socket
	// <nil>
}
