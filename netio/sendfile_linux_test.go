// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"

	"baton/netio"
	"baton/task"
)

// A socket with the smallest buffer sends a file in many short writes.
func TestSendFileInShortWrites(t *testing.T) {
	for _, w := range []world{{"epoll", "tcp"}, {"epoll", "unix"}, {"portable", "tcp"}} {
		t.Run(w.String(), func(t *testing.T) {
			w.run(t, func(ctx context.Context, t *testing.T) {
				near, far := w.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				fd := int(descriptor(t, near.LocalAddr(), near.RemoteAddr()))
				want(t, "setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1), nil)
				f, content := fileOf(t, 300_001)
				sender := task.Start(ctx, func(ctx context.Context) (int64, error) { return near.SendFile(ctx, f, 1, -1) })
				var got []byte
				for buf := make([]byte, 1000); len(got) < len(content)-1; {
					n := must(far.Read(ctx, buf))(t)
					got = append(got, buf[:n]...)
				}
				if n, err := sender.Await(ctx); n != int64(len(content)-1) || err != nil || !bytes.Equal(got, content[1:]) {
					t.Errorf("SendFile = %d, %v; the peer received %d bytes, or other bytes", n, err, len(got))
				}
			})
		})
	}
}

// A file of /proc has no size, and the kernel cannot send all of them.
func TestSendFileOfProc(t *testing.T) {
	w := world{"epoll", "tcp"}
	w.run(t, func(ctx context.Context, t *testing.T) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		for _, path := range []string{"/proc/version", "/proc/self/cmdline"} {
			f := must(os.Open(path))(t)
			defer f.Close()
			content := must(os.ReadFile(path))(t)
			n, err := near.SendFile(ctx, f, 0, -1)
			if n != int64(len(content)) || err != nil {
				t.Errorf("SendFile of %s = %d, %v, want %d", path, n, err, len(content))
			}
			if got := must(received(ctx, far, len(content)).Await(ctx))(t); !bytes.Equal(got, content) {
				t.Errorf("%s: the peer received %q", path, got)
			}
		}
		want(t, "Close", near.Close(), nil)
	})
}
