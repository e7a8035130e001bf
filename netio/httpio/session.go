// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A Session makes a request in one line. It keeps connections, and cookies if its Client has a Jar.
// The zero value is ready to use, and belongs to the loop that uses it first. Close closes the
// connections that it keeps.
//
// All methods except Close may switch. A response with status 400 or above is a [*StatusError].
type Session struct {
	// Client makes the requests. If it has no Transport, the first request sets it to the field
	// below.
	Client http.Client

	// Transport sends the requests, unless Client has another one.
	Transport Transport

	// Limit is the maximum length of a body that a method returns or decodes, in bytes. The
	// default is 32 MiB. A longer body is an error that wraps [netio.ErrTooLong].
	Limit int64
}

const defaultLimit = 32 << 20

// A StatusError is the error for a response with status 400 or above.
type StatusError struct {
	Code   int
	Status string // as in "404 Not Found"
	URL    string // of the request that got the response
	Body   string // the first 1024 bytes at most
}

// Error returns the URL and the status.
func (e *StatusError) Error() string { return "httpio: " + e.URL + ": " + e.Status }

// statusBytes is how much of a body a StatusError has, in bytes.
const statusBytes = 1 << 10

// Close closes the idle connections. It does not switch. The Session remains usable.
func (s *Session) Close() { s.Transport.CloseIdleConnections() }

// Do sends a request. Its context must be a context of the calling task. The caller must close the
// Body of the response.
func (s *Session) Do(req *http.Request) (*http.Response, error) {
	if s.Client.Transport == nil {
		s.Client.Transport = &s.Transport
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, statusBytes)) // an error leaves Body shorter
	return nil, &StatusError{resp.StatusCode, resp.Status, resp.Request.URL.Redacted(), string(body)}
}

// Get sends a GET request. The caller must close the Body of the response.
func (s *Session) Get(ctx context.Context, url string) (*http.Response, error) {
	return s.send(ctx, "GET", url, "", nil)
}

// Text sends a GET request, and returns the body of the response as a string.
func (s *Session) Text(ctx context.Context, url string) (string, error) {
	b, err := s.all(s.Get(ctx, url))
	return string(b), err
}

// JSON sends a GET request, and decodes the body of the response into v.
func (s *Session) JSON(ctx context.Context, url string, v any) error {
	return s.decode(v)(s.Get(ctx, url))
}

// PostForm posts a form, and returns the body of the response as a string.
func (s *Session) PostForm(ctx context.Context, url string, form url.Values) (string, error) {
	body := strings.NewReader(form.Encode())
	b, err := s.all(s.send(ctx, "POST", url, "application/x-www-form-urlencoded", body))
	return string(b), err
}

// PostJSON posts in as JSON, and decodes the body of the response into out. If out is nil, PostJSON
// ignores the body.
func (s *Session) PostJSON(ctx context.Context, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return s.decode(out)(s.send(ctx, "POST", url, "application/json", bytes.NewReader(body)))
}

// Upload posts a form with files (RFC 7578), and returns the body of the response as a string.
// files maps names of fields to paths. Each file is read in the executor while it is sent.
func (s *Session) Upload(ctx context.Context, url string, form url.Values, files map[string]string) (string, error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[name] {
			if err := w.WriteField(name, v); err != nil {
				return "", err
			}
		}
	}
	var parts []io.Reader
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := files[name]
		f, err := await.Blocking(ctx, func(context.Context) (*os.File, error) { return os.Open(path) })
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := w.CreateFormFile(name, filepath.Base(path)); err != nil {
			return "", err
		}
		parts = append(parts, bytes.NewReader(bytes.Clone(head.Bytes())), &fileReader{f, task.Self(ctx)})
		head.Reset()
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	body := io.MultiReader(append(parts, &head)...)
	b, err := s.all(s.send(ctx, "POST", url, w.FormDataContentType(), body))
	return string(b), err
}

// Download sends a GET request, and writes the body of the response to a file, which it creates or
// truncates. The file is written in the executor. If progress is not nil, Download calls it after
// each write: done is the number of bytes written so far, and all the length of the body, or -1 if
// that is unknown. progress must not switch. After an error, the file holds the bytes
// that were written.
func (s *Session) Download(ctx context.Context, url, path string, progress func(done, all int64)) (err error) {
	resp, err := s.Get(ctx, url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := await.Blocking(ctx, func(context.Context) (*os.File, error) { return os.Create(path) })
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	buf := make([]byte, fileBytes)
	for done := int64(0); ; {
		n, readErr := fill(resp.Body, buf)
		if n > 0 {
			if _, err := await.Blocking(ctx, func(context.Context) (int, error) { return f.Write(buf[:n]) }); err != nil {
				return err
			}
			if done += int64(n); progress != nil {
				progress(done, resp.ContentLength)
			}
		}
		if readErr != nil {
			return notEOF(readErr)
		}
	}
}

// fill reads until p is full or the body ends. Unlike io.ReadFull, it returns the error of the
// body.
func fill(body io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = body.Read(p[n:])
		n += k
	}
	return n, err
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// fileBytes is how many bytes of a file are written at a time.
const fileBytes = 256 << 10

// A fileReader reads a file in the executor, for the calling task.
type fileReader struct {
	f    *os.File
	task *task.Ref // any task of the loop
}

func (r *fileReader) Read(p []byte) (int, error) {
	_, ctx := r.task.Running()
	return await.Blocking(ctx, func(context.Context) (int, error) { return r.f.Read(p) })
}

// send sends a request. The body may be nil.
func (s *Session) send(ctx context.Context, method, url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return s.Do(req)
}

// all reads the body of a response to the end.
func (s *Session) all(resp *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := s.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("httpio: the body of %s: %w of %d bytes", resp.Request.URL.Redacted(), netio.ErrTooLong, limit)
	}
	return b, err
}

// decode returns a function that decodes the body of a response into v.
func (s *Session) decode(v any) func(*http.Response, error) error {
	return func(resp *http.Response, err error) error {
		b, err := s.all(resp, err)
		if err != nil || v == nil {
			return err
		}
		return json.Unmarshal(b, v)
	}
}
