// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// wrkRequests reads a report of wrk, and returns an error for a report with failed requests.
func TestWrkRequests(t *testing.T) {
	const head = "Running 1s test @ http://127.0.0.1:7000/\n  1 threads and 50 connections\n"
	for _, c := range []struct {
		report string
		want   int
	}{
		{head + "  34017 requests in 1.10s, 4.35MB read\nRequests/sec:  30911.17\n", 34017},
		{head + "  34017 requests in 1.10s, 4.35MB read\n  Socket errors: connect 0, read 3, write 0, timeout 0\n", 0},
		{head + "  34017 requests in 1.10s, 4.35MB read\n  Non-2xx or 3xx responses: 12\n", 0},
		{head, 0},
	} {
		if n, err := wrkRequests([]byte(c.report)); n != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%d, %v from\n%s", n, err, c.report)
		}
	}
}

// With -wrk, wrk measures the rows of HTTP servers if wrk is installed, and no other row is
// measured.
func TestByWrk(t *testing.T) {
	defer func() { byWrk = false }()
	byWrk = true
	wanted, err := selected("http")
	if err != nil || !wanted("http/50/channel") || wanted("httpclient/50/channel") {
		t.Errorf("the wrong rows are selected, %v", err)
	}
	_, missing := exec.LookPath("wrk")
	plan := plan{rounds: 1, least: time.Millisecond, procs: []int{1}}
	for _, s := range shapes() {
		if s.name != "http/json/50" {
			continue
		}
		for _, l := range plan.measure(s, func(name string) bool { return strings.HasSuffix(name, "/channel") }) {
			if missing != nil && !strings.Contains(l.note, missing.Error()) {
				t.Errorf("without wrk: %+v", l)
			}
			if missing == nil && (l.note != "" || l.value.median <= 0 || l.peerValue.median <= 0) {
				t.Errorf("%+v", l)
			}
		}
	}
}
