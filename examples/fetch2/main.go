// SPDX-License-Identifier: Apache-2.0

// Fetch2 fetches a URL and prints the body. It adds to fetch1 a type for the request, and
// HTTP/1.1, where the header has the length of the body.
//
//	go run ./examples/fetch2 -v http://python.org/
//	go run ./examples/fetch2 --cafile cert.pem https://localhost:8443/
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"

	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/task"
)

var (
	verbose = flag.Bool("v", false, "print what is sent and received before the body to standard error")
	cafile  = flag.String("cafile", "", "for https, trust the certificates in this file instead of the system's")
)

// maxBody is the most bytes that a body may have.
const maxBody = 16 << 20

func main() {
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: fetch2 [flags] URL")
		flag.PrintDefaults()
		os.Exit(2)
	}
	task.Main(func(ctx context.Context) error { return run(ctx, flag.Arg(0)) })
}

func run(ctx context.Context, rawURL string) error {
	body, err := fetch(ctx, rawURL)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(body)
	return err
}

// fetch fetches the body of a URL.
func fetch(ctx context.Context, rawURL string) ([]byte, error) {
	req, err := newRequest(rawURL)
	if err != nil {
		return nil, err
	}
	s, err := req.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := req.send(ctx, s); err != nil {
		return nil, err
	}
	res, err := readResponse(ctx, s)
	if err != nil {
		return nil, err
	}
	return res.readBody(ctx, s)
}

// A request is a request for a URL.
type request struct {
	url    *url.URL
	method string
	header []string // lines
}

func newRequest(rawURL string) (*request, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL must use http or https")
	}
	// This program makes one request, so the server may close the connection after it.
	return &request{url: u, method: "GET", header: []string{"Host: " + u.Host, "Connection: close"}}, nil
}

// connect connects to the host of the URL.
func (r *request) connect(ctx context.Context) (*netio.Stream, error) {
	dial, port, how := dialTCP, "80", "tcp"
	if r.url.Scheme == "https" {
		dial, port, how = dialTLS, "443", "tls"
	}
	address := net.JoinHostPort(r.url.Hostname(), cmp.Or(r.url.Port(), port))
	say("* Connecting to", address, "using", how)
	s, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	say("* Connected to", s.RemoteAddr())
	return s, nil
}

func dialTCP(ctx context.Context, address string) (*netio.Stream, error) {
	return netio.Dial(ctx, "tcp", address)
}

func dialTLS(ctx context.Context, address string) (*netio.Stream, error) {
	config, err := selfsigned.Client(*cafile)
	if err != nil {
		return nil, err
	}
	return netio.DialTLS(ctx, "tcp", address, config)
}

// send writes the request.
func (r *request) send(ctx context.Context, s *netio.Stream) error {
	var head []byte
	for _, line := range append([]string{r.method + " " + r.url.RequestURI() + " HTTP/1.1"}, r.header...) {
		say(">", line)
		head = append(head, line+"\r\n"...)
	}
	_, err := s.Write(ctx, append(head, "\r\n"...))
	return err
}

// A response is the response of a server. The body follows it on the connection.
type response struct {
	version string // HTTP/1.1
	status  int    // 200
	reason  string // OK
	header  textproto.MIMEHeader
}

// readResponse reads a response without its body.
func readResponse(ctx context.Context, s *netio.Stream) (*response, error) {
	line, err := s.ReadLine(ctx)
	if err != nil {
		return nil, err
	}
	say("<", line)
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		return nil, fmt.Errorf("bad status line %q", line)
	}
	header, err := readHeader(ctx, s)
	if err != nil {
		return nil, err
	}
	return &response{version, status, reason, header}, nil
}

// readHeader reads the fields of a header, and the empty line after them.
func readHeader(ctx context.Context, s *netio.Stream) (textproto.MIMEHeader, error) {
	header := textproto.MIMEHeader{}
	for {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return nil, err
		}
		if line == "" {
			say()
			return header, nil
		}
		say("<", line)
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("bad header line %q", line)
		}
		header.Add(name, strings.TrimSpace(value))
	}
}

// readBody reads the body. Without a length, the end of the connection ends the body.
func (r *response) readBody(ctx context.Context, s *netio.Stream) ([]byte, error) {
	if coding := r.header.Get("Transfer-Encoding"); coding != "" {
		return nil, fmt.Errorf("the body is %s: try fetch3", coding)
	}
	length := r.header.Get("Content-Length")
	if length == "" {
		return s.ReadAll(ctx, maxBody)
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBody {
		return nil, fmt.Errorf("bad content length %q", length)
	}
	body := make([]byte, n)
	_, err = s.ReadFull(ctx, body)
	return body, err
}

// say prints to standard error, with -v only.
func say(args ...any) {
	if *verbose {
		fmt.Fprintln(os.Stderr, args...)
	}
}
