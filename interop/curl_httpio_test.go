// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// pages is a handler for the requests of curl. Its file contains text.
func pages(text string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", describe)
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file.bin", time.Unix(1e9, 0), strings.NewReader(text))
	})
	mux.Handle("/moved", http.RedirectHandler("/", http.StatusPermanentRedirect))
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil { // larger parts are stored in a file
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f, h, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		defer f.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		fmt.Fprintf(w, "%s, %s, %d bytes, %x, %v\n", r.FormValue("name"), h.Filename, n, sum.Sum(nil), err)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		for i := range 500 {
			fmt.Fprintf(w, "line %d\n", i)
		}
	})
	return mux
}

// Curl is a client of httpio.Server. It uploads in chunks after the status 100, resumes downloads,
// sends forms, uses HTTP/1.0, follows redirects with a body, and gets many pages over one
// connection.
func TestCurlAsksOurServer(t *testing.T) {
	text := random(3 << 20)
	dir := t.TempDir()
	file, part := filepath.Join(dir, "text"), filepath.Join(dir, "part")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%d bytes, %x, <nil>\n", len(text), sha256.Sum256([]byte(text)))
	none := fmt.Sprintf("0 bytes, %x, <nil>\n", sha256.Sum256(nil))
	withHTTP(t, nil, pages(text), func(ctx context.Context, port string) error {
		url := "http://127.0.0.1:" + port
		for _, c := range []struct {
			name, want string
			args       []string
		}{
			{"chunks", `PUT /text HTTP/1.1 "" "", ` + all,
				[]string{"-T", file, "--header", "Transfer-Encoding: chunked", url + "/"}},
			{"chunks after 100", `PUT /text HTTP/1.1 "" "", ` + all,
				[]string{"-T", file, "--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue",
					"--expect100-timeout", "60", url + "/"}},
			{"standard input", `PUT / HTTP/1.1 "" "", ` + none, []string{"-T", "-", url + "/"}},
			{"HTTP/1.0", `POST / HTTP/1.0 "" "", ` + all, []string{"--http1.0", "--data-binary", "@" + file, url + "/"}},
			{"HTTP/1.0, kept", `GET / HTTP/1.0 "" "", ` + none + "1\n" + `GET / HTTP/1.0 "" "", ` + none + "0\n",
				[]string{"--http1.0", "--header", "Connection: keep-alive", "--write-out", "%{num_connects}\n",
					url + "/", url + "/"}},
			{"redirect", `POST / HTTP/1.1 "" "", ` + all, []string{"--location", "--data-binary", "@" + file, url + "/moved"}},
			{"form", "gopher, text, " + all, []string{"-F", "name=gopher", "-F", "file=@" + file, url + "/form"}},
			{"ranges", text[100:201] + text[3000:],
				[]string{"--range", "100-200", url + "/file", "--next", "--noproxy", "*", "--range", "3000-", url + "/file"}},
		} {
			got, err := curls(ctx, c.args...)
			if got != c.want || err != nil {
				t.Errorf("%s: %.300q, %v, want %.300q", c.name, got, err, c.want)
			}
		}
		// Curl resumes an interrupted download.
		if err := os.WriteFile(part, []byte(text[:1_000_000]), 0o600); err != nil {
			return err
		}
		if _, err := curls(ctx, "--continue-at", "-", "--output", part, url+"/file"); err != nil {
			return err
		}
		if got, err := os.ReadFile(part); string(got) != text || err != nil {
			t.Errorf("a resumed download has %d bytes, %v", len(got), err)
		}
		return kept(ctx, t, url)
	})
}

// kept gets pages of all kinds in three ways: one after another over one connection, in parallel
// over a few connections, and by HTTP/1.0 over one connection each.
func kept(ctx context.Context, t *testing.T, url string) error {
	var pages []string
	for range 30 {
		pages = append(pages, url+"/?bytes=10", url+"/long", url+"/file", url+"/get")
	}
	for _, c := range []struct {
		args        []string
		least, most int // connections
	}{
		{nil, 1, 1},
		{[]string{"--parallel", "--parallel-max", "5"}, 1, 5},
		{[]string{"--http1.0"}, len(pages), len(pages)},
	} {
		args := append([]string{"--output", os.DevNull, "--write-out", "%{http_code} %{num_connects}\n"}, c.args...)
		for _, page := range pages[1:] { // --output is for one URL
			args = append(args, "--output", os.DevNull, page)
		}
		got, err := curls(ctx, append(args, pages[0])...)
		if err != nil {
			return err
		}
		answers, conns := 0, 0
		for line := range strings.Lines(got) {
			var code, n int
			if _, err := fmt.Sscan(line, &code, &n); err != nil || code != http.StatusOK {
				t.Errorf("%q: %v", line, err)
			}
			answers++
			conns += n
		}
		if answers != len(pages) || conns < c.least || conns > c.most {
			t.Errorf("%q: %d answers of %d over %d connections, want %d to %d",
				c.args, answers, len(pages), conns, c.least, c.most)
		}
	}
	return nil
}

// A handler refuses an upload, and curl receives the answer although the body is still being sent:
// directly and through nginx.
func TestCurlIsRefused(t *testing.T) {
	id := newIdentity(t)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(random(3<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("read") { // a part of the body
			io.CopyN(io.Discard, r.Body, 100_000)
		}
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	withFront(t, id, h, func(ctx context.Context, p nginxProcess, _ *int) error {
		for _, base := range []string{
			"http://" + p.behind, "http://" + p.plain, "http://" + p.plain + "/straight", "https://" + p.secure + "/straight",
		} {
			for _, path := range []string{"/", "/?read"} {
				for _, field := range []string{"Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"} {
					got, err := curls(ctx, "--cacert", id.certFile, "--header", field, "--data-binary", "@"+file,
						"--write-out", "%{http_code}", base+path)
					if got != "too large\n413" || err != nil {
						t.Errorf("%s %s: %q, %v", base+path, field, got, err)
					}
				}
			}
		}
		return nil
	})
}

// Curl prefers HTTP/2 and accepts HTTP/1.1. It receives trailers.
func TestCurlMakesDoWithHTTP11(t *testing.T) {
	id := newIdentity(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		fmt.Fprint(w, r.Proto)
		http.NewResponseController(w).Flush()
		w.Header().Set("Sum", "42")
	})
	for _, scheme := range []string{"http", "https"} {
		config := id.server()
		if scheme == "http" {
			config = nil
		}
		withHTTP(t, config, h, func(ctx context.Context, port string) error {
			url := scheme + "://127.0.0.1:" + port + "/"
			got, err := curls(ctx, "--cacert", id.certFile, "--http2", "--dump-header", "-", url)
			for _, part := range []string{"HTTP/1.1 200 OK\r\n", "Sum: 42\r\n", "\r\n\r\nHTTP/1.1"} {
				if !strings.Contains(got, part) || err != nil {
					t.Errorf("%s: %q, %v, want %q", scheme, got, err, part)
				}
			}
			if scheme == "https" {
				return nil
			}
			if got, err := curls(ctx, "--http2-prior-knowledge", url); err == nil {
				t.Errorf("curl used HTTP/2 without negotiation: %q", got)
			}
			return nil
		})
	}
}

// Our server listens on a UNIX socket, for curl and for nginx, which reuses its connection.
func TestOurServerAtAUnixSocket(t *testing.T) {
	id := newIdentity(t)
	bounded(t, func(ctx context.Context) error {
		path := filepath.Join(dir(t), "s")
		ln, err := netio.Listen(ctx, "unix", path)
		if err != nil {
			return err
		}
		conns := 0
		srv := &httpio.Server{Handler: http.HandlerFunc(describe), ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns++
			}
		}}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		p := startNginx(t, id, frontConf, "BEHIND", "unix:"+path)
		want := fmt.Sprintf("GET /page HTTP/1.1 \"\" \"\", 0 bytes, %x, <nil>\n", sha256.Sum256(nil))
		for _, way := range [][]string{
			{"--unix-socket", path, "http://localhost/page", "http://localhost/page"},
			{"http://" + p.plain + "/page", "http://" + p.plain + "/page"},
		} {
			if got, err := curls(ctx, way...); got != want+want || err != nil {
				t.Errorf("%q: %q, %v", way, got, err)
			}
		}
		if conns != 2 {
			t.Errorf("%d connections, want 2: one by curl and one by nginx", conns)
		}
		return srv.Shutdown(ctx)
	})
}
