// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"baton/locks"
)

// awaited makes Evaluate wait for the promise and return its value.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// A page reads an answer while the server is still writing: the server writes each part after the
// page has reported the previous one.
func TestFetchStream(t *testing.T) {
	const parts = 5
	seen := make([]locks.Event, parts)
	url := serve(t, "", map[string]http.HandlerFunc{
		"GET /stream": func(w http.ResponseWriter, r *http.Request) {
			for i := range seen {
				fmt.Fprintf(w, "%d", i)
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				if err := seen[i].Wait(r.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		},
		"POST /seen": func(w http.ResponseWriter, r *http.Request) {
			var i int
			if _, err := fmt.Fscan(r.Body, &i); err != nil || i < 0 || i >= parts {
				t.Errorf("%d, %v", i, err)
				return
			}
			seen[i].Set()
		},
	})
	var got string
	newBrowser(t).open(url).do(chromedp.Evaluate(`(async () => {
		const response = await fetch("/stream");
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		let all = response.status + ":";
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return all;
			all += value;
			await fetch("/seen", { method: "POST", body: value });
		}
	})()`, &got, awaited))
	if got != "200:01234" {
		t.Errorf("the page shows %q", got)
	}
}

// A page uploads a mebibyte. The server answers with the SHA-256 of what it has read.
func TestFetchUpload(t *testing.T) {
	const size = 1 << 20
	url := serve(t, "", map[string]http.HandlerFunc{"POST /upload": func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	}})
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	var got string
	newBrowser(t).open(url).do(chromedp.Evaluate(fmt.Sprintf(`(async () => {
		const body = Uint8Array.from({ length: %d }, (_, i) => i * 7 >> 3);
		return await (await fetch("/upload", { method: "POST", body })).text();
	})()`, size), &got, awaited))
	if want := fmt.Sprintf("%d %x <nil>", size, sha256.Sum256(data)); got != want {
		t.Errorf("the server read %q, want %q", got, want)
	}
}
