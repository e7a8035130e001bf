// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"baton/loop"
	"baton/task"
)

// A plan says how to measure.
type plan struct {
	rounds int
	least  time.Duration // minimum time of a round
	procs  []int         // the values of GOMAXPROCS, the current one first
	fresh  bool          // each contestant has its own process
}

// A spread summarizes the rounds of one contestant.
type spread struct{ median, min, max float64 }

// A line is one row at one GOMAXPROCS against one peer.
type line struct {
	name      string
	unit      string
	procs     int
	value     spread
	peer      string
	peerProcs int // GOMAXPROCS at which the peer was best
	peerValue spread
	ratio     float64
	limit     float64 // 0 is no limit
	rounds    int
	note      string // the reason if there are no figures
}

// A contestant is one side at one GOMAXPROCS.
type contestant struct {
	side    side
	procs   int
	process *sideProcess // its process; nil if it measures in this process or starts processes itself
	values  []float64
	err     error // of the first failed round, which is also the last round
}

// measure measures the rows of s whose names are wanted. In each round all contestants run one
// after another: our side with each hand-over, and the peers, each at each GOMAXPROCS.
func (p plan) measure(s shape, wanted func(name string) bool) []line {
	ours := make(map[task.Handoff][]*contestant)
	for _, h := range handoffs {
		if !wanted(s.row(h)) {
			continue
		}
		at := p.procs
		if s.given {
			at = at[:1]
		}
		ours[h] = p.contestants(s, h.String(), s.ours(h), at)
	}
	if len(ours) == 0 {
		return nil
	}
	peers := make([][]*contestant, len(s.peers))
	for i, peer := range s.peers {
		at := p.procs
		if peer.single {
			at = at[:1]
		}
		peers[i] = p.contestants(s, peer.name, peer.side, at)
	}
	p.alternate(s, ours, peers)

	var lines []line
	for _, h := range handoffs {
		for _, own := range ours[h] {
			for i, peer := range s.peers {
				l := compare(own, best(peers[i]))
				l.name, l.unit, l.peer = s.row(h), s.unit, peer.name
				if peer.limited {
					l.limit = s.limit[h]
				}
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// contestants returns one side of a shape at each GOMAXPROCS.
func (p plan) contestants(of shape, who string, s side, procs []int) []*contestant {
	var list []*contestant
	for _, n := range procs {
		c := &contestant{side: s, procs: n}
		if p.fresh && !of.processes {
			c.process = &sideProcess{shape: of.name, who: who, procs: n}
			c.side = c.process.measure
		}
		list = append(list, c)
	}
	return list
}

// alternate runs all rounds of a shape. The first round fills caches, page tables and the free
// lists of the runtime, and does not count.
func (p plan) alternate(s shape, ours map[task.Handoff][]*contestant, peers [][]*contestant) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var all []*contestant
	for i := range p.procs {
		for _, h := range handoffs {
			all = append(all, ours[h][min(i, len(ours[h])):min(i+1, len(ours[h]))]...)
		}
		for _, peer := range peers {
			all = append(all, peer[min(i, len(peer)):min(i+1, len(peer))]...)
		}
	}
	defer func() {
		for _, c := range all {
			c.leave()
		}
	}()
	if !s.whole {
		for _, c := range all {
			c.round(p.least / 5)
			c.values = c.values[:0]
		}
	}
	for range p.rounds {
		if s.apart {
			sideBySide(all)
			continue
		}
		for _, c := range all {
			c.round(p.least)
		}
	}
}

// sideBySide runs one round of every contestant, two at a time.
func sideBySide(all []*contestant) {
	var turn errgroup.Group
	turn.SetLimit(2)
	for _, c := range all {
		turn.Go(func() error {
			c.measure(round{procs: c.procs})
			return nil
		})
	}
	turn.Wait()
}

// round runs one round. It begins with a garbage collection, so that the garbage of the previous
// round costs this round nothing.
func (c *contestant) round(least time.Duration) {
	if c.process == nil {
		runtime.GOMAXPROCS(c.procs)
		runtime.GC()
	}
	c.measure(round{least: least, procs: c.procs})
}

func (c *contestant) measure(r round) {
	if c.err != nil {
		return
	}
	v, err := c.side(r)
	if err != nil {
		c.err = err
		return
	}
	c.values = append(c.values, v)
}

// leave ends the process of the contestant, if it has one.
func (c *contestant) leave() {
	if c.process == nil {
		return
	}
	if err := c.process.end(); c.err == nil {
		c.err = err
	}
}

// best returns the peer at the GOMAXPROCS with the smallest median.
func best(peer []*contestant) *contestant {
	return slices.MinFunc(peer, func(a, b *contestant) int {
		switch {
		case (a.err == nil) != (b.err == nil):
			if a.err == nil {
				return -1
			}
			return 1
		case spreadOf(a.values).median < spreadOf(b.values).median:
			return -1
		}
		return 1
	})
}

// compare returns the line of two contestants.
func compare(own, peer *contestant) line {
	l := line{
		procs:     own.procs,
		value:     spreadOf(own.values),
		rounds:    len(own.values),
		peerProcs: peer.procs,
		peerValue: spreadOf(peer.values),
	}
	for _, c := range []*contestant{own, peer} {
		if c.err != nil {
			l.note = c.err.Error()
			return l
		}
	}
	l.ratio = l.value.median / l.peerValue.median
	return l
}

// spreadOf returns the median, the minimum and the maximum of values. The median of an even number
// of values is the mean of the two middle ones.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{
		median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		min:    sorted[0],
		max:    sorted[n-1],
	}
}

// timed calls do until least has passed, and returns the nanoseconds of one operation. The
// argument of do is a number of operations. The number grows until a call takes a millisecond, so
// that reading the clock costs almost nothing.
func timed(least time.Duration, do func(n int) error) (float64, error) {
	done, n := 0, 1
	for start := time.Now(); ; {
		if err := do(n); err != nil {
			return 0, err
		}
		done += n
		spent := time.Since(start)
		if spent >= least {
			return float64(spent) / float64(done), nil
		}
		if float64(spent)/float64(done)*float64(n) < float64(time.Millisecond) {
			n *= 2
		}
	}
}

// inTask runs one round of our side. measured is the root task of a new loop.
func inTask(h task.Handoff, measured func(ctx context.Context) (float64, error)) (value float64, err error) {
	err = runner(h).Run(context.Background(), func(ctx context.Context) error {
		value, err = measured(ctx)
		return err
	})
	return value, err
}

// runner is a default Runner without reports of slow steps: on a busy machine every step may be
// slow.
func runner(h task.Handoff) task.Runner {
	return task.Runner{Handoff: h, Config: loop.Config{OnSlow: func(loop.SlowStep) {}}}
}
