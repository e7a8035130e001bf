// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// BenchmarkWriteRead makes one write and one read of 64 bytes over TCP. The read completes at
// once or after a Wait.
func BenchmarkWriteRead(b *testing.B) {
	for _, armed := range []bool{false, true} {
		b.Run(map[bool]string{false: "at once", true: "waits"}[armed], func(b *testing.B) {
			l := newLoopback(b, open(b, epoll.Config{}))
			out := &poll.Op{Kind: poll.Write, Handle: l.client, Buf: make([]byte, 64)}
			in := &poll.Op{Kind: poll.Read, Handle: l.server, Buf: make([]byte, 64)}
			b.ReportAllocs()
			for b.Loop() {
				if armed {
					l.poller.Submit(in)
					l.must(out)
					l.await(in)
				} else {
					l.must(out)
					l.must(in)
				}
			}
		})
	}
}

func BenchmarkWaitZero(b *testing.B) {
	l := newLoopback(b, open(b, epoll.Config{}))
	b.ReportAllocs()
	for b.Loop() {
		l.wait(0)
	}
}

// BenchmarkWakeRunning measures a Wake while the loop runs.
func BenchmarkWakeRunning(b *testing.B) {
	p := open(b, epoll.Config{})
	for b.Loop() {
		p.Wake()
	}
}

// BenchmarkWakeSleeping measures how long it takes to wake a sleeping loop and to get its
// answer.
func BenchmarkWakeSleeping(b *testing.B) {
	for _, mode := range modes {
		b.Run(mode.name, func(b *testing.B) {
			p := open(b, mode.config)
			questions, answers := make(chan struct{}, 1), make(chan struct{})
			go func() {
				defer close(answers)
				for {
					p.Wait(nil, -1)
					select {
					case _, more := <-questions:
						if !more {
							return
						}
						answers <- struct{}{}
					default: // an early return
					}
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				questions <- struct{}{}
				p.Wake()
				<-answers
			}
			close(questions)
			p.Wake()
			<-answers
		})
	}
}

// BenchmarkDeadline measures how late a Wait with a deadline returns if nothing else happens.
func BenchmarkDeadline(b *testing.B) {
	for _, mode := range modes {
		b.Run(mode.name, func(b *testing.B) {
			p := open(b, mode.config)
			var late time.Duration
			for b.Loop() {
				const d = 200 * time.Microsecond
				start := time.Now()
				p.Wait(nil, d)
				late += time.Since(start) - d
			}
			b.ReportMetric(float64(late.Microseconds())/float64(b.N), "µs-late/op")
		})
	}
}
