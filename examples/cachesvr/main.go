// SPDX-License-Identifier: Apache-2.0

// Cachesvr is a server that keeps strings under keys, as memcached does, in memory. It
// shows a protocol with frames, timeouts, TLS, and a server that ends in order: after
// Ctrl-C it sends the answers that it has begun, and disconnects its clients.
//
//	go run ./examples/cachesvr                  # Ctrl-C ends it
//	go run ./examples/cachesvr --tls >cert.pem  # writes its new certificate there
//	go run ./examples/cacheclt                  # in another terminal
//
// A connection is for many requests. A client that sends no request for five seconds, or
// does not read its answer, is disconnected.
//
// A request is a frame: the word "request", the number of the request, which is 1 for the
// first of the connection, the number of bytes that follow, and a line feed; then a JSON
// object in so many bytes. A response is a frame, too, with the word "response" and the
// number of its request. The requests are:
//
//	{"type": "get", "key": KEY}
//	{"type": "set", "key": KEY, "value": VALUE}
//	{"type": "delete", "key": KEY}
//
// The responses are {"status": "ok"}, with the "value" after a get, and {"status":
// "notfound"}. The response to an object that is no request is {"error": TEXT}. If a frame
// is wrong, the server sends a line that begins with "error", and closes the connection.
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
	timeout       = flag.Duration("timeout", 5*time.Second, "disconnect clients that are idle for so long")
	failPercent   = flag.Float64("random_failure_percent", 0, "fail randomly, N percent of the time")
	failSleep     = flag.Duration("random_failure_sleep", 0, "sleep at most so long before failing randomly")
	responseSleep = flag.Duration("random_response_sleep", 0, "sleep at most so long before responding")
)

// maxRequest bounds the memory that a client can make the server use.
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
	return nil // the error is logged already
}

// frames answers the frames of a connection, until the client leaves or the server is
// shut down.
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

// A frameError says what is wrong with a frame.
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

// parse returns the size in the header of frame id.
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

// randomSleep sleeps at most so long.
func randomSleep(ctx context.Context, most time.Duration) error {
	return await.Sleep(ctx, time.Duration(rand.Float64()*float64(most)))
}
