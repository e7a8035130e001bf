// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"baton/netio"
	"baton/task"
)

// A server sends a file to each client, after a line with the size of the file.
func ExampleStream_SendFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "poem")
	if err := os.WriteFile(path, []byte("roses are red\nviolets are blue\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	serve := func(ctx context.Context, s *netio.Stream) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if _, err := s.Write(ctx, fmt.Appendf(nil, "%d\n", info.Size())); err != nil {
			return err
		}
		_, err = s.SendFile(ctx, f, 0, info.Size())
		return err
	}
	err = task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, serve) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		for line, err := range s.Lines(ctx) {
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return errors.Join(s.Close(), srv.Shutdown(ctx))
	})
	fmt.Println(err)
	// Output:
	// 31
	// roses are red
	// violets are blue
	// <nil>
}
