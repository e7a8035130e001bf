// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio/httpio"
	"baton/task"
)

// Many tasks send requests of all kinds to nginx, leave answers unread, and cancel requests at
// random moments. Answers that are read to the end are correct, and no resource is left at the
// end.
func TestHurriedTasksAtNginx(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	h := newHurry(t, id, files)
	bounded(t, func(ctx context.Context) error {
		return errors.Join(h.run(ctx, "http://"+p.plain), h.run(ctx, "https://"+p.secure))
	})
}

// The same with our server, which ends only when its handlers have ended.
func TestHurriedTasksAtOurServer(t *testing.T) {
	id := newIdentity(t)
	const large = 1 << 20
	files := map[string]string{
		"small.txt": "small", "large.bin": random(large), "zip.txt": strings.Repeat("again ", 50_000),
	}
	mux := http.NewServeMux()
	for name, text := range files {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
	}
	upload := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); err == nil && n != large { // an error means that the client has gone
				t.Errorf("an upload of %d bytes", n)
			}
			w.WriteHeader(status)
		}
	}
	mux.HandleFunc("/limited", upload(http.StatusRequestEntityTooLarge))
	mux.HandleFunc("/dav/", upload(http.StatusCreated))
	h := newHurry(t, id, files)
	for scheme, config := range map[string]*tls.Config{"http": nil, "https": id.server()} {
		withHTTP(t, config, mux, func(ctx context.Context, port string) error {
			return h.run(ctx, scheme+"://127.0.0.1:"+port)
		})
	}
}

// A hurry is a group of tasks that send requests of all kinds.
type hurry struct {
	t         *testing.T
	id        *identity
	files     map[string]string
	rand      *rand.Rand
	base      string
	transport *httpio.Transport
}

func newHurry(t *testing.T, id *identity, files map[string]string) *hurry {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &hurry{t: t, id: id, files: files, rand: rand.New(rand.NewPCG(seed, 0))}
}

// run starts the tasks. They share a Transport.
func (h *hurry) run(ctx context.Context, base string) error {
	h.base = base
	h.transport = &httpio.Transport{TLSClientConfig: h.id.client(), MaxConnsPerHost: 6, MaxIdleConnsPerHost: 4}
	defer h.transport.CloseIdleConnections()
	scheme, _, _ := strings.Cut(base, ":")
	return task.Scope(ctx, func(ctx context.Context) error {
		for i := range 10 {
			task.Go(ctx, func(ctx context.Context) error {
				for j := range 8 {
					if err := h.request(ctx, fmt.Sprintf("/dav/%s-%d-%d", scheme, i, j)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil
	})
}

// request sends a request, and seldom cancels it.
func (h *hurry) request(ctx context.Context, path string) error {
	if h.rand.IntN(3) > 0 {
		return h.kind(ctx, path)
	}
	err := await.Timeout(ctx, time.Duration(h.rand.IntN(5000))*time.Microsecond, func(ctx context.Context) error {
		return h.kind(ctx, path)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// kind sends a request of a random kind. It returns errors of the connection.
func (h *hurry) kind(ctx context.Context, path string) error {
	method, body, want, status := "GET", io.Reader(nil), "", http.StatusOK
	unread := false
	switch h.rand.IntN(6) {
	case 0:
		path, want = "/small.txt", h.files["small.txt"]
	case 1:
		path, want = "/large.bin", h.files["large.bin"]
	case 2:
		path, unread = "/large.bin", true
	case 3:
		path, want = "/zip.txt", h.files["zip.txt"]
	case 4:
		method, body, status = "PUT", strings.NewReader(h.files["large.bin"]), http.StatusCreated
	case 5:
		method, path, status, unread = "POST", "/limited", http.StatusRequestEntityTooLarge, true
		body = io.MultiReader(strings.NewReader(h.files["large.bin"])) // of unknown length: sent in chunks
	}
	resp, err := h.transport.RoundTrip(newRequest(ctx, h.t, method, h.base+path, body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		h.t.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if unread {
		return nil
	}
	got, err := io.ReadAll(resp.Body)
	if err == nil && string(got) != want {
		h.t.Errorf("%s %s: %d bytes, want %d", method, path, len(got), len(want))
	}
	return err
}
