// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

// pipeBatch is how many buffers one operation of a meter sends.
const pipeBatch = 16

// pipeShape measures a pipe. One side writes buffers of the given size, with one Write for each
// buffer. The other side, in the same process, reads with a large buffer.
func pipeShape(kib int, limit float64) shape {
	return shape{
		name: fmt.Sprintf("pipe/%dk", kib), unit: "ns/KiB", limit: limits(limit, limit),
		ours:  func(h task.Handoff) side { return pipeTasks(h, kib, timed) },
		peers: goroutines(pipeGoroutines(kib, timed)),
	}
}

// pipeCPUShape is like pipeShape, but measures CPU time.
func pipeCPUShape(kib int, limit float64) shape {
	return shape{
		name: fmt.Sprintf("pipe/%dk/cpu", kib), unit: "ns CPU/KiB", limit: limits(limit, limit),
		ours:  func(h task.Handoff) side { return pipeTasks(h, kib, burned) },
		peers: goroutines(pipeGoroutines(kib, burned)),
	}
}

// pipeReadBytes is the size of the buffer of the reading goroutine. It is the default capacity
// of a pipe.
const pipeReadBytes = 64 << 10

// pipeTasks uses two tasks and the streams of package process.
func pipeTasks(h task.Handoff, kib int, m meter) side {
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (cost float64, err error) {
			reader, writer, err := pipeStreams(ctx)
			if err != nil {
				return 0, err
			}
			defer reader.Close()
			err = task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					defer writer.Close()
					buffer := make([]byte, kib<<10)
					cost, err = m(r.least, func(n int) error {
						for range pipeBatch * n {
							if _, err := writer.Write(ctx, buffer); err != nil {
								return err
							}
						}
						return nil
					})
					return err
				})
				_, err := netio.Copy(ctx, discard{}, reader)
				return err
			})
			return cost / float64(pipeBatch*kib), err
		})
	}
}

// A discard is a netio.Writer that drops all bytes.
type discard struct{}

func (discard) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// pipeStreams returns both ends of a pipe as streams.
func pipeStreams(ctx context.Context) (reader, writer *netio.Stream, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close(), w.Close()) }() // the streams have duplicates
	if reader, err = process.ReadPipe(ctx, r); err != nil {
		return nil, nil, err
	}
	if writer, err = process.WritePipe(ctx, w); err != nil {
		reader.Close()
		return nil, nil, err
	}
	return reader, writer, nil
}

// pipeGoroutines uses two goroutines and the files of package os.
func pipeGoroutines(kib int, m meter) side {
	return func(r round) (float64, error) {
		reader, writer, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		var g errgroup.Group
		g.Go(func() error {
			defer reader.Close()
			for buffer := make([]byte, pipeReadBytes); ; {
				if _, err := reader.Read(buffer); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
			}
		})
		buffer := make([]byte, kib<<10)
		cost, err := m(r.least, func(n int) error {
			for range pipeBatch * n {
				if _, err := writer.Write(buffer); err != nil {
					return err
				}
			}
			return nil
		})
		return cost / float64(pipeBatch*kib), errors.Join(err, writer.Close(), g.Wait())
	}
}
