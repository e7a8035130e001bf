// SPDX-License-Identifier: Apache-2.0

package prefork

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// A worker starts with the pipe of the pings as standard input. Its descriptor firstFile is
// the pipe of the pongs, and the sockets follow.
const firstFile = 3

// socketsVariable is the environment variable that makes a process a worker. Its value is
// the number of sockets.
const socketsVariable = "PREFORK_SOCKETS"

// A worker is a worker process, as its supervisor sees it.
type worker struct {
	supervisor *Supervisor
	cmd        *process.Cmd
	served     bool // the worker has sent a line
}

// run starts a worker, which serves the sockets of ln, and waits for its end. The error says
// how the worker has ended. After a cancel, the scope of ctx does not end before the worker.
func (w *worker) run(ctx context.Context, ln *netio.Listener) error {
	pings, pongs, err := w.start(ctx, ln)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer pings.Close()
	defer pongs.Close()
	task.Go(ctx, func(ctx context.Context) error { return w.ping(ctx, pings) })
	task.Go(ctx, func(ctx context.Context) error { return w.watch(ctx, pongs) })
	if err := w.cmd.Wait(ctx); err != nil {
		return fmt.Errorf("worker %d: %w", w.cmd.Process.Pid, err)
	}
	return fmt.Errorf("worker %d: %v", w.cmd.Process.Pid, w.cmd.ProcessState)
}

// start starts a worker, and returns the supervisor's ends of the two pipes.
func (w *worker) start(ctx context.Context, ln *netio.Listener) (pings, pongs *netio.Stream, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	files, err := ln.Files()
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		defer f.Close()
	}
	pongs, theirs, err := pipe(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close() // only the worker may hold it: then its end is the end of the pongs
	cmd := process.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), socketsVariable+"="+strconv.Itoa(len(files)))
	cmd.ExtraFiles = append([]*os.File{theirs}, files...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Group = true // Ctrl-C on the terminal goes to the supervisor alone
	pings, err = cmd.StdinPipe(ctx)
	if err == nil {
		cmd.Cancel = pings.Close
		cmd.Grace = Grace + 5*time.Second
		err = cmd.Start(ctx)
	}
	if err != nil {
		pongs.Close()
		return nil, nil, err
	}
	w.cmd = cmd
	return pings, pongs, nil
}

// pipe returns a stream that reads from a new pipe, and the other end of the pipe, for a
// child.
func pipe(ctx context.Context) (*netio.Stream, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	s, err := process.ReadPipe(ctx, r)
	r.Close() // the stream has a duplicate
	if err != nil {
		w.Close()
		return nil, nil, err
	}
	return s, w, nil
}

// IsWorker reports whether this process is a worker.
func IsWorker() bool { return os.Getenv(socketsVariable) != "" }

// Work is the main function of a worker. It calls serve, as a task, for each inherited
// socket. When the supervisor ends the worker, or has died, Work cancels these tasks and
// waits for them.
func Work(ctx context.Context, serve func(ctx context.Context, ln *netio.Listener) error) error {
	sockets, err := strconv.Atoi(os.Getenv(socketsVariable))
	if err != nil {
		return fmt.Errorf("prefork: this process is not a worker: %w", err)
	}
	os.Unsetenv(socketsVariable) // processes that this one starts are not workers
	pings, err := process.ReadPipe(ctx, os.Stdin)
	if err != nil {
		return err
	}
	defer pings.Close()
	file := os.NewFile(firstFile, "pongs")
	pongs, err := process.WritePipe(ctx, file)
	file.Close() // the stream has a duplicate
	if err != nil {
		return err
	}
	defer pongs.Close()
	return task.Scope(ctx, func(ctx context.Context) error {
		var serving []*task.Ref
		for i := range sockets {
			file := os.NewFile(uintptr(firstFile+1+i), "listener")
			ln, err := netio.FileListener(ctx, file)
			file.Close() // the listener has a duplicate
			if err != nil {
				return err
			}
			serving = append(serving, task.Go(ctx, func(ctx context.Context) error { return serve(ctx, ln) }))
		}
		answer(ctx, pings, pongs)
		for _, t := range serving {
			t.Cancel(nil)
		}
		return nil
	})
}

// answer sends the lines of the supervisor back. It returns at the end of the lines, or on a
// cancel.
func answer(ctx context.Context, pings, pongs *netio.Stream) {
	for line, err := range pings.Lines(ctx) {
		if err != nil {
			return
		}
		if _, err := pongs.Write(ctx, []byte(line+"\n")); err != nil {
			return
		}
	}
}
