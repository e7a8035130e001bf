// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// with serves a directory in a simulated world, calls do, and returns the output of the server.
func with(t *testing.T, do func(ctx context.Context, t *testing.T, client *http.Client)) string {
	t.Helper()
	*dir = t.TempDir()
	defer func() { *dir, *ssl = ".", false }()
	for name, text := range map[string]string{
		"page.txt":       strings.Repeat("hello\n", 1000),
		"small.bin":      "0123456789",
		".secret":        "secret",
		"sub/index.html": "<p>index</p>",
		"list/a.txt":     "a",
		"list/.b.txt":    "b",
	} {
		path := filepath.Join(*dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(*dir, "etc")); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var certificate strings.Builder
		server := task.StartErr(ctx, func(ctx context.Context) error { return serve(ctx, &certificate, &log) })
		if err := await.Sleep(ctx, time.Second); err != nil { // until the server listens
			t.Fatal(err)
		}
		transport := &httpio.Transport{DisableCompression: true}
		if *ssl {
			file := filepath.Join(t.TempDir(), "cert.pem")
			if err := os.WriteFile(file, []byte(certificate.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			config, err := selfsigned.Client(file)
			if err != nil {
				t.Fatal(err)
			}
			transport.TLSClientConfig = config
		}
		do(ctx, t, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}})
		transport.CloseIdleConnections()
		server.Cancel(nil)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return log.String()
}

func TestRequests(t *testing.T) {
	with(t, func(ctx context.Context, t *testing.T, client *http.Client) {
		modified := ""
		for _, c := range []struct {
			path, name, value string // a header field of the request
			status            int
			want              string // text of the body; after "!", text that is not in the body
			field, fieldWant  string // a header field of the response
		}{
			{"/page.txt", "", "", 200, "hello\nhello\n", "Content-Length", "6000"},
			{"/page.txt", "Range", "bytes=0-4", 206, "hello", "Content-Range", "bytes 0-4/6000"},
			{"/page.txt", "Range", "bytes=9000-", 416, "", "", ""},
			{"/page.txt", "Accept-Encoding", "br, gzip", 200, "\x1f\x8b", "Content-Encoding", "gzip"},
			{"/page.txt", "Accept-Encoding", "gzip;q=0", 200, "hello", "Content-Encoding", ""},
			{"/page.txt", "If-Modified-Since", "", 304, "", "", ""},
			{"/small.bin", "Accept-Encoding", "gzip", 200, "0123456789", "Content-Encoding", ""},
			{"/sub/", "", "", 200, "<p>index</p>", "Content-Type", "text/html; charset=utf-8"},
			{"/sub", "", "", 301, "", "Location", "sub/"},
			{"/list/", "", "", 200, ">a.txt<", "", ""},
			{"/list/", "", "", 200, "!b.txt", "", ""},
			{"/.secret", "", "", 404, "!secret\n", "", ""},
			{"/list/.b.txt", "", "", 404, "", "", ""},
			{"/etc/passwd", "", "", 500, "!root", "", ""},
			{"/%2e%2e/%2e%2e/etc/passwd", "", "", 500, "!root", "", ""},
			{"/nowhere", "Accept-Encoding", "gzip", 404, "404 page not found", "", ""},
		} {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:8080"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "If-Modified-Since" {
				c.value = modified
			}
			if c.name != "" {
				req.Header.Set(c.name, c.value)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
			}
			if m := resp.Header.Get("Last-Modified"); m != "" {
				modified = m
			}
			unwanted, not := strings.CutPrefix(c.want, "!")
			if resp.StatusCode != c.status || strings.Contains(string(body), unwanted) == not {
				t.Errorf("%s %s: %s %q, want %d %q", c.path, c.value, resp.Status, body, c.status, c.want)
			}
			if got := resp.Header.Get(c.field); c.field != "" && got != c.fieldWant {
				t.Errorf("%s: %s: %q, want %q", c.path, c.field, got, c.fieldWant)
			}
		}
	})
}

func TestLog(t *testing.T) {
	got := with(t, func(ctx context.Context, t *testing.T, client *http.Client) {
		for _, path := range []string{"/small.bin", "/.secret"} {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:8080"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", "test")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	})
	want := "serving on 127.0.0.1:8080\nGET /small.bin HTTP/1.1\nUser-Agent: test\n\n" +
		"GET /.secret HTTP/1.1\nUser-Agent: test\nbad path \"/.secret\"\n\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSSL(t *testing.T) {
	*ssl = true
	with(t, func(ctx context.Context, t *testing.T, client *http.Client) {
		req, err := http.NewRequestWithContext(ctx, "GET", "https://localhost:8080/small.bin", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "0123456789" {
			t.Errorf("%q, %v", body, err)
		}
	})
}
