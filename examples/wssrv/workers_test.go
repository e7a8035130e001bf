// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"baton/examples/internal/programtest"
)

// A workerClient is a client of one of several workers.
type workerClient struct {
	t      *testing.T
	ws     *websocket.Conn
	worker int
}

// join connects a client, which joins the room of a worker. The kernel chooses the worker.
func join(t *testing.T, p *programtest.Program) *workerClient {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.DialContext(p.Ctx, "ws://"+p.Address+"/chat", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Output())
	}
	t.Cleanup(func() { ws.Close() })
	if deadline, ok := p.Ctx.Deadline(); ok {
		_ = ws.SetReadDeadline(deadline)
	}
	c := &workerClient{t: t, ws: ws}
	c.write(joinAda)
	if c.worker, err = strconv.Atoi(p.Await(`(\d+): Someone joined\.\n`)); err != nil {
		t.Fatal(err)
	}
	c.await("join")
	return c
}

// joinEach connects clients until each of the workers has one.
func joinEach(t *testing.T, p *programtest.Program, workers ...int) []*workerClient {
	t.Helper()
	clients := make([]*workerClient, len(workers))
	for missing := len(workers); missing > 0; {
		c := join(t, p)
		for i, w := range workers {
			if c.worker == w && clients[i] == nil {
				clients[i] = c
				missing--
			}
		}
	}
	return clients
}

func (c *workerClient) write(text string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// await reads messages until one of the kind.
func (c *workerClient) await(kind string) {
	c.t.Helper()
	for {
		var m message
		if err := c.ws.ReadJSON(&m); err != nil {
			c.t.Fatalf("no %q: %v", kind, err)
		}
		if m.Kind == kind {
			return
		}
	}
}

// chats fails the test if the worker does not serve the client.
func (c *workerClient) chats() {
	c.t.Helper()
	c.write(`{"kind":"say","text":"hello"}`)
	c.await("say")
}

// closed reads until the connection ends, and fails the test if it ends without code.
func (c *workerClient) closed(code int) {
	c.t.Helper()
	for {
		if _, _, err := c.ws.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, code) {
				c.t.Errorf("the connection ends with %v, want %d", err, code)
			}
			return
		}
	}
}

// The supervisor replaces a worker that has died, and a worker that does not answer. The other
// worker serves its clients and new clients in the meantime. After a signal the workers close
// the connections, and no process is left.
func TestWorkersAreReplaced(t *testing.T) {
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		p := programtest.Start(t, "--workers", "2", "--ping", "20ms", "--silence", "10s")
		all := []int{p.Worker(), p.Worker()}
		clients := joinEach(t, p, all...)

		p.Signal(all[0], syscall.SIGKILL)
		clients[0].closed(websocket.CloseAbnormalClosure)
		clients[1].chats()
		p.Await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, all[0]))
		all = append(all, p.Worker())
		clients = joinEach(t, p, all[1], all[2])

		p.Signal(all[1], syscall.SIGSTOP)
		clients[1].chats()
		if c := join(t, p); c.worker != all[2] {
			t.Errorf("the client is in the room of worker %d, want %d", c.worker, all[2])
		}
		p.Await(fmt.Sprintf(`(worker %d was silent for 10s and is killed)\n`, all[1]))
		p.Await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, all[1]))
		clients[0].closed(websocket.CloseAbnormalClosure)
		clients[1].chats()
		all = append(all, p.Worker())
		clients = joinEach(t, p, all[2], all[3])

		p.Signal(p.PID, sig)
		for _, c := range clients {
			c.closed(websocket.CloseGoingAway)
		}
		got, output := p.End()
		if got != status || strings.Count(output, "replaced") != 2 {
			t.Errorf("%v: status %d\n%s", sig, got, output)
		}
		p.Gone(all...)
	}
}

// The workers end, and close the connections, when the supervisor is killed.
func TestWorkersEndWithTheSupervisor(t *testing.T) {
	p := programtest.Start(t, "--workers", "1")
	p.Worker()
	c := join(t, p)
	p.Signal(p.PID, syscall.SIGKILL)
	c.closed(websocket.CloseGoingAway)
	if status, output := p.End(); status != -1 {
		t.Errorf("status %d\n%s", status, output)
	}
}
