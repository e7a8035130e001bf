// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"baton/await"
)

const eventsPage = `<ol id=log></ol>
<script>
	const source = new EventSource("/events");
	source.addEventListener("tick", event => {
		const item = document.createElement("li");
		item.textContent = event.lastEventId + ": " + event.data;
		document.querySelector("#log").append(item);
	});
</script>`

// Server-sent events arrive one by one. After three events the server ends the response and closes
// the connection, and the browser requests the rest with a Last-Event-ID. When the window is
// closed, the context of the request ends.
//
// The server does not abort the response: a browser may drop the events that it has received but
// not yet delivered when a response fails.
func TestEventSource(t *testing.T) {
	const each, all = 3, 6
	gone := make(chan error, 1)
	var ids []string // the Last-Event-IDs of the requests; belongs to the loop until gone has a value
	url := serve(t, eventsPage, map[string]http.HandlerFunc{"GET /events": func(w http.ResponseWriter, r *http.Request) {
		last := r.Header.Get("Last-Event-ID")
		ids = append(ids, last)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "retry: 50\n\n")
		n, _ := strconv.Atoi(last) // 0 without a Last-Event-ID
		for range each {
			n++
			fmt.Fprintf(w, "event: tick\nid: %d\ndata: {\"n\": %d}\n\n", n, n)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
		if n < all {
			return
		}
		gone <- await.Forever(r.Context())
	}})
	w := newBrowser(t).open(url)
	w.reads("#log", "6: {\\\"n\\\": 6}")
	w.sees(`document.querySelectorAll("li").length === 6`)
	select {
	case err := <-gone:
		t.Fatalf("the request ended before the window was closed: %v", err)
	default:
	}
	w.close()
	if err := <-gone; err == nil {
		t.Error("the request ended without an error")
	}
	if len(ids) != 2 || ids[0] != "" || ids[1] != "3" {
		t.Errorf("the browser sent the ids %q", ids)
	}
}
