// SPDX-License-Identifier: Apache-2.0

// Package prefork runs a server as several worker processes that accept from the same
// sockets. A supervisor starts the workers and replaces them.
//
// A worker is the program of the supervisor, started again: it inherits the sockets of the
// listener. Supervisor and worker talk over two pipes. The supervisor sends a line now and
// then, and the worker sends the line back. The supervisor replaces a worker that has died,
// and kills and replaces a worker that is silent for too long.
//
// The supervisor ends a worker by closing its pipe. The worker then finishes its requests
// and ends. If the supervisor dies, the kernel closes the pipe, and the workers end as well.
package prefork

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"baton/await"
	"baton/netio"
	"baton/task"
)

const (
	minPause = 100 * time.Millisecond // before a worker that died at its start is replaced
	maxPause = 10 * time.Second       // after many such workers
)

// Grace is how long a worker that ends may take to finish its requests.
const Grace = 30 * time.Second

// A Supervisor starts workers, and replaces those that have died or are silent.
type Supervisor struct {
	Workers int           // how many processes serve
	Ping    time.Duration // how often the supervisor sends a line to each worker
	Silence time.Duration // how long a worker may send no line back
	Log     io.Writer     // where the supervisor reports what happens to the workers
}

// Flags returns a Supervisor that logs to standard output, and adds flags for the other
// fields to the command line. The default of --workers is workers.
func Flags(workers int) *Supervisor {
	s := &Supervisor{Log: os.Stdout}
	flag.IntVar(&s.Workers, "workers", workers, "number of processes that serve")
	flag.DurationVar(&s.Ping, "ping", 15*time.Second, "how often a worker is asked for a sign of life")
	flag.DurationVar(&s.Silence, "silence", 30*time.Second, "how long a worker may give no sign of life")
	return s
}

// Run runs the workers, which serve the sockets of ln, until ctx is cancelled and all workers
// have ended. Run does not accept connections itself.
func (s *Supervisor) Run(ctx context.Context, ln *netio.Listener) error {
	if s.Workers < 1 {
		return fmt.Errorf("prefork: %d workers; set --workers to at least 1", s.Workers)
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		for range s.Workers {
			task.Go(ctx, func(ctx context.Context) error { return s.keepWorker(ctx, ln) })
		}
		return nil
	})
}

// keepWorker runs one worker after the other until ctx is cancelled. It replaces a worker at
// once, or after a pause if the worker died before it served. The pause doubles each time. If
// the system does not support workers, keepWorker returns that error.
func (s *Supervisor) keepWorker(ctx context.Context, ln *netio.Listener) error {
	pause := minPause
	for {
		w := &worker{supervisor: s}
		died := task.Scope(ctx, func(ctx context.Context) error { return w.run(ctx, ln) })
		if err := task.Check(ctx); err != nil {
			return err
		}
		if errors.Is(died, errors.ErrUnsupported) {
			return died // the system does not pass sockets to children
		}
		if w.served {
			pause = minPause
			fmt.Fprintf(s.Log, "%v: it is replaced\n", died)
			continue
		}
		fmt.Fprintf(s.Log, "%v: it is replaced after %v\n", died, pause)
		if err := await.Sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// watch reads the lines of a worker, and kills the worker if none comes for too long. It
// returns when the worker ends, or on a cancel.
func (w *worker) watch(ctx context.Context, pongs *netio.Stream) error {
	s := w.supervisor
	pongs.SetReadTimeout(s.Silence)
	for {
		_, err := pongs.ReadLine(ctx)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			fmt.Fprintf(s.Log, "worker %d was silent for %v and is killed\n", w.cmd.Process.Pid, s.Silence)
			_ = w.cmd.Kill() // fails if the worker has just ended
			return nil
		case err != nil:
			return nil
		case !w.served:
			fmt.Fprintf(s.Log, "worker %d serves\n", w.cmd.Process.Pid)
			w.served = true
		}
	}
}

// ping sends lines to a worker. It returns if the worker has ended, or on a cancel.
func (w *worker) ping(ctx context.Context, pings *netio.Stream) error {
	for {
		if _, err := pings.Write(ctx, []byte("ping\n")); err != nil {
			return nil
		}
		if err := await.Sleep(ctx, w.supervisor.Ping); err != nil {
			return err
		}
	}
}
