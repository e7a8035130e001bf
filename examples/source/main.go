// SPDX-License-Identifier: Apache-2.0

// Source sends data to a server that discards it, and does not wait for the server to read. It
// shows a protocol that schedules its next step with CallSoon, and what happens without flow
// control: the transport stores what the server has not read, and the memory of the program
// grows. The example source1 does the same with a stream, which waits.
//
//	go run ./examples/sink            # the server
//	go run ./examples/source          # in another terminal; Ctrl-C ends it
//	go run ./examples/source --stop   # ends the server
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"baton/examples/internal/selfsigned"
	"baton/netio/protocol"
	"baton/task"
)

var (
	useTLS = flag.Bool("tls", false, "use TLS")
	cafile = flag.String("cafile", "", "with -tls, trust the certificates in this file instead of the system's")
	stop   = flag.Bool("stop", false, `stop the server by sending it "stop" as data`)
	host   = flag.String("host", "127.0.0.1", "host name")
	port   = flag.Int("port", 1111, "port number")
	size   = flag.Int("size", 16<<10, "data size")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stderr) })
}

func run(ctx context.Context, log io.Writer) error {
	var config protocol.Config
	if *useTLS {
		var err error
		if config.TLS, err = selfsigned.Client(*cafile); err != nil {
			return err
		}
	}
	s := &source{log: log, data: bytes.Repeat([]byte("x"), *size)}
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if _, err := config.Connect(ctx, "tcp", address, func() protocol.Base { return s }); err != nil {
		return err
	}
	_, err := s.lost.Await(ctx)
	return err
}

// A source is the protocol of the connection.
type source struct {
	log       io.Writer
	data      []byte
	transport *protocol.Transport
	lost      task.Future[struct{}]
}

func (s *source) print(args ...any) {
	fmt.Fprintln(s.log, append([]any{"source:"}, args...)...)
}

func (s *source) ConnectionMade(t *protocol.Transport) {
	s.print("connected to", t.RemoteAddr())
	s.print("my socket is", t.LocalAddr())
	s.transport = t
	if *stop {
		t.Write([]byte("stop"))
		t.Close()
		return
	}
	s.writeSome()
}

// writeSome writes once, and schedules itself for the next turn of the loop.
func (s *source) writeSome() {
	if s.lost.Done() {
		s.print("lost already")
		return
	}
	s.print("writing", len(s.data), "bytes")
	s.transport.Write(s.data)
	s.transport.Loop().CallSoon(s.writeSome)
}

// DataReceived ignores data. A sink sends none.
func (s *source) DataReceived([]byte) {}

func (s *source) ConnectionLost(err error) {
	s.print("lost connection", err)
	s.lost.Set(struct{}{})
}
