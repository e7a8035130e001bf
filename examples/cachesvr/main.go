// SPDX-License-Identifier: Apache-2.0

// Cachesvr is a server that stores strings under keys in memory, as memcached does. It shows
// a protocol with frames, timeouts, TLS, and a graceful end: after Ctrl-C the server sends
// the responses that it has begun, and disconnects its clients.
//
//	go run ./examples/cachesvr                  # Ctrl-C ends it
//	go run ./examples/cachesvr --tls >cert.pem  # writes its new certificate to cert.pem
//	go run ./examples/cacheclt                  # in another terminal
//
// A client sends any number of requests over a connection. The server disconnects a client
// that sends no request for five seconds, or does not read its response.
//
// A request is a frame. A frame begins with a line of three words: "request", the number of
// the request, and the number of bytes that follow. The first request of a connection has
// the number 1. A JSON object of this many bytes follows. A response is a frame as well,
// with the word "response" and the number of its request. The requests are:
//
//	{"type": "get", "key": KEY}
//	{"type": "set", "key": KEY, "value": VALUE}
//	{"type": "delete", "key": KEY}
//
// The responses are {"status": "ok"}, with the "value" after a get, and {"status":
// "notfound"}. The response to any other object is {"error": TEXT}. If a frame is wrong, the
// server sends a line that begins with "error", and closes the connection.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/task"
)

var (
	useTLS        = flag.Bool("tls", false, "use TLS, and write the certificate to standard output")
	host          = flag.String("host", "localhost", "host name")
	port          = flag.Int("port", 54321, "port number")
	timeout       = flag.Duration("timeout", 5*time.Second, "disconnect clients that are idle for this long")
	failPercent   = flag.Float64("random_failure_percent", 0, "fail randomly, N percent of the time")
	failSleep     = flag.Duration("random_failure_sleep", 0, "the longest sleep before failing randomly")
	responseSleep = flag.Duration("random_response_sleep", 0, "the longest sleep before responding")
)

// maxRequest is the most bytes that a request may have. It bounds the memory for a client.
const maxRequest = 1 << 20

func main() {
	flag.Parse()
	task.Main(serve)
}

func serve(ctx context.Context) (err error) {
	var server netio.Server
	if *useTLS {
		if server.TLS, err = selfsigned.Server(os.Stdout, *host); err != nil {
			return err
		}
	}
	config := netio.ListenConfig{Stream: netio.StreamConfig{ReadTimeout: *timeout, WriteTimeout: *timeout}}
	ln, err := config.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	for _, address := range ln.Addrs() {
		log.Println("socket", address)
	}
	return server.ServeListener(ctx, ln, cache{}.handle)
}

// handle serves a connection and logs how it ends.
func (c cache) handle(ctx context.Context, s *netio.Stream) error {
	log.Println("got a connection from", s.RemoteAddr())
	if err := c.frames(ctx, s); err != nil {
		log.Printf("error %v from %v", err, s.RemoteAddr())
	} else {
		log.Println("end connection from", s.RemoteAddr())
	}
	return nil // the error has been logged
}

// frames answers the frames of a connection until the client disconnects or the server shuts
// down.
func (c cache) frames(ctx context.Context, s *netio.Stream) error {
	waiting, release := netio.UntilShutdown(ctx)
	defer release()
	for id := 1; ; id++ {
		header, err := s.ReadLine(waiting)
		switch {
		case err == io.EOF || errors.Is(err, netio.ErrShutdown):
			return nil
		case err != nil:
			return err
		}
		err = c.answer(ctx, s, id, header)
		if bad, ok := errors.AsType[frameError](err); ok {
			_, err := s.Write(ctx, fmt.Appendf(nil, "error %v\r\n", bad))
			return errors.Join(bad, err)
		}
		if err != nil {
			return err
		}
	}
}

// A frameError says what is wrong with a frame. The client receives it.
type frameError string

func (e frameError) Error() string { return string(e) }

// answer reads the rest of a frame and answers it.
func (c cache) answer(ctx context.Context, s *netio.Stream, id int, header string) error {
	if rand.Float64()*100 < *failPercent {
		if err := randomSleep(ctx, *failSleep); err != nil {
			return err
		}
		return frameError("random failure")
	}
	size, err := parse(header, id)
	if err != nil {
		return err
	}
	body := make([]byte, size)
	if _, err := s.ReadFull(ctx, body); err != nil {
		return err
	}
	res, err := c.respond(body)
	if err != nil {
		return err
	}
	if _, err := s.Write(ctx, fmt.Appendf(nil, "response %d %d\r\n", id, len(res)+2)); err != nil {
		return err
	}
	if err := randomSleep(ctx, *responseSleep); err != nil {
		return err
	}
	_, err = s.Write(ctx, append(res, "\r\n"...))
	return err
}

// parse returns the size in a header. The header must have the number id.
func parse(header string, id int) (size int, err error) {
	fields := strings.Fields(header)
	if len(fields) != 3 {
		return 0, frameError("unparseable frame")
	}
	if fields[0] != "request" {
		return 0, frameError("frame does not start with request")
	}
	gotID, err1 := strconv.Atoi(fields[1])
	size, err2 := strconv.Atoi(fields[2])
	if err1 != nil || err2 != nil {
		return 0, frameError("unparsable frame parameters")
	}
	if gotID != id || size < 2 || size > maxRequest {
		return 0, frameError("invalid frame parameters")
	}
	return size, nil
}

// randomSleep sleeps for a random time up to most.
func randomSleep(ctx context.Context, most time.Duration) error {
	return await.Sleep(ctx, time.Duration(rand.Float64()*float64(most)))
}
