// SPDX-License-Identifier: Apache-2.0

// Fetch3 fetches a URL and prints the body. To fetch2 it adds redirects, a pool of
// connections, so that a redirect to the same host needs no new one, and chunked bodies.
// The example crawl goes on from here.
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
	verbose = flag.Bool("v", false, "print what goes on, and what is sent and received before the body, to standard error")
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

// fetch gets the body of a URL, or of what the URL redirects to.
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

// get makes one request. It gives the connection back to the pool if the response was read
// to its end, so that the next response begins where this one ends.
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

// say prints a line for users who want to know what goes on.
func say(args ...any) {
	if *verbose {
		fmt.Fprintln(os.Stderr, args...)
	}
}
