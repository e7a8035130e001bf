// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"baton/task"
)

// A side measures one round of one contestant. It prepares, works, and returns the cost of one
// operation, in the unit of its row. Preparation and cleanup are not part of the cost.
type side func(round) (float64, error)

// A round has the parameters of one call of a side.
type round struct {
	least time.Duration // minimum time of the work
	procs int           // GOMAXPROCS: already set in this process; the side sets it in other processes
}

// A shape is a kind of work that tasks and their peers do. With each of the two hand-overs it is a
// row.
type shape struct {
	name  string
	unit  string
	ours  func(task.Handoff) side
	peers []peer
	// limit is the largest ratio that is not marked. 0 is no limit.
	limit map[task.Handoff]float64
	// whole means that a round does the work once, however long that takes. There is no
	// repetition and no warm-up.
	whole bool
	// apart means that each round is a separate process and does not measure time, so the
	// contestants of a round may run at the same time.
	apart bool
	// processes means that the sides start processes themselves.
	processes bool
	// given means that our side is measured only with the current GOMAXPROCS. It is for the two
	// rows that take long and do not depend on GOMAXPROCS, because all rows together should take
	// a minute.
	given bool
}

// A peer does the same work without Baton.
type peer struct {
	name    string
	side    side
	limited bool // the shape's limit is on the ratio to this peer
	single  bool // its program has one thread, whatever GOMAXPROCS is
}

// The sizes of the rows. They are variables so that tests can make them smaller.
var (
	many   = 10_000    // tasks or goroutines of switch/10000, live timers of timers/each
	atOnce = 10_000    // tasks or goroutines of spawn/many; -many
	bulk   = 1_000_000 // timers of timers/bulk
	parked = 100_000   // tasks or goroutines of memory
	idle   = 250       // connections of idle
)

// handoffs are the values of H in the names of rows, in the order of the table.
var handoffs = []task.Handoff{task.Channel, task.Coroutine}

// row returns the name of a shape with one hand-over.
func (s *shape) row(h task.Handoff) string { return s.name + "/" + h.String() }

// shapes returns all shapes in the order of the report. The limits are targets of the project: no
// user should need goroutines instead of tasks for speed.
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

// limits returns the limits of a shape for each hand-over.
func limits(channel, coroutine float64) map[task.Handoff]float64 {
	return map[task.Handoff]float64{task.Channel: channel, task.Coroutine: coroutine}
}

func goroutines(s side) []peer { return []peer{{name: "goroutines", side: s, limited: true}} }
func afterFunc(s side) []peer  { return []peer{{name: "AfterFunc", side: s, limited: true}} }
