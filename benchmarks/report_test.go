// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

var (
	measured = line{
		name: "switch/2/channel", unit: "ns/switch", procs: 2, value: spread{150, 140, 190},
		peer: "goroutines", peerProcs: 1, peerValue: spread{100, 90, 120},
		ratio: 1.5, limit: 1.25, rounds: 5,
	}
	unmeasured = line{
		name: "echo/50/channel", unit: "ns/message", procs: 2, peer: "C epoll", limit: 1.2, note: "no C compiler",
	}
)

// TestJSON: one object on each line, with null for missing figures.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	r := newJSON(&out)
	r.lines([]line{measured, unmeasured})
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{
			"name": "switch/2/channel", "unit": "ns/switch", "value": 150., "peer": "goroutines", "peer_value": 100.,
			"ratio": 1.5, "procs": 2., "peer_procs": 1., "min": 140., "max": 190., "peer_min": 90., "peer_max": 120.,
			"rounds": 5., "limit": 1.25,
		},
		{
			"name": "echo/50/channel", "unit": "ns/message", "value": nil, "peer": "C epoll", "peer_value": nil,
			"ratio": nil, "procs": 2., "rounds": 0., "limit": 1.2, "note": "no C compiler",
		},
	}
	printed := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(printed) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(printed), len(want), &out)
	}
	for i, text := range printed {
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for key, value := range want[i] {
			if v, ok := got[key]; !ok || v != value {
				t.Errorf("%s: %s is %v, want %v", want[i]["name"], key, v, value)
			}
			delete(got, key)
		}
		if len(got) > 0 {
			t.Errorf("%s: unexpected %v", want[i]["name"], got)
		}
	}
}

// TestReadLines: readLines returns the lines that jsonLines has written.
func TestReadLines(t *testing.T) {
	var out bytes.Buffer
	want := []line{measured, unmeasured}
	newJSON(&out).lines(want)
	if got, err := readLines(&out); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	if _, err := readLines(strings.NewReader(`{"name": 7}`)); err == nil {
		t.Error("readLines accepted invalid JSON")
	}
}

// TestTable: the table shows ratios, spreads, the GOMAXPROCS of the peer, exceeded limits, and the
// reason for missing figures.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	r := newTable(&out)
	r.lines(nil)
	r.lines([]line{measured})
	r.lines([]line{unmeasured})
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"row procs median min max unit peer procs median min max ratio limit",
		"switch/2/channel 2 150 140 190 ns/switch goroutines 1 100 90 120 1.50 1.25 over",
		"echo/50/channel 2 - - - ns/message C epoll - - - - - 1.2 no C compiler",
	}
	if len(rows) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(rows), len(want), &out)
	}
	for i := range want {
		if got := strings.Join(strings.Fields(rows[i]), " "); got != want[i] {
			t.Errorf("line %d is %q, want %q", i, got, want[i])
		}
	}
}

// broken is a writer that fails.
type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// TestBrokenOutput: end returns a write error.
func TestBrokenOutput(t *testing.T) {
	for name, r := range map[string]report{"table": newTable(broken{}), "JSON": newJSON(broken{})} {
		r.lines([]line{measured})
		if err := r.end(); !errors.Is(err, errBroken) {
			t.Errorf("%s: end = %v, want %v", name, err, errBroken)
		}
	}
}

// TestMarkdown: each shape has one row with both hand-overs and only the peer of the limit.
func TestMarkdown(t *testing.T) {
	other := func(change func(l *line)) line {
		l := measured
		change(&l)
		return l
	}
	var out bytes.Buffer
	r := newMarkdown(&out)
	r.lines([]line{
		measured,
		other(func(l *line) { l.peer, l.limit = "other", 0 }),
		other(func(l *line) { l.procs, l.ratio = 1, 1.25 }),
		other(func(l *line) { l.name, l.value.median, l.ratio = "switch/2/coroutine", 1234567, 0.7 }),
	})
	r.lines([]line{unmeasured})
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	const want = "| row | ours, `channel` | ratio | ours, `coroutine` | ratio | peer |\n" +
		"| --- | ---: | ---: | ---: | ---: | --- |\n" +
		"| switch/2 | 150 | 1.50 / 1.25 | 1,234,567 | 0.70 | 100 ns/switch, goroutines |\n" +
		"| echo/50 | - | - | - |  | 0.0 ns/message, C epoll |\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", &out, want)
	}
}
