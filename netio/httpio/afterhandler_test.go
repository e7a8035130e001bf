// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// After the handler, the ResponseController changes nothing: the next request of the connection
// has its own deadlines.
func TestLateDeadlinesFail(t *testing.T) {
	var late *http.ResponseController
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		if late == nil {
			late = http.NewResponseController(w)
			return
		}
		soon := task.Now(r.Context()).Add(time.Second)
		for name, err := range map[string]error{
			"SetReadDeadline":  late.SetReadDeadline(soon),
			"SetWriteDeadline": late.SetWriteDeadline(soon),
			"EnableFullDuplex": late.EnableFullDuplex(),
		} {
			if err == nil || !strings.Contains(err.Error(), "the handler of this request has returned") {
				t.Errorf("%s = %v", name, err)
			}
		}
	}, nil, func(s *simServer) {
		s.rest(s.dial(getRoot + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
	})
}

// The server also notices that the client has disconnected if the handler has closed a Body that it
// has not read.
func TestClientGoneAfterCloseOfBody(t *testing.T) {
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 2)); err != nil || r.Body.Close() != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		began := task.Now(r.Context())
		err := await.Sleep(r.Context(), time.Hour)
		if took := task.Now(r.Context()).Sub(began); err == nil || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
	}, nil, func(s *simServer) {
		c := s.dial("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n")
		s.sleep(time.Second)
		_ = c.Close()
		s.sleep(2 * time.Hour)
	})
}

// The files of a form that a handler in Blocking has read are removed.
func TestBlockingRemovesFilesOfForm(t *testing.T) {
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	file, err := mw.CreateFormFile("f", "x")
	if err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	if err != nil || mw.Close() != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() int {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		return len(all)
	}
	for _, panics := range []bool{false, true} {
		h := httpio.Blocking(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseMultipartForm(1); err != nil || files() != 1 {
				t.Errorf("%v, %d files", err, files())
			}
			if panics {
				panic(http.ErrAbortHandler)
			}
		}))
		inSim(t, h.ServeHTTP, nil, func(s *simServer) {
			s.rest(s.dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: %s\r\n"+
				"Content-Length: %d\r\n\r\n%s", mw.FormDataContentType(), form.Len(), &form)))
			if files() != 0 {
				t.Errorf("panics %v: %d files are left", panics, files())
			}
		})
	}
}

// An idle connection does not keep the memory of a long head.
func TestIdleConnectionKeepsNoHead(t *testing.T) {
	const conns, long = 4, 512 << 10
	inSim(t, func(http.ResponseWriter, *http.Request) {}, nil, func(s *simServer) {
		var before, after runtime.MemStats
		head := "GET / HTTP/1.1\r\nHost: a\r\nLong: " + strings.Repeat("x", long) + "\r\n\r\n"
		runtime.GC()
		runtime.ReadMemStats(&before)
		var clients [conns]*netio.Stream
		for i := range clients {
			clients[i] = s.dial(head)
			s.answer(clients[i], fine(""))
		}
		runtime.GC()
		runtime.GC() // a sync.Pool keeps its objects for one more collection
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > conns*long/2 {
			t.Errorf("%d idle connections have %d bytes", conns, grown)
		}
		for _, c := range clients {
			_ = c.Close()
		}
	})
}

// If a handler hijacks the connection and panics, the server closes the connection.
func TestPanicClosesHijackedConnection(t *testing.T) {
	inSim(t, func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	}, nil, func(s *simServer) {
		if got := s.rest(s.dial(getRoot)); got != "" {
			t.Errorf("got %q", got)
		}
		if err := s.srv.Shutdown(s.ctx); err != nil || s.since() != 0 {
			t.Errorf("%v after %v", err, s.since())
		}
	})
}

// A change of DisableKeepAlives affects requests that begin later, also while a goroutine answers
// a request.
func TestDisableKeepAlivesLater(t *testing.T) {
	began, answer := make(chan struct{}), make(chan struct{})
	h := httpio.Blocking(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case began <- struct{}{}:
			<-answer
		case <-answer:
		}
		_, _ = io.WriteString(w, "fine")
	}))
	inSim(t, h.ServeHTTP, nil, func(s *simServer) {
		c := s.dial(getRoot)
		if _, _, err := await.Receive(s.ctx, began); err != nil {
			t.Fatal(err)
		}
		close(answer)
		s.srv.DisableKeepAlives = true
		s.answer(c, fine("fine"))
		s.send(c, getRoot)
		if got := s.rest(c); !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("got %q", got)
		}
	})
}
