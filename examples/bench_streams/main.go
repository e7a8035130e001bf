// SPDX-License-Identifier: Apache-2.0

// Bench_streams measures the throughput of streams: of a pipe, and of a TCP connection on
// the loopback. It sends a few large buffers and many small buffers. It sends them all in one
// call, and each in its own call.
//
//	go run ./examples/bench_streams
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"baton/netio"
	"baton/netio/process"
	"baton/task"
)

var megabytes = flag.Int("megabytes", 50, "how many megabytes each measurement sends")

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, w io.Writer) error {
	total := *megabytes << 20
	for _, bench := range []struct {
		name    string
		connect func(ctx context.Context) (reader, writer *netio.Stream, err error)
	}{{"bench_pipes", pipe}, {"bench_sockets", socket}} {
		for _, size := range []int{total / 5, 10 << 10} {
			for _, each := range []bool{false, true} {
				if err := measure(ctx, w, bench.name, bench.connect, size, total/size, each); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measure sends count buffers and prints how long that takes. If each is set, it calls Write
// for each buffer.
func measure(ctx context.Context, w io.Writer, name string,
	connect func(ctx context.Context) (reader, writer *netio.Stream, err error), size, count int, each bool) error {
	reader, writer, err := connect(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	defer writer.Close()
	began := task.Now(ctx)
	received, err := transfer(ctx, reader, writer, size, count, each)
	if err != nil {
		return err
	}
	if received != int64(size*count) {
		return fmt.Errorf("%s: %d bytes were received, and %d sent", name, received, size*count)
	}
	how := "in one call"
	if each {
		how = "in a call each"
	}
	took, mega := task.Now(ctx).Sub(began).Seconds(), float64(size)/(1<<20)
	fmt.Fprintf(w, "%s: %d buffers by %.2f MB (%s): %.2f seconds (%.0f MB/sec)\n",
		name, count, mega, how, took, mega*float64(count)/took)
	return nil
}

// transfer sends the buffers in one task and receives them in another task. It returns how many
// bytes it has received.
func transfer(ctx context.Context, reader, writer *netio.Stream, size, count int, each bool) (int64, error) {
	var received int64
	err := task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			buffers := make([][]byte, count)
			for i, buffer := 0, make([]byte, size); i < count; i++ {
				buffers[i] = buffer
			}
			if !each {
				_, err := writer.WriteBuffers(ctx, buffers...)
				return end(writer, err)
			}
			for _, buffer := range buffers {
				if _, err := writer.Write(ctx, buffer); err != nil {
					return err
				}
			}
			return end(writer, nil)
		})
		n, err := netio.Copy(ctx, discard{}, reader)
		received = n
		return err
	})
	return received, err
}

// end closes the writer for writing, unless sending has failed.
func end(writer *netio.Stream, err error) error {
	if err != nil {
		return err
	}
	return writer.CloseWrite()
}

// A discard is a netio.Writer that drops all bytes.
type discard struct{}

// Write implements netio.Writer.
func (discard) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// pipe returns both ends of a pipe.
func pipe(ctx context.Context) (reader, writer *netio.Stream, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close() // the streams have duplicates
	defer w.Close()
	if reader, err = process.ReadPipe(ctx, r); err != nil {
		return nil, nil, err
	}
	if writer, err = process.WritePipe(ctx, w); err != nil {
		reader.Close()
	}
	return reader, writer, err
}

// socket returns both ends of a TCP connection.
func socket(ctx context.Context) (reader, writer *netio.Stream, err error) {
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	err = task.Scope(ctx, func(ctx context.Context) error {
		dialed := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
			return netio.Dial(ctx, "tcp", ln.Addr().String())
		})
		if reader, err = ln.Accept(ctx); err == nil {
			writer, err = dialed.Await(ctx)
		}
		return err
	})
	if err != nil && reader != nil {
		reader.Close()
	}
	return reader, writer, err
}
