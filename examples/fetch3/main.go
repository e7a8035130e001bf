// SPDX-License-Identifier: Apache-2.0

// Fetch3 fetches a URL and prints the body. It adds to fetch2 redirects, chunked bodies, and a
// pool of connections, so that a redirect to the same host needs no new connection. The
// example crawl adds more.
//
//	go run ./examples/fetch3 -v http://python.org/
//	go run ./examples/fetch3 --cafile cert.pem https://localhost:8443/
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"

	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/task"
)

var (
	verbose = flag.Bool("v", false, "print connections, requests and headers to standard error")
	cafile  = flag.String("cafile", "", "for https, trust the certificates in this file instead of the system's")
)

const (
	maxRedirects = 10
	maxBody      = 16 << 20 // bytes
)

func main() {
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: fetch3 [flags] URL")
		flag.PrintDefaults()
		os.Exit(2)
	}
	task.Main(func(ctx context.Context) error { return run(ctx, flag.Arg(0)) })
}

func run(ctx context.Context, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	body, err := fetch(ctx, u)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(body)
	return err
}

// fetch fetches the body of a URL, and follows redirects.
func fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	config, err := selfsigned.Client(*cafile)
	if err != nil {
		return nil, err
	}
	p := &pool{tls: config, idle: map[target]*netio.Stream{}}
	defer p.close()
	for redirects := 0; ; redirects++ {
		res, err := get(ctx, p, u)
		if err != nil {
			return nil, err
		}
		location := res.redirect()
		if location == "" {
			return res.body, nil
		}
		if redirects == maxRedirects {
			return nil, fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if u, err = u.Parse(location); err != nil {
			return nil, err
		}
		fmt.Fprintln(os.Stderr, "redirect to", u)
	}
}

// get makes one request. It returns the connection to the pool if it has read the whole
// response, so that the next response is next on the connection.
func get(ctx context.Context, p *pool, u *url.URL) (*response, error) {
	req, err := newRequest(u)
	if err != nil {
		return nil, err
	}
	s, err := p.get(ctx, req.target)
	if err != nil {
		return nil, err
	}
	if err := req.send(ctx, s); err != nil {
		s.Close()
		return nil, err
	}
	res, err := readResponse(ctx, s)
	if err != nil || res.last {
		s.Close()
		return res, err
	}
	p.put(req.target, s)
	return res, nil
}

// say prints to standard error, with -v only.
func say(args ...any) {
	if *verbose {
		fmt.Fprintln(os.Stderr, args...)
	}
}
