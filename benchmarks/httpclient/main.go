// SPDX-License-Identifier: Apache-2.0

// Httpclient is the client of the httpclient rows. For a limited time, each of its workers sends a
// request, reads the answer to the end, and begins again.
//
//	httpclient -url http://127.0.0.1:7000/ -style baton -handoff coroutine -workers 50 -for 2s
//	connected 50
//	messages 118260 in 2.001s
//
// A worker is a task with an httpio.Transport, or a goroutine with an http.Transport. Both styles
// run the same code for a request, and keep one connection for each worker.
//
// With -hold it waits for a line of standard input before it begins, and for the end of standard
// input before it ends. So its parent process can read its CPU time in between.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"baton/await"
	"baton/netio/httpio"
	"baton/task"
)

// warmUp is the number of requests of each worker before it counts as connected.
const warmUp = 16

func main() {
	var (
		url     = flag.String("url", "http://127.0.0.1:7000/", "`URL` of the requests")
		style   = flag.String("style", "baton", "baton or nethttp")
		handoff = flag.String("handoff", "channel", "handoff of style baton: channel or coroutine")
		workers = flag.Int("workers", 50, "number of concurrent requests")
		size    = flag.Int("size", 12, "`bytes` in a body")
		bound   = flag.Duration("for", time.Second, "how long to send requests")
		held    = flag.Bool("hold", false, "wait for standard input")
	)
	flag.Parse()
	l := load{url: *url, workers: *workers, size: *size, bound: *bound, out: os.Stdout}
	if *held {
		l.hold = os.Stdin
	}
	if err := l.run(*style, *handoff); err != nil {
		fmt.Fprintln(os.Stderr, "httpclient:", err)
		os.Exit(1)
	}
}

// A load has the parameters of the client.
type load struct {
	url           string
	workers, size int
	bound         time.Duration
	hold          io.Reader // or nil
	out           io.Writer
}

func (l load) run(style, handoff string) error {
	switch style {
	case "nethttp":
		transport := &http.Transport{MaxIdleConnsPerHost: l.workers}
		defer transport.CloseIdleConnections()
		return l.with(context.Background(), transport, goroutines, call)
	case "baton":
		for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
			if h.String() == handoff {
				return task.Runner{Handoff: h}.Run(context.Background(), l.baton)
			}
		}
		return fmt.Errorf("-handoff %s: it must be channel or coroutine", handoff)
	}
	return fmt.Errorf("-style %s: it must be baton or nethttp", style)
}

func (l load) baton(ctx context.Context) error {
	transport := &httpio.Transport{MaxIdleConnsPerHost: l.workers}
	defer transport.CloseIdleConnections()
	return l.with(ctx, transport, tasks, offLoop)
}

// goroutines runs fn on n goroutines at once, and returns the first error.
func goroutines(ctx context.Context, n int, fn func(ctx context.Context) error) error {
	all, ctx := errgroup.WithContext(ctx)
	for range n {
		all.Go(func() error { return fn(ctx) })
	}
	return all.Wait()
}

// tasks is like goroutines, with tasks.
func tasks(ctx context.Context, n int, fn func(ctx context.Context) error) error {
	return task.Scope(ctx, func(ctx context.Context) error {
		for range n {
			task.Go(ctx, fn)
		}
		return nil
	})
}

// call calls fn, which blocks on standard input.
func call(_ context.Context, fn func() error) error { return fn() }

// offLoop calls fn outside the loop.
func offLoop(ctx context.Context, fn func() error) error {
	_, err := await.Blocking(ctx, func(context.Context) (int, error) { return 0, fn() })
	return err
}

// with sends the requests through a transport. each runs n workers, and wait calls a function that
// blocks.
func (l load) with(ctx context.Context, transport http.RoundTripper,
	each func(ctx context.Context, n int, fn func(ctx context.Context) error) error,
	wait func(ctx context.Context, fn func() error) error,
) error {
	err := each(ctx, l.workers, func(ctx context.Context) error {
		for range warmUp {
			if err := l.request(ctx, transport); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(l.out, "connected", l.workers)
	var input *bufio.Reader
	if l.hold != nil {
		input = bufio.NewReader(l.hold)
		if err := wait(ctx, func() error { _, err := input.ReadString('\n'); return err }); err != nil {
			return fmt.Errorf("reading standard input for -hold: %w", err)
		}
	}
	start := time.Now()
	var over atomic.Bool
	defer time.AfterFunc(l.bound, func() { over.Store(true) }).Stop()
	var made atomic.Int64
	err = each(ctx, l.workers, func(ctx context.Context) error {
		for { // at least one request
			if err := l.request(ctx, transport); err != nil {
				return err
			}
			if made.Add(1); over.Load() {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(l.out, "messages %d in %.3fs\n", made.Load(), time.Since(start).Seconds())
	if l.hold == nil {
		return nil
	}
	return wait(ctx, func() error { _, err := io.Copy(io.Discard, input); return err })
}

// request sends a request and reads the answer.
func (l load) request(ctx context.Context, transport http.RoundTripper) error {
	req, err := http.NewRequestWithContext(ctx, "GET", l.url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n != int64(l.size)) {
		err = fmt.Errorf("the answer is %s with a body of %d bytes, want %d", resp.Status, n, l.size)
	}
	return err
}
