// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"baton/await"
	"baton/locks"
	"baton/netio/httpio"
	"baton/task"
)

// originConf is the configuration of an nginx that serves files. The header of an answer has the
// number of the connection and of the request on it.
const originConf = `
	add_header X-Connection $connection always;
	add_header X-Request $connection_requests always;
	default_type text/plain;
	server {
		listen PLAIN;
		listen SECURE ssl;
		root DIR/www;
		location = /zip.txt { gzip on; gzip_types *; gzip_min_length 0; }
		location = /chunks.html { ssi on; default_type text/html; }
		location = /moved { return 301 /small.txt; }
		location = /kept { return 307 /dav/moved.txt; }
		location = /away { return 302 http://PLAIN/small.txt; }
		location = /loop { return 302 /loop; }
		location = /json { default_type application/json; return 200 '{"name": "nginx", "count": 3}'; }
		location = /nothing { return 204; }
		location = /dropped { return 444; }
		location = /three { keepalive_requests 3; return 200 three; }
		location = /brief { keepalive_timeout 1ms; return 200 brief; }
		location = /once { keepalive_timeout 0; return 200 once; }
		location = /limited { client_max_body_size 10; proxy_pass http://127.0.0.1:1; }
		location /dav/ { dav_methods PUT DELETE; }
	}
`

// startOrigin starts nginx with files. It returns the contents of the files by name.
func startOrigin(t *testing.T, id *identity) (nginxProcess, map[string]string) {
	t.Helper()
	p := startNginx(t, id, originConf)
	if err := os.MkdirAll(filepath.Join(p.dir, "www", "dav"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"small.txt":   "0123456789abcdefghij",
		"empty.txt":   "",
		"large.bin":   random(2 << 20),
		"zip.txt":     strings.Repeat("a line that is compressed\n", 10_000),
		"chunks.html": `<!--# set var="name" value="nginx" -->hello, <!--# echo var="name" -->`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, "www", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p, files
}

// Over one connection, a Transport uses everything that a file server offers: ranges, conditions,
// compression, chunks, answers without a body, and uploads.
func TestNginxServesFiles(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	for _, base := range []string{"http://" + p.plain, "https://" + p.secure} {
		scheme, _, _ := strings.Cut(base, ":")
		t.Run(scheme, func(t *testing.T) {
			bounded(t, func(ctx context.Context) error {
				tr := &httpio.Transport{TLSClientConfig: id.client()}
				defer tr.CloseIdleConnections()
				at := httpClient{t, tr.RoundTrip, base}
				h := at.get(ctx, "/small.txt", files["small.txt"])
				tag, since, conn := h.Get("Etag"), h.Get("Last-Modified"), h.Get("X-Connection")
				requests := 1
				for _, v := range []exchange{
					{method: "HEAD", path: "/large.bin", status: 200, field: "Content-Length: 2097152"},
					{method: "GET", path: "/empty.txt", status: 200},
					{method: "GET", path: "/large.bin", status: 200, want: files["large.bin"]},
					{method: "GET", path: "/small.txt", header: "Range: bytes=10-14", status: 206, want: "abcde",
						field: "Content-Range: bytes 10-14/20"},
					{method: "GET", path: "/small.txt", header: "Range: bytes=-3", status: 206, want: "hij"},
					{method: "HEAD", path: "/small.txt", header: "Range: bytes=0-1", status: 206, field: "Content-Length: 2"},
					{method: "GET", path: "/small.txt", header: "If-None-Match: " + tag, status: 304, field: "Etag: " + tag},
					{method: "GET", path: "/small.txt", header: "If-Modified-Since: " + since, status: 304},
					{method: "GET", path: "/zip.txt", status: 200, want: files["zip.txt"], field: "Content-Encoding: "},
					{method: "HEAD", path: "/zip.txt", status: 200},
					{method: "GET", path: "/chunks.html", status: 200, want: "hello, nginx", field: "Content-Length: "},
					{method: "GET", path: "/nothing", status: 204},
					{method: "PUT", path: "/dav/new.txt", body: "new", header: "Expect: 100-continue", status: 201},
					{method: "GET", path: "/dav/new.txt", status: 200, want: "new"},
					{method: "DELETE", path: "/dav/new.txt", status: 204},
				} {
					h := at.make(ctx, v)
					if requests++; h.Get("X-Connection") != conn || h.Get("X-Request") != strconv.Itoa(requests) {
						t.Errorf("%s %s is request %s of connection %s, want %d of %s",
							v.method, v.path, h.Get("X-Request"), h.Get("X-Connection"), requests, conn)
					}
				}
				// After a long upload, the connection is reused only if the body ends in time.
				at.make(ctx, exchange{method: "PUT", path: "/dav/" + scheme, body: files["large.bin"], status: 201})
				at.get(ctx, "/dav/"+scheme, files["large.bin"])
				return ranges(ctx, t, tr, base)
			})
		})
	}
}

// ranges requests two ranges at once, and one beyond the end of the file.
func ranges(ctx context.Context, t *testing.T, tr *httpio.Transport, base string) error {
	req := newRequest(ctx, t, "GET", base+"/small.txt", nil)
	req.Header.Set("Range", "bytes=0-2,17-19")
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	var got string
	for r := multipart.NewReader(resp.Body, params["boundary"]); ; {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return err
		}
		got += part.Header.Get("Content-Range") + " " + string(b) + "\n"
	}
	if want := "bytes 0-2/20 012\nbytes 17-19/20 hij\n"; got != want {
		t.Errorf("two ranges are %q, want %q", got, want)
	}
	req.Header.Set("Range", "bytes=100-")
	if resp, err = tr.RoundTrip(req); err != nil {
		return err
	}
	resp.Body.Close()
	if field := resp.Header.Get("Content-Range"); resp.StatusCode != 416 || field != "bytes */20" {
		t.Errorf("a range beyond the end: %s, %q", resp.Status, field)
	}
	return nil
}

// Nginx closes connections after a number of requests, after some time, and without an answer. A
// Transport uses each connection until nginx closes it, and not after that.
func TestNginxClosesConnections(t *testing.T) {
	id := newIdentity(t)
	p, _ := startOrigin(t, id)
	for _, c := range []struct {
		path, want string
		most       int // connections for 30 requests
	}{{"/three", "three", 10}, {"/once", "once", 30}, {"/brief", "brief", 30}, {"/small.txt", "0123456789abcdefghij", 1}} {
		bounded(t, func(ctx context.Context) error {
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			conns := make(map[string]bool)
			for range 30 {
				h := httpClient{t, tr.RoundTrip, "http://" + p.plain}.get(ctx, c.path, c.want)
				conns[h.Get("X-Connection")] = true
			}
			if n := len(conns); n > c.most || c.path != "/brief" && n != c.most {
				t.Errorf("%s: %d connections for 30 requests, want %d", c.path, n, c.most)
			}
			// The server closes the connection instead of an answer: a reused connection and a new
			// one.
			for range 2 {
				resp, err := tr.RoundTrip(newRequest(ctx, t, "GET", "http://"+p.plain+"/dropped", nil))
				if err == nil {
					resp.Body.Close()
				}
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("no answer: %v", err)
				}
			}
			return nil
		})
	}
}

// Fifty tasks share at most four connections.
func TestNginxServesManyTasks(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	bounded(t, func(ctx context.Context) error {
		tr := &httpio.Transport{TLSClientConfig: id.client(), MaxConnsPerHost: 4, MaxIdleConnsPerHost: 4}
		defer tr.CloseIdleConnections()
		conns := make(map[string]bool)
		err := task.Scope(ctx, func(ctx context.Context) error {
			for range 50 {
				task.Go(ctx, func(ctx context.Context) error {
					for _, name := range []string{"small.txt", "zip.txt", "empty.txt"} {
						h := httpClient{t, tr.RoundTrip, "https://" + p.secure}.get(ctx, "/"+name, files[name])
						conns[h.Get("X-Connection")] = true
					}
					return nil
				})
			}
			return nil
		})
		if len(conns) > 4 {
			t.Errorf("%d connections, want at most 4", len(conns))
		}
		return err
	})
}

// Nginx refuses an upload before it has received the body, however the body is sent. The Transport
// returns the refusal as the answer.
func TestNginxRefusesAnUpload(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	for _, base := range []string{"http://" + p.plain, "https://" + p.secure} {
		for name, body := range map[string]func() io.Reader{
			"short":   func() io.Reader { return strings.NewReader("longer than ten bytes") },
			"long":    func() io.Reader { return strings.NewReader(files["large.bin"]) },
			"chunked": func() io.Reader { return io.MultiReader(strings.NewReader(files["large.bin"])) },
		} {
			bounded(t, func(ctx context.Context) error {
				tr := &httpio.Transport{TLSClientConfig: id.client()}
				defer tr.CloseIdleConnections()
				for range 5 {
					resp, err := tr.RoundTrip(newRequest(ctx, t, "POST", base+"/limited", body()))
					if err != nil {
						t.Errorf("%s %s: %v", base, name, err)
						continue
					}
					if resp.StatusCode != http.StatusRequestEntityTooLarge {
						t.Errorf("%s %s: %s", base, name, resp.Status)
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						t.Errorf("%s %s: %v", base, name, err)
					}
					resp.Body.Close()
				}
				return nil
			})
		}
	}
}

// A Session follows the redirects of nginx, downloads its files, and returns its refusals as
// errors.
func TestSessionAtNginx(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	bounded(t, func(ctx context.Context) error {
		s := &httpio.Session{Transport: httpio.Transport{TLSClientConfig: id.client()}}
		defer s.Close()
		base := "https://" + p.secure
		for _, path := range []string{"/small.txt", "/moved", "/away"} {
			if text, err := s.Text(ctx, base+path); text != files["small.txt"] || err != nil {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		}
		var v struct {
			Name  string
			Count int
		}
		if err := s.JSON(ctx, base+"/json", &v); v.Name != "nginx" || v.Count != 3 || err != nil {
			t.Errorf("%+v, %v", v, err)
		}
		// After a redirect of status 307, the Session sends the body again.
		resp, err := s.Do(newRequest(ctx, t, "PUT", base+"/kept", strings.NewReader(files["large.bin"])))
		if err != nil {
			return err
		}
		resp.Body.Close()
		moved, err := os.ReadFile(filepath.Join(p.dir, "www", "dav", "moved.txt"))
		if resp.StatusCode != http.StatusCreated || string(moved) != files["large.bin"] {
			t.Errorf("a redirected upload: %s, %d bytes, %v", resp.Status, len(moved), err)
		}
		if _, err := s.Text(ctx, base+"/loop"); err == nil || !strings.Contains(err.Error(), "redirects") {
			t.Errorf("a loop of redirects: %v", err)
		}
		for path, code := range map[string]int{"/nowhere": 404, "/dav/": 403} {
			_, err := s.Text(ctx, base+path)
			var status *httpio.StatusError
			if !errors.As(err, &status) || status.Code != code || !strings.Contains(status.Body, "nginx") {
				t.Errorf("%s: %v", path, err)
			}
		}
		_, err = s.PostForm(ctx, base+"/limited", url.Values{"name": {strings.Repeat("x", 100)}})
		if err == nil || !strings.Contains(err.Error(), "413") {
			t.Errorf("a form that is too large: %v", err)
		}
		file, done := filepath.Join(t.TempDir(), "large"), int64(0)
		err = s.Download(ctx, base+"/large.bin", file, func(n, all int64) {
			if done = n; all != 2<<20 {
				t.Errorf("the download has %d bytes in all", all)
			}
		})
		if err != nil || done != 2<<20 {
			t.Errorf("the download has %d bytes, %v", done, err)
		}
		got, err := os.ReadFile(file)
		if sha256.Sum256(got) != sha256.Sum256([]byte(files["large.bin"])) || err != nil {
			t.Errorf("the file has %d bytes that differ, %v", len(got), err)
		}
		return nil
	})
}

// After a download was cancelled in the middle, the next request uses a new connection.
func TestADownloadFromNginxIsCancelled(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	bounded(t, func(ctx context.Context) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		var begun locks.Event
		var first string
		reading := task.Start(ctx, func(ctx context.Context) (int, error) {
			resp, err := tr.RoundTrip(newRequest(ctx, t, "GET", "http://"+p.plain+"/large.bin", nil))
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			first = resp.Header.Get("X-Connection")
			if _, err := io.CopyN(io.Discard, resp.Body, 1000); err != nil {
				return 0, err
			}
			begun.Set()
			if err := await.Forever(ctx); !errors.Is(err, context.Canceled) {
				return 0, err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return 0, err
		})
		if err := begun.Wait(ctx); err != nil {
			return err
		}
		reading.Cancel(nil)
		if _, err := reading.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the read of a cancelled download: %v", err)
		}
		h := httpClient{t, tr.RoundTrip, "http://" + p.plain}.get(ctx, "/large.bin", files["large.bin"])
		if second := h.Get("X-Connection"); second == first {
			t.Error("the connection of a cancelled download is used again")
		}
		return nil
	})
}
