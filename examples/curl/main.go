// SPDX-License-Identifier: Apache-2.0

// Curl fetches a URL. It prints host, path and scheme, the status, the header, an empty
// line, and the body. It follows redirects, and prints a first line for each of them. It
// shows httpio.Transport in an http.Client.
//
//	go run ./examples/curl http://python.org/
//	go run ./examples/curl --cafile cert.pem https://localhost:8443/
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"

	"baton/examples/internal/selfsigned"
	"baton/netio/httpio"
	"baton/task"
)

var cafile = flag.String("cafile", "", "for https, trust the certificates in this file instead of the system's")

func main() {
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: curl [flags] URL")
		flag.PrintDefaults()
		os.Exit(2)
	}
	task.Main(func(ctx context.Context) error { return run(ctx, flag.Arg(0)) })
}

func run(ctx context.Context, url string) error {
	config, err := selfsigned.Client(*cafile)
	if err != nil {
		return err
	}
	transport := &httpio.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: redirect}
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	announce(req.URL)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			fmt.Printf("%s: %s\n", name, value)
		}
	}
	fmt.Println()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// announce prints the URL that is fetched.
func announce(u *url.URL) { fmt.Println(u.Host, u.RequestURI(), u.Scheme) }

// redirect is the CheckRedirect of the client. It allows as many redirects as package net/http.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return fmt.Errorf("more than %d redirects", len(via)-1)
	}
	announce(req.URL)
	return nil
}
