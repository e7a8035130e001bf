// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// files makes a directory with files whose names are their sizes.
func files(t *testing.T, sizes ...int) string {
	t.Helper()
	dir := t.TempDir()
	for _, size := range sizes {
		content := bytes.Repeat([]byte("0123456789abcdef-"), size/17+1)[:size]
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(size)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// boundaries are random in each response with several ranges.
var boundaries = regexp.MustCompile(`[0-9a-f]{60}`)

// Responses with files match package net/http byte for byte. The rows are whole files, ranges and
// HEAD; io.Copy with too small a Content-Length, too large a one, or none; and a handler on a
// goroutine.
func TestFileResponsesMatchNetHTTP(t *testing.T) {
	sizes := []int{0, 511, 512, 513, 5000, 100_000}
	dir := files(t, append(sizes, 1)...)
	open := func(r *http.Request) *os.File {
		f, err := os.Open(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			panic(err)
		}
		return f
	}
	copied := func(length string, limit int64) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f := open(r)
			defer f.Close()
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			n, err := w.(io.ReaderFrom).ReadFrom(io.LimitReader(f, limit))
			at, seekErr := f.Seek(0, io.SeekCurrent)
			w.Header().Set(http.TrailerPrefix+"X-End", fmt.Sprint(n, err, at, seekErr))
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/file/", http.StripPrefix("/file/", http.FileServer(http.Dir(dir))))
	mux.HandleFunc("/servefile/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	})
	mux.Handle("/exact/", copied("5000", 5000))
	mux.Handle("/part/", copied("1000", 1000))
	mux.Handle("/longer/", copied("400000", 1<<40))
	mux.HandleFunc("/behind/", func(w http.ResponseWriter, r *http.Request) { // a file between other bytes
		f := open(r)
		defer f.Close()
		w.Header().Set("Content-Length", "304")
		io.WriteString(w, "ab")
		n, err := io.CopyN(w, f, 300)
		fmt.Fprint(w, n == 300, err)
		_, _ = io.CopyN(w, f, 5)
	})
	mux.HandleFunc("/204/", func(w http.ResponseWriter, r *http.Request) {
		f := open(r)
		defer f.Close()
		w.WriteHeader(http.StatusNoContent)
		_, _ = io.CopyN(w, f, 5)
	})
	var requests []string
	for _, size := range sizes {
		for _, path := range []string{"/file/", "/servefile/", "/exact/", "/part/", "/longer/", "/behind/", "/204/"} {
			if path == "/file/" || path == "/behind/" {
				requests = append(requests, fmt.Sprintf("HEAD %s%d HTTP/1.1\r\n", path, size))
			}
			requests = append(requests, fmt.Sprintf("GET %s%d HTTP/1.1\r\n", path, size),
				fmt.Sprintf("GET %s%d HTTP/1.0\r\nConnection: keep-alive\r\n", path, size))
		}
	}
	for _, ranges := range []string{"0-0", "0-99", "4000-", "-10", "100-200,4000-", "9000-"} {
		requests = append(requests, "GET /file/5000 HTTP/1.1\r\nRange: bytes="+ranges+"\r\n",
			"HEAD /file/5000 HTTP/1.1\r\nRange: bytes="+ranges+"\r\n")
	}
	ask := func(addr string) string {
		got := make([]string, len(requests))
		var all sync.WaitGroup
		for i, r := range requests {
			all.Go(func() {
				answers := exchange(t, addr, r+"Host: a\r\n\r\nGET /file/1 HTTP/1.1\r\nHost: a\r\n\r\n")
				if strings.Contains(r, ",") {
					answers = boundaries.ReplaceAllString(answers, "boundary")
				}
				got[i] = r + "\n" + answers
			})
		}
		all.Wait()
		return strings.Join(got, "\x00")
	}
	for name, h := range map[string]http.Handler{"task": mux, "goroutine": httpio.Blocking(mux)} {
		ours, theirs := askBoth(t, &httpio.Server{Handler: h}, httptest.NewServer(mux), ask)
		all := strings.Split(theirs, "\x00")
		for i, got := range strings.Split(ours, "\x00") {
			if i >= len(all) || got != all[i] {
				t.Errorf("%s: request %d\nours   %.900q\ntheirs %.900q", name, i, got, all[min(i, len(all)-1)])
			}
		}
	}
}

// A file that is copied into a response without a Content-Length is sent in chunks, or with a
// length if it is short. TLS makes no difference.
func TestFilesWithoutALength(t *testing.T) {
	certificate()
	dir := files(t, 100, 300_000)
	for _, secure := range []bool{false, true} {
		inSim(t, func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(dir + r.URL.Path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if length := r.FormValue("length"); length != "" {
				w.Header().Set("Content-Length", length)
			}
			if n, err := w.(io.ReaderFrom).ReadFrom(f); fmt.Sprint("/", n) != r.URL.Path || err != nil {
				t.Errorf("%s: %d, %v", r.URL, n, err)
			}
		}, func(srv *httpio.Server) {
			if secure {
				srv.TLSConfig, _ = certificate()
			}
		}, func(s *simServer) {
			session := &httpio.Session{}
			scheme := "http"
			if secure {
				_, session.Transport.TLSClientConfig = certificate()
				scheme = "https"
			}
			defer session.Close()
			for _, test := range []struct {
				path   string
				length int64
			}{{"/100", 100}, {"/300000", -1}, {"/300000?length=300000", 300_000}} {
				resp, err := session.Get(s.ctx, scheme+"://127.0.0.1:80"+test.path)
				if err != nil {
					t.Error(err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				want, _ := os.ReadFile(dir + strings.TrimSuffix(test.path, "?length=300000"))
				if !bytes.Equal(body, want) || resp.ContentLength != test.length || err != nil {
					t.Errorf("%s: %d bytes of %d, %v", test.path, len(body), resp.ContentLength, err)
				}
			}
			if err := s.srv.Shutdown(s.ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that is longer than the declared length is refused, like a Write of its bytes. Package
// net/http sends the bytes beyond the length.
func TestFileLongerThanContentLengthIsRefused(t *testing.T) {
	dir := files(t, 5000)
	var err error
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		f, openErr := os.Open(filepath.Join(dir, "5000"))
		if openErr != nil {
			t.Error(openErr)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Length", "1000")
		_, err = io.CopyN(w, f, 5000)
	}, nil, func(s *simServer) {
		got := s.rest(s.dial(getRoot))
		if _, body, _ := strings.Cut(got, "\r\n\r\n"); len(body) != 512 || !errors.Is(err, http.ErrContentLength) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
}

// If a file becomes shorter while it is sent, the connection ends, so that the client notices the
// missing part.
func TestFileThatShrinksEndsTheConnection(t *testing.T) {
	const size = 64 << 20 // more than the kernel buffers
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })}
	onLoopback(t, srv, func(ctx context.Context, addr string) error {
		var session httpio.Session
		resp, err := session.Get(ctx, "http://"+addr)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.CopyN(io.Discard, resp.Body, 1<<20)
		if err != nil {
			return err
		}
		if err := os.Truncate(path, 2<<20); err != nil {
			return err
		}
		m, err := io.Copy(io.Discard, resp.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || n+m >= size {
			t.Errorf("%d bytes, %v", n+m, err)
		}
		return nil
	})
}

// If the client disconnects in the middle of a file, the handler's copy ends.
func TestFileCopyEndsWithTheClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 64<<20); err != nil {
		t.Fatal(err)
	}
	copied := make(chan error, 1)
	srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			copied <- err
			return
		}
		defer f.Close()
		w.Header().Set("Content-Length", strconv.Itoa(64<<20))
		_, err = io.CopyN(w, f, 64<<20)
		copied <- err
	})}
	onLoopback(t, srv, func(ctx context.Context, addr string) error {
		c, err := netio.Dial(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		if _, err := c.Write(ctx, []byte(getRoot)); err != nil {
			return err
		}
		if _, err := c.ReadFull(ctx, make([]byte, 1<<20)); err != nil {
			return err
		}
		_ = c.Close()
		err, _, _ = await.Receive(ctx, copied)
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("CopyN: %v", err)
		}
		return nil
	})
}

// A counter is a poller that pretends to send files.
type counter struct {
	poll.Poller
	parts []string
}

func (c *counter) Caps() poll.Caps { return c.Poller.Caps() | poll.SendFiles }

func (c *counter) Submit(op *poll.Op) bool {
	if op.Kind != poll.SendFile {
		return c.Poller.Submit(op)
	}
	c.parts = append(c.parts, fmt.Sprint(op.File.Offset, "+", op.File.Count))
	op.N, op.Err = op.File.Count, nil
	return true
}

// The kernel sends a file, except its first 512 bytes, if the poller can do that.
func TestTheKernelSendsFiles(t *testing.T) {
	dir := files(t, 5000)
	c := &counter{Poller: virtual.New(virtual.Config{})}
	err := task.Runner{Config: loop.Config{Poller: c}}.Run(t.Context(), func(ctx context.Context) error {
		srv := &httpio.Server{Handler: http.FileServer(http.Dir(dir))}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:80")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		for _, ranges := range []string{"", "Range: bytes=1000-2999\r\n", "Range: bytes=0-100\r\n"} {
			s, err := netio.Dial(ctx, "tcp", "127.0.0.1:80")
			if err != nil {
				return err
			}
			if _, err := s.Write(ctx, []byte("GET /5000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+ranges+"\r\n")); err != nil {
				return err
			}
			if _, err := s.ReadAll(ctx, 10_000); err != nil {
				return err
			}
			_ = s.Close()
		}
		return srv.Shutdown(ctx)
	})
	if want := []string{"512+4488", "1512+1488"}; err != nil || !slices.Equal(c.parts, want) {
		t.Errorf("%v, %v, want %v", c.parts, err, want)
	}
}
