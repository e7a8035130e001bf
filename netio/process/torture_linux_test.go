// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/await"
	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// Children that are stopped, killed, cancelled and cut off at random moments leave no zombie,
// no descriptor, no task and no goroutine. The test starts 200 children with each poller, or
// 5,000 if the environment variable NETIO_TEST_SCALE is "full".
func TestTorture(t *testing.T) {
	n := 200
	if os.Getenv("NETIO_TEST_SCALE") == "full" {
		n = 5000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, poller := range []string{"epoll", "portable"} {
		t.Run(poller, func(t *testing.T) {
			t.Setenv("BATON_POLLER", poller)
			random := rand.New(rand.NewPCG(seed, 0))
			run := func(n int) {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
				defer cancel()
				err := task.Run(ctx, func(ctx context.Context) error {
					if err := victim(ctx, random); err != nil { // opens what the loop keeps open
						return err
					}
					files, tasks := descriptors(t), len(task.Tasks(ctx))
					_, err := await.MapN(ctx, 16, make([]struct{}, n), func(ctx context.Context, _ struct{}) (struct{}, error) {
						return struct{}{}, victim(ctx, random)
					})
					if f, n := descriptors(t), len(task.Tasks(ctx)); f != files || n != tasks {
						t.Errorf("%d descriptors and %d tasks are left in the loop, want %d and %d", f, n, files, tasks)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
			run(1) // opens what the process keeps open
			before := takeFootprint(t)
			run(n)
			checkFootprint(t, before)
		})
	}
}

// victim runs one child and sends it signals at random moments, within a random time limit.
// It returns only errors that the test does not expect.
func victim(ctx context.Context, random *rand.Rand) error {
	scripts := []string{
		"cat", "exec cat", "exec sleep 60", "trap '' TERM; while :; do sleep 0.01; done", "yes", "exec yes >&2",
		":", "exit 3", "sleep 60 & sleep 60 & wait", "exec <&-; sleep 0.01",
	}
	script := scripts[random.IntN(len(scripts))]
	c := shell(script)
	c.Grace, c.WaitDelay = time.Millisecond, time.Millisecond
	// A child without a Group must not start processes that it may leave behind.
	c.Group = !strings.HasPrefix(script, "exec ") || random.IntN(2) == 0
	actions := []func(){
		func() { _ = c.Signal(syscall.SIGSTOP) }, func() { _ = c.Kill() }, func() { _ = c.Terminate() },
		func() { _ = c.Signal(syscall.SIGCONT) },
	}
	moments := make([]time.Duration, 3)
	for i := range moments {
		moments[i] = time.Duration(random.IntN(4000)<<random.IntN(3)) * time.Microsecond
	}
	which := []int{random.IntN(len(actions)), random.IntN(len(actions))}
	run, release, err := use(ctx, c, random)
	defer release()
	if err != nil {
		return err
	}
	err = await.Timeout(ctx, moments[2], func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			for i, action := range which {
				task.Go(ctx, func(ctx context.Context) error {
					if await.Sleep(ctx, moments[i]) == nil {
						actions[action]()
					}
					return nil
				})
			}
			return run(ctx)
		})
	})
	_, failed := errors.AsType[*exec.ExitError](err)
	if err == nil || failed || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, exec.ErrWaitDelay) {
		return ctx.Err()
	}
	return err
}

// use prepares the files of a child in one of several ways. Run starts the child, and usually
// waits for it. Release closes the streams.
func use(ctx context.Context, c *process.Cmd, random *rand.Rand) (run func(context.Context) error, release func(), err error) {
	var streams []*netio.Stream
	release = func() {
		for _, s := range streams {
			s.Close()
		}
	}
	open := func(pipes ...func(context.Context) (*netio.Stream, error)) error {
		for _, pipe := range pipes {
			s, err := pipe(ctx)
			if err != nil {
				return err
			}
			streams = append(streams, s)
		}
		return nil
	}
	input := make([]byte, random.IntN(1<<20))
	wait := c.Wait
	communicate := func(ctx context.Context) error {
		_, _, err := c.Communicate(ctx, input)
		return err
	}
	switch random.IntN(6) {
	case 0:
		c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(input), io.Discard, new(bytes.Buffer)
	case 1:
		c.Stdout, c.Stderr = io.Discard, io.Discard
	case 2:
		err = open(c.StdinPipe, c.StdoutPipe)
	case 3:
		wait = communicate
		err = open(c.StdinPipe, c.StdoutPipe)
	case 4:
		return communicate, release, nil // Communicate starts the child
	case 5:
		return c.Run, release, nil
	}
	if random.IntN(8) == 0 {
		wait = func(context.Context) error { return nil } // the scope waits for the child
	}
	run = func(ctx context.Context) error {
		if err := c.Start(ctx); err != nil {
			return err
		}
		return wait(ctx)
	}
	return run, release, err
}

// A stopped child is killed after Grace.
func TestStoppedChildIsKilledAfterGrace(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := process.Command("sleep", "60")
		c.Grace = time.Millisecond
		timed, release := await.WithTimeout(ctx, time.Hour)
		want(t, "Start", c.Start(timed), nil)
		want(t, "Signal", c.Signal(syscall.SIGSTOP), nil)
		if err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
			t.Error(err)
		}
		release()
		if err := c.Wait(ctx); status(err) != -int(syscall.SIGKILL) {
			t.Errorf("Wait: %v, want SIGKILL", err)
		}
	})
}

// If another part of the program reaps the child, Wait cannot know the status, and returns
// ECHILD.
func TestChildReapedElsewhere(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := process.Command("sleep", "60")
		want(t, "Start", c.Start(ctx), nil)
		want(t, "Kill", c.Kill(), nil)
		if _, err := unix.Wait4(c.Process.Pid, nil, 0, nil); err != nil { // before the loop does
			t.Error(err)
		}
		want(t, "Wait", c.Wait(ctx), syscall.ECHILD)
	})
}
