// SPDX-License-Identifier: Apache-2.0

// Source1 sends data to a server that discards it, as fast as the server reads. It shows flow
// control: Write waits until the kernel has taken all bytes, so the memory of the program does
// not grow if the server is slow. The program ends when the server closes the connection.
//
//	go run ./examples/sink             # the server
//	go run ./examples/source1          # in another terminal; Ctrl-C ends it
//	go run ./examples/source1 --stop   # ends the server
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/task"
)

var (
	useTLS = flag.Bool("tls", false, "use TLS")
	cafile = flag.String("cafile", "", "with -tls, trust the certificates in this file instead of the system's")
	stop   = flag.Bool("stop", false, `stop the server by sending it "stop" as data`)
	host   = flag.String("host", "127.0.0.1", "host name")
	port   = flag.Int("port", 1111, "port number")
	size   = flag.Uint("size", 16<<10, "data size")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, &printer{out: os.Stderr}) })
}

func run(ctx context.Context, p *printer) error {
	s, err := connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p.print("connected %v", s)
	if *stop {
		_, err := s.Write(ctx, []byte("stop"))
		return err
	}
	data := []byte(strings.Repeat("x", int(*size)))
	for total := *size; ; total += *size {
		p.repeat("writing %d bytes; total %d", *size, total)
		began := task.Now(ctx)
		_, err := s.Write(ctx, data)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			p.print("caught %v", err)
			return nil
		}
		if err != nil {
			return err
		}
		if paused := task.Now(ctx).Sub(began); paused >= time.Millisecond {
			p.print("paused for %v", paused)
		}
	}
}

// connect connects to the server, with TLS if --tls is set.
func connect(ctx context.Context) (*netio.Stream, error) {
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if !*useTLS {
		return netio.Dial(ctx, "tcp", address)
	}
	config, err := selfsigned.Client(*cafile)
	if err != nil {
		return nil, err
	}
	return netio.DialTLS(ctx, "tcp", address, config)
}

// A printer writes lines. It shows the first two lines of a series, and then overwrites the
// last line with each further line of the series.
type printer struct {
	out   io.Writer
	lines int // of the current series
}

// print ends the series and writes a line.
func (p *printer) print(format string, args ...any) {
	if p.lines > 2 {
		fmt.Fprintln(p.out)
	}
	p.lines = 0
	fmt.Fprintf(p.out, "stream1: "+format+"\n", args...)
}

// repeat writes a line of a series.
func (p *printer) repeat(format string, args ...any) {
	p.lines++
	if p.lines == 3 {
		fmt.Fprintln(p.out, "stream1: [...]")
	}
	end := "\n"
	if p.lines > 2 {
		end = "\r"
	}
	fmt.Fprintf(p.out, "stream1: "+format+end, args...)
}
