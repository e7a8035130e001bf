// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netio"
	"baton/netio/httpio"
)

func TestSession(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/text", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "text") })
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.FormValue("a")) })
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		var n []int
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil && err != io.EOF {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(append(n, 3))
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(f)
		fmt.Fprint(w, r.FormValue("note"), " ", h.Filename, " ", len(b), " ", err)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) })
	withPeer(t, mux.ServeHTTP, func(ctx context.Context, peer *httptest.Server) error {
		var s httpio.Session
		defer s.Close()
		if text, err := s.Text(ctx, peer.URL+"/text"); text != "text" || err != nil {
			t.Errorf("Text: %q, %v", text, err)
		}
		if text, err := s.PostForm(ctx, peer.URL+"/form", url.Values{"a": {"b c"}}); text != "b c" || err != nil {
			t.Errorf("PostForm: %q, %v", text, err)
		}
		var n []int
		if err := s.JSON(ctx, peer.URL+"/json", &n); err != nil || len(n) != 1 {
			t.Errorf("JSON: %v, %v", n, err)
		}
		if err := s.PostJSON(ctx, peer.URL+"/json", []int{1, 2}, &n); err != nil || len(n) != 3 {
			t.Errorf("PostJSON: %v, %v", n, err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "large.txt")
		var progress []int64
		err := s.Download(ctx, peer.URL+"/large", path, func(done, all int64) { progress = append(progress, done) })
		if err != nil || len(progress) != 4 || progress[3] != 1<<20 {
			t.Errorf("Download: %v, progress %v", err, progress)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != 1<<20 {
			t.Errorf("the file: %v, %v", info, err)
		}
		text, err := s.Upload(ctx, peer.URL+"/upload", url.Values{"note": {"big"}}, map[string]string{"file": path})
		if want := fmt.Sprint("big large.txt ", 1<<20, " <nil>"); text != want || err != nil {
			t.Errorf("Upload: %q, %v", text, err)
		}
		var status *httpio.StatusError
		if _, err := s.Text(ctx, peer.URL+"/nowhere"); !errors.As(err, &status) || status.Code != 404 ||
			!strings.HasPrefix(status.Body, "404 page not found") {
			t.Errorf("a page that is missing: %v", err)
		}
		s.Limit = 1000
		if _, err := s.Text(ctx, peer.URL+"/large"); !errors.Is(err, netio.ErrTooLong) {
			t.Errorf("a page that is too long: %v", err)
		}
		return nil
	})
}

// A download that is cut off is an error, even if no length was declared. The file holds the bytes
// that arrived.
func TestDownloadThatIsCutOffFails(t *testing.T) {
	for name, answer := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		withPeer(t, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(c, answer)
			c.Close()
		}, func(ctx context.Context, peer *httptest.Server) error {
			var s httpio.Session
			defer s.Close()
			path := filepath.Join(t.TempDir(), "file")
			if err := s.Download(ctx, peer.URL, path, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v", name, err)
			}
			if text, err := os.ReadFile(path); string(text) != "hello" {
				t.Errorf("%s: the file has %q, %v", name, text, err)
			}
			return nil
		})
	}
}

// Each call returns the error of each step, and leaves no connection in use.
func TestSessionErrors(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, strings.Repeat("x", 10_000))
		case "/text":
			fmt.Fprint(w, "not JSON")
		}
	}, func(ctx context.Context, peer *httptest.Server) error {
		s := httpio.Session{Transport: httpio.Transport{MaxConnsPerHost: 1}} // a connection in use would stop the next call
		defer s.Close()
		missing, exists := filepath.Join(t.TempDir(), "no", "file"), filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(exists, nil, 0o600); err != nil {
			return err
		}
		var v []int
		calls := map[string]func(url string) error{
			"Get": func(url string) error {
				resp, err := s.Get(ctx, url)
				if err == nil {
					resp.Body.Close()
				}
				return err
			},
			"Text":     func(url string) error { _, err := s.Text(ctx, url); return err },
			"JSON":     func(url string) error { return s.JSON(ctx, url, &v) },
			"PostForm": func(url string) error { _, err := s.PostForm(ctx, url, nil); return err },
			"PostJSON": func(url string) error { return s.PostJSON(ctx, url, v, &v) },
			"Upload": func(url string) error {
				_, err := s.Upload(ctx, url, nil, map[string]string{"f": exists})
				return err
			},
			"Download": func(url string) error { return s.Download(ctx, url, exists, nil) },
		}
		for name, call := range calls {
			var status *httpio.StatusError
			if err := call(peer.URL + "/500"); !errors.As(err, &status) || status.Code != 500 || len(status.Body) != 1<<10 ||
				!strings.Contains(err.Error(), "/500: 500 Internal") {
				t.Errorf("%s: %v", name, err)
			}
			if err := call("http://user:secret@127.0.0.1:1/"); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: unreachable: %v", name, err)
			}
			if err := call("http://a b/"); err == nil {
				t.Errorf("%s: no error for a bad URL", name)
			}
		}
		var syntax *json.SyntaxError
		if err := s.JSON(ctx, peer.URL+"/text", &v); !errors.As(err, &syntax) {
			t.Errorf("a body that is no JSON: %v", err)
		}
		if err := s.PostJSON(ctx, peer.URL+"/text", v, nil); err != nil {
			t.Errorf("an answer that is ignored: %v", err)
		}
		if err := s.PostJSON(ctx, peer.URL+"/text", func() {}, nil); err == nil {
			t.Error("a function as JSON: no error")
		}
		if _, err := s.Upload(ctx, peer.URL+"/text", nil, map[string]string{"f": missing}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file that is missing: %v", err)
		}
		if err := s.Download(ctx, peer.URL+"/text", missing, nil); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a directory that is missing: %v", err)
		}
		s.Limit = 7
		if _, err := s.PostForm(ctx, peer.URL+"/text", nil); !errors.Is(err, netio.ErrTooLong) {
			t.Errorf("one byte more than Limit: %v", err)
		}
		s.Limit = 8
		if text, err := s.PostForm(ctx, peer.URL+"/text", nil); text != "not JSON" {
			t.Errorf("as many bytes as Limit: %q, %v", text, err)
		}
		return nil
	})
}
