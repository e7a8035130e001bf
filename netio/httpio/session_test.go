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
		var told []int64
		err := s.Download(ctx, peer.URL+"/large", path, func(done, all int64) { told = append(told, done) })
		if err != nil || len(told) != 4 || told[3] != 1<<20 {
			t.Errorf("Download: %v, progress %v", err, told)
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
