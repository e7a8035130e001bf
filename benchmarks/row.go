// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"baton/task"
)

// A side measures one round of one contestant: it prepares, works, and returns
// what one operation cost, in the unit of its row. Preparation and cleaning up
// are not part of the cost.
type side func(round) (float64, error)

// A round is what a side is told.
type round struct {
	least time.Duration // to work for at least so long
	procs int           // GOMAXPROCS: already set here, and to be set in other processes
}

// A shape is a kind of work, done by tasks and by their peers. With each of the
// two hand-overs it is a row.
type shape struct {
	name  string
	unit  string
	ours  func(task.Handoff) side
	peers []peer
	// limit is what the ratio should not exceed; 0 is no limit.
	limit map[task.Handoff]float64
	// whole says that a round does something once, however long that takes: it
	// is not repeated until the round is long enough, nor warmed up.
	whole bool
	// apart says that every round is a process of its own and measures no time:
	// those of one turn may run at the same time.
	apart bool
	// processes says that the sides start processes themselves.
	processes bool
	// given says that ours is measured at the given GOMAXPROCS only: the two
	// rows that take long and do not depend on it. The whole has to fit into a
	// minute.
	given bool
}

// A peer does the same work without us.
type peer struct {
	name    string
	side    side
	limited bool // the shape's limit is on the ratio to this peer
	single  bool // its program has one thread whatever GOMAXPROCS is
}

// How many of what there are in the rows. They are variables only so that tests
// can do with fewer.
var (
	many   = 10_000    // tasks or goroutines of switch/10000, live timers of timers/each
	atOnce = 10_000    // tasks or goroutines of spawn/many; -many
	bulk   = 1_000_000 // timers of timers/bulk
	parked = 100_000   // tasks or goroutines of memory
	idle   = 250       // connections of idle
)

// handoffs are the H of the rows' names, in the order of the table.
var handoffs = []task.Handoff{task.Channel, task.Coroutine}

// row is the name of a shape with one hand-over.
func (s *shape) row(h task.Handoff) string { return s.name + "/" + h.String() }

// shapes lists all there are, in the order of the report. The limits are the
// project's own targets, chosen so that nobody has to leave tasks for speed.
func shapes() []shape {
	return []shape{
		{
			name: "switch/2", unit: "ns/switch", limit: limits(1.25, 0.55),
			ours: switchTwoTasks, peers: goroutines(switchTwoGoroutines),
		}, {
			name: "switch/10000", unit: "ns/switch", limit: limits(2, 0.7),
			ours: switchManyTasks, peers: goroutines(switchManyGoroutines),
		}, {
			name: "spawn/one", unit: "ns/task", limit: limits(1.2, 0.5),
			ours: spawnOneTask, peers: goroutines(spawnOneGoroutine),
		}, {
			name: "spawn/many", unit: "ns/task", limit: limits(1.2, 0.6),
			ours: spawnManyTasks, peers: goroutines(spawnManyGoroutines),
		}, {
			name: "queue/1", unit: "ns/item", limit: limits(2, 1),
			ours: throughQueue(1), peers: goroutines(throughChannel(1)),
		}, {
			name: "queue/128", unit: "ns/item", limit: limits(1, 0.7),
			ours: throughQueue(128), peers: goroutines(throughChannel(128)),
		}, {
			name: "mutex", unit: "ns/lock", limit: limits(1.5, 1.5),
			ours: lockOurs, peers: []peer{{name: "sync.Mutex", side: lockSync, limited: true}},
		}, {
			name: "timers/each", unit: "ns/timer", limit: limits(0.7, 0.7),
			ours: timersEachOurs, peers: afterFunc(timersEachStandard),
		}, {
			name: "timers/bulk", unit: "ns/timer", limit: limits(1, 1), whole: true, given: true,
			ours: timersBulkOurs, peers: afterFunc(timersBulkStandard),
		}, {
			name: "memory", unit: "B/task", limit: limits(1.3, 1.3), whole: true, given: true, apart: true, processes: true,
			ours: memoryTasks, peers: goroutines(memoryGoroutines),
		},
		echoShape("echo", "baton", 50, limits(1.2, 1.12)),
		echoShape("echo", "baton", 500, limits(1.2, 1.12)),
		echoShape("protocol", "protocol", 50, limits(1.1, 1.1)),
		timedShape(500),
		bulkShape(50),
		tlsShape(50),
		tlsBulkShape(8),
		idleShape("idle", "baton", false, 1.1),
		idleShape("idle/protocol", "protocol", false, 0.2),
		idleShape("idle/tls", "baton", true, 1),
		idleShape("idle/tls/protocol", "protocol", true, 0.5),
		udpShape(50),
		httpShape("http", 50, 12, 0.7),
		httpShape("http/json", 50, 1<<10, 0.7, "-json"),
		httpShape("http/64k", 50, 64<<10, 0.85),
		httpClientShape(1, 0.75),
		httpClientShape(50, 0.75),
		idleHTTPShape("http/idle", 0.7),
		pipeShape(10, 1.1),
		pipeShape(64, 1.1),
		pipeCPUShape(10, 1.1),
		pipeCPUShape(64, 1.1),
		childShape(1, 1.1),
		childShape(16, 1.1),
		childCPUShape(1, 1.1),
		childCPUShape(16, 1.1),
	}
}

// limits are those of a shape for each hand-over.
func limits(channel, coroutine float64) map[task.Handoff]float64 {
	return map[task.Handoff]float64{task.Channel: channel, task.Coroutine: coroutine}
}

func goroutines(s side) []peer { return []peer{{name: "goroutines", side: s, limited: true}} }
func afterFunc(s side) []peer  { return []peer{{name: "AfterFunc", side: s, limited: true}} }
