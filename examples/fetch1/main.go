// SPDX-License-Identifier: Apache-2.0

// Fetch1 fetches a URL and prints the body. It adds to fetch0 URLs, HTTPS, and a type for the
// response.
//
//	go run ./examples/fetch1 -v http://python.org/
//	go run ./examples/fetch1 --cafile cert.pem https://localhost:8443/
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
		fmt.Fprintln(os.Stderr, "usage: fetch1 [flags] URL")
		flag.PrintDefaults()
		os.Exit(2)
	}
	task.Main(func(ctx context.Context) error { return run(ctx, flag.Arg(0)) })
}

func run(ctx context.Context, rawURL string) error {
	res, err := fetch(ctx, rawURL)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(res.body)
	return err
}

// fetch fetches a URL.
func fetch(ctx context.Context, rawURL string) (*response, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, u)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	request := "GET " + u.RequestURI() + " HTTP/1.0"
	say(">", request)
	if _, err := s.Write(ctx, []byte(request+"\r\nHost: "+u.Host+"\r\n\r\n")); err != nil {
		return nil, err
	}
	return readResponse(ctx, s)
}

// connect connects to the host of a URL.
func connect(ctx context.Context, u *url.URL) (*netio.Stream, error) {
	switch u.Scheme {
	case "http":
		return netio.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")))
	case "https":
		config, err := selfsigned.Client(*cafile)
		if err != nil {
			return nil, err
		}
		return netio.DialTLS(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), config)
	}
	return nil, errors.New("the URL must use http or https")
}

// A response is the response of a server.
type response struct {
	version string // HTTP/1.1
	status  int    // 200
	reason  string // OK
	header  textproto.MIMEHeader
	body    []byte
}

// readResponse reads a response. The end of the connection ends the body.
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
	body, err := s.ReadAll(ctx, maxBody)
	if err != nil {
		return nil, err
	}
	return &response{version, status, reason, header, body}, nil
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

// say prints to standard error, with -v only.
func say(args ...any) {
	if *verbose {
		fmt.Fprintln(os.Stderr, args...)
	}
}
