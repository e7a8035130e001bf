// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/task"
)

// TestRows: every row exists and has its limits.
func TestRows(t *testing.T) {
	want := []struct {
		shape              string
		channel, coroutine float64
	}{
		{"switch/2", 1.25, 0.55},
		{"switch/10000", 2, 0.7},
		{"spawn/one", 1.2, 0.5},
		{"spawn/many", 1.2, 0.6},
		{"queue/1", 2, 1},
		{"queue/128", 1, 0.7},
		{"mutex", 1.5, 1.5},
		{"timers/each", 0.7, 0.7},
		{"timers/bulk", 1, 1},
		{"memory", 1.3, 1.3},
		{"echo/50", 1.2, 1.12},
		{"echo/500", 1.2, 1.12},
		{"protocol/50", 1.1, 1.1},
		{"echo/500/idle", 1.2, 1},
		{"bulk/50", 1.1, 1.1},
		{"tls/50", 1.05, 1.05},
		{"tlsbulk/8", 1.1, 1.1},
		{"idle", 1.1, 1.1},
		{"idle/protocol", 0.2, 0.2},
		{"idle/tls", 1, 1},
		{"idle/tls/protocol", 0.5, 0.5},
		{"udp/50", 0.9, 0.9},
		{"http/50", 0.7, 0.7},
		{"http/json/50", 0.7, 0.7},
		{"http/64k/50", 0.85, 0.85},
		{"httpclient/1", 0.75, 0.75},
		{"httpclient/50", 0.75, 0.75},
		{"http/idle", 0.7, 0.7},
		{"pipe/10k", 1.1, 1.1},
		{"pipe/64k", 1.1, 1.1},
		{"pipe/10k/cpu", 1.1, 1.1},
		{"pipe/64k/cpu", 1.1, 1.1},
		{"child/1", 1.1, 1.1},
		{"child/16", 1.1, 1.1},
		{"child/1/cpu", 1.1, 1.1},
		{"child/16/cpu", 1.1, 1.1},
	}
	var names []string
	for i, s := range shapes() {
		if i >= len(want) {
			t.Fatalf("the row %s is not in the table of this test", s.name)
		}
		w := want[i]
		got := fmt.Sprint(s.name, s.limit[task.Channel], s.limit[task.Coroutine])
		if got != fmt.Sprint(w.shape, w.channel, w.coroutine) {
			t.Errorf("row %d is %s, want %v", i, got, w)
		}
		if s.unit == "" || s.ours == nil || len(s.peers) == 0 {
			t.Errorf("%s lacks a unit, a side or a peer", s.name)
		}
		names = append(names, s.row(task.Channel), s.row(task.Coroutine))
	}
	if len(names) != 2*len(want) {
		t.Errorf("%d rows, want %d", len(names), 2*len(want))
	}
	if names[2] != "switch/10000/channel" || names[3] != "switch/10000/coroutine" {
		t.Errorf("the names of the rows are %s and %s", names[2], names[3])
	}
}

// TestSmoke: every row can be measured with all its contestants.
func TestSmoke(t *testing.T) {
	smoke(t, plan{rounds: 1, least: time.Millisecond, procs: []int{2, 1}})
}

// TestFresh: every row can be measured with a process for each contestant.
func TestFresh(t *testing.T) {
	smoke(t, plan{rounds: 1, least: time.Millisecond, procs: []int{2}, fresh: true})
}

// TestApart: a row can be measured in a separate process, and only the selected rows are.
func TestApart(t *testing.T) {
	p := plan{rounds: leastRounds, least: time.Millisecond}
	all := shapes()
	mutex := all[slices.IndexFunc(all, func(s shape) bool { return s.name == "mutex" })]
	lines, err := p.measureApart(mutex, func(name string) bool { return name == "mutex/coroutine" })
	if err != nil || len(lines) != len(procs()) {
		t.Fatalf("%d lines, %v, want one for each GOMAXPROCS", len(lines), err)
	}
	for _, l := range lines {
		if l.name != "mutex/coroutine" || l.value.median <= 0 || l.peer != "sync.Mutex" || l.rounds != p.rounds {
			t.Errorf("%+v, want a measured mutex/coroutine", l)
		}
	}
	if lines, err := p.measureApart(mutex, func(string) bool { return false }); err != nil || lines != nil {
		t.Errorf("no row is selected: %d lines, %v", len(lines), err)
	}
}

func smoke(t *testing.T, p plan) {
	for _, s := range shapes() {
		if p.fresh && s.processes {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			lines := p.measure(s, func(string) bool { return true })
			perProcs := len(p.procs)
			if s.given {
				perProcs = 1
			}
			if want := len(handoffs) * perProcs * len(s.peers); len(lines) != want {
				t.Errorf("%d lines, want %d", len(lines), want)
			}
			for _, l := range lines {
				if l.note != "" {
					if !excused(l) {
						t.Errorf("%s at %d: %s", l.name, l.procs, l.note)
					}
					continue
				}
				if l.value.median <= 0 || l.peerValue.median <= 0 || l.ratio <= 0 || l.rounds != 1 {
					t.Errorf("%s at %d: %+v", l.name, l.procs, l)
				}
			}
		})
	}
}

// excused reports whether a row may have no figures on this system.
func excused(l line) bool {
	if l.peer == "C epoll" {
		if _, err := compiler(); err != nil {
			return true
		}
	}
	onLinux := []string{"ns/message", "ns/request", "ns CPU/child", "ns CPU/KiB"}
	return runtime.GOOS != "linux" && (slices.Contains(onLinux, l.unit) || strings.HasPrefix(l.unit, "B/"))
}
