// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"baton/task"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{7}, spread{7, 7, 7}},
		{[]float64{3, 1}, spread{2, 1, 3}},
		{[]float64{9, 1, 5}, spread{5, 1, 9}},
		{[]float64{5, 100, 1, 4, 3}, spread{4, 1, 100}},
		{[]float64{8, 2, 4, 6}, spread{5, 2, 8}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("spreadOf(%v) = %v, want %v", before, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("spreadOf has sorted its argument %v", before)
		}
	}
}

// TestBest: the better median of a peer counts. A failed peer counts only if there is no other one.
func TestBest(t *testing.T) {
	slow := &contestant{procs: 2, values: []float64{1, 9, 9}}
	fast := &contestant{procs: 1, values: []float64{5, 5, 50}}
	broken := &contestant{procs: 4, err: errors.New("broken")}
	for _, c := range []struct {
		list []*contestant
		want *contestant
	}{
		{[]*contestant{slow, fast}, fast},
		{[]*contestant{fast, slow}, fast},
		{[]*contestant{broken, slow}, slow},
		{[]*contestant{slow, broken}, slow},
		{[]*contestant{broken}, broken},
	} {
		if got := best(c.list); got != c.want {
			t.Errorf("best is the one at %d, want %d", got.procs, c.want.procs)
		}
	}
}

// scripted returns a shape whose sides only log their calls.
func scripted(log *[]string) shape {
	say := func(who string, value float64) side {
		return func(round) (float64, error) {
			*log = append(*log, who)
			return value, nil
		}
	}
	return shape{
		name:  "scripted",
		unit:  "ns/call",
		limit: limits(1, 2),
		whole: true,
		ours:  func(h task.Handoff) side { return say(h.String(), 6) },
		peers: []peer{
			{name: "fast", side: say("fast", 4), limited: true},
			{name: "broken", side: func(round) (float64, error) { return 0, errors.New("out of order") }},
		},
	}
}

// TestAlternation: in each round all contestants run one after another.
func TestAlternation(t *testing.T) {
	var log []string
	p := plan{rounds: 3, least: time.Hour, procs: []int{1}}
	lines := p.measure(scripted(&log), func(string) bool { return true })
	turn := []string{"channel", "coroutine", "fast"}
	if want := slices.Concat(turn, turn, turn); !slices.Equal(log, want) {
		t.Errorf("order %q, want %q", log, want)
	}
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4", len(lines))
	}
	for _, l := range lines {
		switch {
		case l.peer == "broken":
			if l.note != "out of order" || l.ratio != 0 || l.limit != 0 {
				t.Errorf("%+v, want a note and neither ratio nor limit", l)
			}
		case l.ratio != 1.5 || l.rounds != 3 || l.note != "":
			t.Errorf("%+v, want a ratio of 1.5 in 3 rounds", l)
		case (verdict(l) == "over") != (l.name == "scripted/channel"):
			t.Errorf("%s of %v with the limit %v: verdict %q", l.name, l.ratio, l.limit, verdict(l))
		}
	}
}

// TestSelection: -run selects rows by name. Other rows do not run.
func TestSelection(t *testing.T) {
	for pattern, want := range map[string][]string{
		"":                {"scripted/channel", "scripted/coroutine"},
		"/coroutine$":     {"scripted/coroutine"},
		"^scripted/ch":    {"scripted/channel"},
		"switch|scripted": {"scripted/channel", "scripted/coroutine"},
		"switch":          nil,
	} {
		var log, names []string
		p := plan{rounds: 1, procs: []int{1}}
		for _, l := range p.measure(scripted(&log), regexp.MustCompile(pattern).MatchString) {
			if l.peer == "fast" {
				names = append(names, l.name)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("-run %q: rows %q, want %q", pattern, names, want)
		}
		if want == nil && log != nil {
			t.Errorf("-run %q has run %q", pattern, log)
		}
	}
}

// TestProcs: a side runs with the GOMAXPROCS of its round. Afterwards GOMAXPROCS has its former
// value.
func TestProcs(t *testing.T) {
	const before = 3
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(before))
	var seen []int
	look := func(r round) (float64, error) {
		seen = append(seen, r.procs, runtime.GOMAXPROCS(0))
		return 1, nil
	}
	s := shape{
		name:  "procs",
		whole: true,
		ours:  func(task.Handoff) side { return look },
		peers: []peer{{name: "once", side: look, single: true}},
	}
	p := plan{rounds: 1, procs: []int{2, 1}}
	p.measure(s, func(name string) bool { return name == "procs/channel" })
	if want := []int{2, 2, 2, 2, 1, 1}; !slices.Equal(seen, want) {
		t.Errorf("the rounds got and saw %v, want %v", seen, want)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("GOMAXPROCS is %d afterwards, was %d", after, before)
	}
}

// TestTimed: a round continues until its minimum time has passed, and counts all operations.
func TestTimed(t *testing.T) {
	total := 0
	start := time.Now()
	ns, err := timed(time.Millisecond, func(n int) error {
		total += n
		return nil
	})
	spent := time.Since(start)
	if err != nil || spent < time.Millisecond {
		t.Errorf("ended after %v: %v", spent, err)
	}
	if least, most := float64(time.Millisecond), float64(spent); ns*float64(total) < 0.999*least || ns*float64(total) > 1.001*most {
		t.Errorf("%v ns each of %d, want all of them within [%v, %v]", ns, total, least, most)
	}
	broken := errors.New("broken")
	if _, err := timed(time.Hour, func(int) error { return broken }); err != broken {
		t.Errorf("timed = %v, want the error of the work", err)
	}
}
