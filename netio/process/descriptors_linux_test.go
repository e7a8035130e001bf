// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/await"
	"baton/netio/process"
	"baton/task"
)

// A footprint counts what a test must not leave behind.
type footprint struct{ descriptors, goroutines, children int }

// takeFootprint counts descriptors, goroutines and children of this process.
func takeFootprint(t testing.TB) footprint {
	t.Helper()
	f := footprint{descriptors: descriptors(t), goroutines: runtime.NumGoroutine()}
	const options = unix.WEXITED | unix.WSTOPPED | unix.WNOHANG | unix.WNOWAIT
	if err := unix.Waitid(unix.P_ALL, 0, nil, options, nil); err != unix.ECHILD {
		f.children = 1
	}
	return f
}

// descriptors returns how many descriptors are open.
func descriptors(t testing.TB) int {
	t.Helper()
	return len(must(os.ReadDir("/proc/self/fd"))(t))
}

// checkFootprint reports an error if the footprint is larger than before. It waits a while,
// because some goroutines may be about to end.
func checkFootprint(t *testing.T, before footprint) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		after := takeFootprint(t)
		if after.descriptors <= before.descriptors && after.goroutines <= before.goroutines &&
			after.children <= before.children {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the footprint was %+v before, and is %+v now", before, after)
			return
		}
	}
}

// If a child cannot be started because there are no descriptors left, no descriptor stays
// open, whichever descriptor is missing. The test needs a low limit, so it runs in a process
// that it starts.
func TestNoDescriptors(t *testing.T) {
	const marker = "PROCESS_TEST_NO_DESCRIPTORS"
	if os.Getenv(marker) == "" {
		for _, poller := range []string{"epoll", "portable"} {
			child := exec.Command(os.Args[0], "-test.run=^TestNoDescriptors$")
			child.Env = append(os.Environ(), marker+"=1", "BATON_POLLER="+poller)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", poller, err, out)
			}
		}
		return
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		run := func() error {
			c := process.Command("/bin/cat")
			c.Stdin = bytes.NewReader([]byte("hello"))
			out, err := c.Output(ctx)
			if err == nil && string(out) != "hello" {
				t.Errorf("the output is %q", out)
			}
			return err
		}
		want(t, "the first child", run(), nil)
		before := descriptors(t)
		failures := 0
		for more := range 20 {
			limit := syscall.Rlimit{Cur: uint64(before + more - 1), Max: 1000}
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
			err := run()
			if err != nil {
				failures++
				want(t, "Output without enough descriptors", err, syscall.EMFILE)
			}
			limit.Cur = 1000
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
			if after := descriptors(t); after != before {
				t.Errorf("with %d free descriptors: %d are open now, %d before; the error was %v", more, after, before, err)
			}
			if more == 19 {
				want(t, "the last child", err, nil)
			}
		}
		if failures == 0 {
			t.Error("no call has failed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Calls that fail or are cancelled leave no descriptor open in the loop.
func TestFailuresLeaveNoDescriptors(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		sleep := func() *process.Cmd { return process.Command("sleep", "60") }
		for _, row := range []struct {
			name string
			call func(ctx, over context.Context) error
			want error
		}{
			{"Start under a cancelled context", func(ctx, over context.Context) error {
				c := sleep()
				must(c.StdinPipe(ctx))(t)
				must(c.StdoutPipe(ctx))(t)
				return c.Start(over)
			}, context.DeadlineExceeded},
			{"Communicate with a timeout", func(ctx, _ context.Context) error {
				return await.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error {
					_, _, err := sleep().Communicate(ctx, []byte("input"))
					return err
				})
			}, context.DeadlineExceeded},
			{"Communicate over existing pipes with a timeout", func(ctx, _ context.Context) error {
				return await.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error {
					c := sleep()
					must(c.StdinPipe(ctx))(t)
					must(c.StdoutPipe(ctx))(t)
					_, _, err := c.Communicate(ctx, []byte("input"))
					return err
				})
			}, context.DeadlineExceeded},
			{"a Cancel that calls runtime.Goexit", func(ctx, _ context.Context) error {
				return endWith(ctx, func() error { runtime.Goexit(); return nil })
			}, errOver},
		} {
			over, release := await.WithTimeout(ctx, 0)
			if err := task.Check(over); err == nil {
				t.Error("a context with no time left is not cancelled")
			}
			files := descriptors(t)
			err := row.call(ctx, over)
			if want(t, row.name, err, row.want); descriptors(t) != files {
				t.Errorf("%s: %d descriptors, want %d", row.name, descriptors(t), files)
			}
			release()
		}
		if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != unix.ECHILD {
			t.Errorf("a child is left: %v", err)
		}
	})
}

var errOver = errors.New("over")

// endWith starts a child with a Cancel function in a scope that fails.
func endWith(ctx context.Context, cancel func() error) error {
	c := process.Command("sleep", "60")
	c.Cancel, c.Stdout = cancel, new(bytes.Buffer)
	return task.Scope(ctx, func(ctx context.Context) error {
		if err := c.Start(ctx); err != nil {
			return err
		}
		return errOver
	})
}
