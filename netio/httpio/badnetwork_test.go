// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// A badNetwork is a bad network in a simulated world. It forwards connections from port 81 to the
// server on port 80, in delayed pieces, and harms some of them. The seed of the simulation decides
// everything that it does.
type badNetwork struct {
	rand   *rand.Rand
	harmed map[string]int // the number of each harm
}

// harms are the ways in which a badNetwork harms a connection.
var harms = []string{"none", "none", "cut", "reset", "stall", "end of the request", "end of the answer", "slow"}

// dial decides what happens to a connection to the bad network.
func (w *badNetwork) dial(addr net.Addr) (time.Duration, error) {
	if w.rand == nil || addr.(*net.TCPAddr).Port != 81 {
		return 0, nil
	}
	switch w.rand.IntN(20) {
	case 0:
		w.harmed["refused"]++
		return 0, syscall.ECONNREFUSED
	case 1:
		w.harmed["late"]++
		return 10 * time.Second, nil
	}
	return time.Duration(w.rand.IntN(1000)) * time.Microsecond, nil
}

// forward serves a connection of a client.
func (w *badNetwork) forward(ctx context.Context, front *netio.Stream) error {
	back, err := netio.Dial(ctx, "tcp", "127.0.0.1:80")
	if err != nil {
		return err
	}
	defer back.Close()
	harm := harms[w.rand.IntN(len(harms))]
	at := 1 << w.rand.IntN(16) // the bytes that pass in one direction before the harm
	way := w.rand.IntN(2)
	switch harm {
	case "none":
		at = -1
	case "end of the request":
		way = 0
	case "end of the answer":
		way = 1
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		for i, ends := range [][2]*netio.Stream{{front, back}, {back, front}} {
			bytes := -1
			if i == way {
				bytes = at
			}
			task.Go(ctx, func(ctx context.Context) error { return w.carry(ctx, ends[0], ends[1], harm, bytes) })
		}
		return nil
	})
}

// carry forwards one direction, and does the harm after so many bytes. A negative number means
// never.
func (w *badNetwork) carry(ctx context.Context, from, to *netio.Stream, harm string, left int) error {
	buf := make([]byte, 1<<(7+w.rand.IntN(8)))
	for {
		if left == 0 {
			w.harmed[harm]++
			switch harm {
			case "cut":
				_, _ = from.Close(), to.Close()
				return nil
			case "reset":
				_, _ = from.Abort(), to.Abort()
				return nil
			case "stall": // neither end notices anything
				return await.Sleep(ctx, 10*time.Hour)
			case "slow": // reads a byte now and then
				buf, left = buf[:1], -1
			default:
				_ = to.CloseWrite()
				_, err := io.Copy(io.Discard, from.NetConn(ctx))
				return err
			}
		}
		p := buf
		if left > 0 {
			p = p[:min(len(p), left)]
		}
		n, err := from.Read(ctx, p)
		if left > 0 {
			left -= n
		}
		if d := w.rand.IntN(1000); d < 100 || len(buf) == 1 {
			if err := await.Sleep(ctx, time.Duration(d)*10*time.Microsecond); err != nil {
				return err
			}
		}
		if n > 0 {
			if _, err := to.Write(ctx, p[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_ = to.CloseWrite()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// content returns the bytes of a request or response with a number. Two numbers have different
// bytes at the same place.
func content(id, size int) string {
	part := strconv.Itoa(id) + "," + strconv.Itoa(id*7) + ";"
	return strings.Repeat(part, size/len(part)+1)[:size]
}

var contentSizes = []int{0, 1, 100, 3000, 5000, 40_000}

// sizes returns the sizes of the request and of the response with a number.
func sizes(id int) (request, answer int) {
	return contentSizes[id%len(contentSizes)], contentSizes[id/len(contentSizes)%len(contentSizes)]
}

// A counted is the server behind the bad network. It counts how often each request was run.
type counted struct{ runs map[string]int }

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.runs[r.Method+r.FormValue("id")]++
	id, _ := strconv.Atoi(r.FormValue("id"))
	in, out := sizes(id)
	if r.Method == "POST" || r.Method == "PUT" {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if string(b) != content(id, in) {
			panic(fmt.Sprintf("request %d has come as %.100q", id, b))
		}
	}
	w.Header().Set("X-Id", strconv.Itoa(id))
	text := content(id+1, out)
	switch id % 3 {
	case 0:
		w.Header().Set("Content-Length", strconv.Itoa(out))
	case 1:
		_, _ = io.WriteString(w, text[:out/2])
		_ = http.NewResponseController(w).Flush()
		_ = await.Sleep(r.Context(), 10*time.Millisecond)
		text = text[out/2:]
	}
	_, _ = io.WriteString(w, text)
}

// call makes a request, and reports whether it got a response. A wrong response fails the test.
func (c *counted) call(ctx context.Context, t *testing.T, rt http.RoundTripper, method string, id int) (answered bool) {
	ctx, release := await.WithTimeout(ctx, time.Minute)
	defer release()
	in, out := sizes(id)
	var body io.Reader
	if method == "POST" || method == "PUT" {
		body = strings.NewReader(content(id, in))
		if id%5 == 0 { // of unknown length; cannot be sent twice
			body = struct{ io.Reader }{body}
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:81/?id=%d", id), body)
	if err != nil {
		t.Error(err)
		return false
	}
	if id%4 == 0 {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := rt.RoundTrip(req)
	if err == nil {
		var b []byte
		if id%7 == 3 { // the rest of this response must not be read as the next one
			_, _ = resp.Body.Read(make([]byte, 10))
			_ = resp.Body.Close()
			return false
		}
		b, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		whole := string(b) == content(id+1, out) && resp.Header.Get("X-Id") == strconv.Itoa(id)
		if err == nil && resp.StatusCode == http.StatusOK && !whole {
			t.Errorf("%s %d: a wrong answer of %d bytes, X-Id %q: %.100q", method, id, len(b), resp.Header.Get("X-Id"), b)
		}
		answered = err == nil && resp.StatusCode == http.StatusOK
		if err == nil && !answered && resp.StatusCode != http.StatusBadRequest { // of half a request
			t.Errorf("%s %d: %s", method, id, resp.Status)
		}
	}
	runs := c.runs[method+strconv.Itoa(id)]
	if answered && runs == 0 || runs > 1 && method != "GET" {
		t.Errorf("%s %d: answered %v after %d runs", method, id, answered, runs)
	}
	return answered
}

// In every bad network, a request gets its own response, whole, or an error. A request that is not
// safe to repeat runs at most once. In the end nothing is left.
func TestBadNetwork(t *testing.T) {
	const clients, calls, tries = 6, 20, 3
	harmed, answered, failed := map[string]int{}, 0, 0
	for range tries {
		w := &badNetwork{harmed: harmed}
		sim.Config{Network: virtual.Config{Dial: w.dial}}.Test(t, func(ctx context.Context, t *testing.T) {
			w.rand = task.Loop(ctx).Rand()
			c := &counted{runs: map[string]int{}}
			srv := &httpio.Server{Handler: c, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, Grace: time.Minute}
			proxy := &netio.Server{Grace: -1, OnError: func(*netio.Stream, error) {}}
			for port, serve := range []func(context.Context, *netio.Listener) error{
				srv.Serve,
				func(ctx context.Context, ln *netio.Listener) error { return proxy.ServeListener(ctx, ln, w.forward) },
			} {
				ln, err := netio.Listen(ctx, "tcp", fmt.Sprint("127.0.0.1:", 80+port))
				if err != nil {
					t.Fatal(err)
				}
				task.Go(ctx, func(ctx context.Context) error { return serve(ctx, ln) })
			}
			tr := &httpio.Transport{
				MaxConnsPerHost:       1 + w.rand.IntN(clients),
				MaxIdleConnsPerHost:   clients,
				DisableKeepAlives:     w.rand.IntN(3) == 0,
				ResponseHeaderTimeout: 20 * time.Second,
				ExpectContinueTimeout: time.Duration(w.rand.IntN(2)) * time.Second,
			}
			err := task.Scope(ctx, func(ctx context.Context) error {
				for i := range clients {
					task.Go(ctx, func(ctx context.Context) error {
						for n := range calls {
							method := []string{"GET", "POST", "PUT", "GET", "DELETE"}[w.rand.IntN(5)]
							if c.call(ctx, t, tr, method, 1000*i+100+n) {
								answered++
							} else {
								failed++
							}
						}
						return nil
					})
				}
				return nil
			})
			tr.CloseIdleConnections()
			err = errors.Join(err, proxy.Shutdown(ctx), srv.Shutdown(ctx))
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("%d requests were answered, %d were not; what has happened: %v", answered, failed, harmed)
	if answered == 0 || failed == 0 {
		t.Error("the network did too little or too much harm")
	}
}
