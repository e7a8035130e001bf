// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// withServer runs fn on a loop, with the URL of a server that says hello.
func withServer(fn func(ctx context.Context, url string) error) error {
	return task.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					w.WriteHeader(http.StatusNotFound)
					io.WriteString(w, "no such page")
					return
				}
				fmt.Fprintf(w, `{"hello": %q}`, r.FormValue("name"))
			})}
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			defer srv.Close()
			return fn(ctx, "http://"+ln.Addr().String())
		})
	})
}

// The program of the package documentation, with a client.
func ExampleServer() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		count := 0 // no lock: handlers of a loop run one at a time
		srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count++
			fmt.Fprintf(w, "request %d of %s\n", count, r.URL.Path)
		})}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		defer srv.Close()

		var session httpio.Session
		defer session.Close()
		for _, path := range []string{"/a", "/b"} {
			text, err := session.Text(ctx, "http://"+ln.Addr().String()+path)
			if err != nil {
				return err
			}
			fmt.Print(text)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// request 1 of /a
	// request 2 of /b
}

func ExampleTransport() {
	err := withServer(func(ctx context.Context, url string) error {
		transport := &httpio.Transport{MaxConnsPerHost: 10, IdleConnTimeout: time.Minute}
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport, Timeout: 10 * time.Second}

		req, err := http.NewRequestWithContext(ctx, "GET", url+"/?name=gopher", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		fmt.Println(resp.Status, string(body))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 200 OK {"hello": "gopher"}
}

// The context of a request has the values of Serve's ctx and the values that ConnContext adds.
func ExampleServer_connContext() {
	type key string
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		connections := 0 // no lock: one task runs at a time
		srv := &httpio.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, r.Context().Value(key("site")), "connection", r.Context().Value(key("number")))
			}),
			ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
				connections++
				return context.WithValue(ctx, key("number"), connections)
			},
		}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.Serve(context.WithValue(ctx, key("site"), "example"), ln)
		})
		defer srv.Close()

		for range 2 {
			var session httpio.Session // a new one, so that it opens a new connection
			text, err := session.Text(ctx, "http://"+ln.Addr().String())
			if err != nil {
				return err
			}
			fmt.Print(text)
			session.Close()
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// example connection 1
	// example connection 2
}

// A server says goodbye on hijacked connections when it shuts down. A handler that stays on its
// task may use netio.UntilShutdown instead.
func ExampleServer_RegisterOnShutdown() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		hijacked := make(map[net.Conn]bool)
		srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			hijacked[c] = true
			fmt.Fprintln(c, "welcome")
		})}
		srv.RegisterOnShutdown(func(context.Context) {
			for c := range hijacked {
				fmt.Fprintln(c, "bye")
				_ = c.Close()
			}
		})
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println(line)
		if err := srv.Shutdown(ctx); err != nil {
			return err
		}
		line, err = s.ReadLine(ctx)
		fmt.Println(line)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// welcome
	// bye
}

func ExampleSession() {
	err := withServer(func(ctx context.Context, url string) error {
		var session httpio.Session
		defer session.Close()

		text, err := session.Text(ctx, url+"/?name=text")
		if err != nil {
			return err
		}
		var v struct{ Hello string }
		if err := session.JSON(ctx, url+"/?name=JSON", &v); err != nil {
			return err
		}
		fmt.Println(text, v.Hello)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"hello": "text"} JSON
}

// A response with status 400 or above is an error.
func ExampleStatusError() {
	err := withServer(func(ctx context.Context, url string) error {
		var session httpio.Session
		defer session.Close()
		_, err := session.Text(ctx, url+"/missing")
		if e, ok := errors.AsType[*httpio.StatusError](err); ok {
			fmt.Println(e.Code, e.Body)
			return nil
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 404 no such page
}

// A server of package net/http runs a handler as tasks of a loop, so the handler needs no lock.
// Shutdown waits for the requests in progress.
func ExampleOnLoop() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		counts := map[string]int{}
		portal := task.OpenPortal(ctx)
		defer portal.Close()
		mux := http.NewServeMux()
		mux.Handle("/count/{name}", httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := r.PathValue("name")
			counts[name]++
			fmt.Fprintf(w, "%s %d", name, counts[name])
		})))
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: mux}
		serving := make(chan error, 1)
		go func() { serving <- srv.Serve(ln) }()

		var session httpio.Session
		defer session.Close()
		for range 2 {
			text, err := session.Text(ctx, "http://"+ln.Addr().String()+"/count/gopher")
			if err != nil {
				return err
			}
			fmt.Println(text)
		}

		_, err = await.Blocking(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, srv.Shutdown(ctx) })
		fmt.Println(<-serving)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// gopher 1
	// gopher 2
	// http: Server closed
}
