// SPDX-License-Identifier: Apache-2.0

//go:build race

package epoll_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// The race detector sees what the kernel does with the whole buffer, so it detects a program
// that uses a buffer which belongs to the poller.
func TestRaceDetectorSeesKernel(t *testing.T) {
	if kind := os.Getenv("BATON_TEST_RACE"); kind != "" {
		raceWithKernel(t, kind)
		return
	}
	for _, kind := range []string{"read", "write", "none"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRaceDetectorSeesKernel$")
		cmd.Env = append(os.Environ(), "BATON_TEST_RACE="+kind, "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		if found := strings.Contains(string(out), "DATA RACE"); found != (kind != "none") || found != (err != nil) {
			t.Errorf("%s: race found %v, %v\n%s", kind, found, err, out)
		}
	}
}

func raceWithKernel(t *testing.T, kind string) {
	l := newLoopback(t, open(t, epoll.Config{}))
	buf := make([]byte, 64)
	out := &poll.Op{Kind: poll.Write, Handle: l.client, Buf: make([]byte, 64)}
	in := &poll.Op{Kind: poll.Read, Handle: l.server, Buf: make([]byte, 64)}
	var touch func()
	switch kind {
	case "read":
		in.Buf, touch = buf, func() { _ = string(buf[30:34]) }
	case "write":
		out.Buf, touch = buf, func() { buf[32] = 1 }
	default:
		touch = func() {}
	}
	touched := make(chan struct{})
	go func() { touch(); close(touched) }()
	for _, op := range []*poll.Op{out, in} {
		if !l.poller.Submit(op) {
			l.await(op)
		}
	}
	<-touched
}
