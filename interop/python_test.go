// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netio/httpio"
	"baton/task"
)

// The client of Python's library sends requests of all kinds to our server. The test compares its
// output with the expected text.
func TestPythonAtOurServer(t *testing.T) {
	id := newIdentity(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/", describe)
	mux.HandleFunc("/nothing", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/unread", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "unread", http.StatusTeapot) })
	mux.HandleFunc("/flushed", func(w http.ResponseWriter, r *http.Request) {
		for _, word := range []string{"one ", "two ", "three"} {
			io.WriteString(w, word)
			http.NewResponseController(w).Flush()
		}
	})
	text := strings.Repeat("0123456789", 200_000)
	empty, all := sha256.Sum256(nil), sha256.Sum256([]byte(text))
	crosses := sha256.Sum256([]byte(strings.Repeat("x", 3_000_000)))
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var config *tls.Config
			field := `"" ""`
			if scheme == "https" {
				config, field = id.server(), `"localhost" "TLS 1.3"`
			}
			// The output of describe, and the length of its line.
			said := func(method, proto string, n int, sum [32]byte) string {
				text := fmt.Sprintf("%s / %s %s, %d bytes, %x, <nil>", method, proto, field, n, sum)
				return fmt.Sprintf("%d | %s", len(text)+1, text)
			}
			want := "get | 200 | 11 | " + said("GET", "HTTP/1.1", 0, empty) + "\n" +
				"head | 200 | 11 | None | \n" +
				fmt.Sprintf("download | 200 | 11 | None | %x\n", crosses) +
				"length | 200 | 11 | " + said("POST", "HTTP/1.1", len(text), all) + "\n" +
				"chunks | 200 | 11 | " + said("POST", "HTTP/1.1", len(text), all) + "\n" +
				"empty | 200 | 11 | " + said("PUT", "HTTP/1.1", 0, empty) + "\n" +
				"nothing | 204 | 11 | None | \n" +
				"flushed | 200 | 11 | None | one two three\n" +
				"unread | 418 | 11 | 7 | unread\n" +
				"asked | HTTP/1.1 100 Continue\n" +
				"expect | 200 | 11 | " + said("POST", "HTTP/1.1", len(text), all) + "\n" +
				"refused | 418 | 11 | 7 | unread\n" +
				"kept | False | 1\n" +
				"close | 200 | 11 | " + said("GET", "HTTP/1.1", 0, empty) + "\n" +
				"open | False\n"
			if scheme == "http" {
				want += "old | 200 | 10 | " + said("GET", "HTTP/1.0", 0, empty) + "\n" +
					"open | False\n" +
					"old, kept | 200 | 10 | " + said("GET", "HTTP/1.0", 0, empty) + "\n" +
					"old, kept | 200 | 10 | " + said("POST", "HTTP/1.0", len(text), all) + "\n" +
					"connections | 1\n" +
					"old, flushed | 200 | 10 | None | one two three\n"
			}
			withHTTP(t, config, mux, func(ctx context.Context, port string) error {
				got, err := python.run(ctx, "", "testdata/client.py", scheme, port, id.certFile)
				if got != want {
					t.Errorf("python printed\n%s\nwant\n%s", got, want)
				}
				return err
			})
		})
	}
}

// Our client gets files from the server of Python's library and posts to it. With HTTP/1.0 each
// request needs a connection; with HTTP/1.1 one connection is enough.
func TestOurClientAtPython(t *testing.T) {
	id := newIdentity(t)
	files := dir(t)
	large := random(3 << 20)
	for name, text := range map[string]string{"small.txt": "small", "large.bin": large, "empty.txt": ""} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(version+" "+scheme, func(t *testing.T) {
				args := []string{"testdata/server.py", version, files}
				if scheme == "https" {
					args = append(args, id.certFile, id.keyFile)
				}
				line, err := python.start(t, args...).hear("listening on ")
				if err != nil {
					t.Fatal(err)
				}
				base := scheme + "://" + strings.TrimPrefix(line, "listening on ")
				bounded(t, func(ctx context.Context) error { return askPython(ctx, t, base, version, id, large) })
			})
		}
	}
}

func askPython(ctx context.Context, t *testing.T, base, version string, id *identity, large string) error {
	s := &httpio.Session{Transport: httpio.Transport{TLSClientConfig: id.client()}}
	defer s.Close()
	at := httpClient{t, s.Do, base}
	h := at.get(ctx, "/small.txt", "small")
	ports := map[string]bool{h.Get("X-Port"): true}
	exchanges := []exchange{
		{method: "HEAD", path: "/large.bin", status: 200, field: fmt.Sprintf("Content-Length: %d", len(large))},
		{method: "GET", path: "/large.bin", status: 200, want: large},
		{method: "GET", path: "/empty.txt", status: 200},
		{method: "GET", path: "/small.txt", header: "If-Modified-Since: " + h.Get("Last-Modified"), status: 304},
		{method: "GET", path: "/moved", status: 200, want: "small"},
		{method: "GET", path: "/chunks", status: 200, want: "one two three"},
		{method: "POST", path: "/", body: "short", status: 200, want: "short"},
		{method: "POST", path: "/", body: "short", header: "Expect: 100-continue", status: 200, want: "short"},
		{method: "POST", path: "/", body: large, status: 200, want: large},
	}
	for _, v := range exchanges {
		ports[at.make(ctx, v).Get("X-Port")] = true
	}
	want := 1
	if version == "HTTP/1.0" {
		want += len(exchanges)
	}
	if len(ports) != want {
		t.Errorf("%d requests over %d connections, want %d", 1+len(exchanges), len(ports), want)
	}
	resp, err := s.Do(newRequest(ctx, t, "POST", base, io.MultiReader(strings.NewReader(large)))) // in chunks
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != large || err != nil {
		t.Errorf("%d bytes came back of %d that were sent in chunks, %v", len(got), len(large), err)
	}
	if text, err := s.Text(ctx, base+"/endless"); text != "to the end" || err != nil {
		t.Errorf("a body that ends with the connection: %q, %v", text, err)
	}
	if _, err := s.Text(ctx, base+"/nowhere.txt"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a missing file: %v", err)
	}
	return task.Check(ctx)
}
