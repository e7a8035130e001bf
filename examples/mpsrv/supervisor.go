// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

const (
	minPause = 100 * time.Millisecond // before the next worker is started, if one has died at its start
	maxPause = 10 * time.Second       // after many of them
	grace    = 30 * time.Second       // for the requests of a worker that ends
)

// keep has one worker after the other. The next one is started at once, or after a pause,
// which doubles, if they die before they serve. It returns when ctx is cancelled.
func keep(ctx context.Context, log io.Writer, sockets []*os.File) error {
	pause := minPause
	for {
		served := false
		died := task.Scope(ctx, func(ctx context.Context) error { return employ(ctx, log, sockets, &served) })
		if err := task.Check(ctx); err != nil {
			return err
		}
		if served {
			pause = minPause
			fmt.Fprintf(log, "%v: it is replaced\n", died)
			continue
		}
		fmt.Fprintf(log, "%v: it is replaced after %v\n", died, pause)
		if err := await.Sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// employ starts a worker and waits for its end. The error says how it has ended. The scope
// of ctx is the life of the worker: after a cancel it does not end before the worker.
func employ(ctx context.Context, log io.Writer, sockets []*os.File, served *bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	pongs, theirs, err := pipe(ctx)
	if err != nil {
		return err
	}
	defer pongs.Close()
	defer theirs.Close()
	cmd := process.Command(self, "--sockets", strconv.Itoa(len(sockets)), "--dir", *dir)
	cmd.ExtraFiles = append([]*os.File{theirs}, sockets...) // from firstFile on
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	pings, err := cmd.StdinPipe(ctx)
	if err != nil {
		return err
	}
	defer pings.Close()
	cmd.Group = true // Ctrl-C is for the supervisor, and the end of the pipe for the worker
	cmd.Cancel = func() error {
		pings.Close() // may be closed already: an error would have the worker killed
		return nil
	}
	cmd.Grace = grace + 5*time.Second
	if err := cmd.Start(ctx); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	theirs.Close() // or there is no end of the pongs
	task.Go(ctx, func(ctx context.Context) error { return ask(ctx, pings) })
	task.Go(ctx, func(ctx context.Context) error {
		listen(ctx, log, cmd, pongs, served)
		return nil
	})
	if err := cmd.Wait(ctx); err != nil {
		return fmt.Errorf("worker %d: %w", cmd.Process.Pid, err)
	}
	return fmt.Errorf("worker %d: %v", cmd.Process.Pid, cmd.ProcessState)
}

// listen waits for signs of life, and kills a worker that gives none. It returns when the
// worker ends, or on a cancel.
func listen(ctx context.Context, log io.Writer, cmd *process.Cmd, pongs *netio.Stream, served *bool) {
	pongs.SetReadTimeout(*silence)
	for {
		_, err := pongs.ReadLine(ctx)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			fmt.Fprintf(log, "worker %d was silent for %v and is killed\n", cmd.Process.Pid, *silence)
			_ = cmd.Kill() // fails if it has just ended
			return
		case err != nil:
			return
		case !*served:
			fmt.Fprintf(log, "worker %d serves\n", cmd.Process.Pid)
			*served = true
		}
	}
}

// ask asks a worker for signs of life. It returns if the worker has gone, or on a cancel.
func ask(ctx context.Context, pings *netio.Stream) error {
	for {
		if _, err := pings.Write(ctx, []byte("ping\n")); err != nil {
			return nil
		}
		if err := await.Sleep(ctx, *ping); err != nil {
			return err
		}
	}
}

// pipe returns the two ends of a pipe: a stream that reads, and what is for a child.
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
