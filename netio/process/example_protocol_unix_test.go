// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"context"
	"fmt"

	"baton/locks"
	"baton/netio/process"
	"baton/task"
)

// A printer is a Protocol that writes to its child and prints what comes back.
type printer struct {
	child *process.Transport
	ended locks.Event
}

func (p *printer) ConnectionMade(t *process.Transport) {
	p.child = t
	t.Pipe(0).Write([]byte("hello\n"))
	t.Pipe(0).Close()
}

func (p *printer) PipeDataReceived(fd int, data []byte) { fmt.Printf("fd %d: %s", fd, data) }

func (p *printer) PipeConnectionLost(int, error) {}

func (p *printer) ProcessExited() {}

func (p *printer) ConnectionLost() {
	fmt.Println(p.child.Cmd().ProcessState)
	p.ended.Set()
}

// A Protocol is called when its child writes and when its child ends. It uses a Transport to
// write to the child.
func ExampleProtocol() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var p printer
		if _, err := process.Command("cat").Connect(ctx, &p); err != nil {
			return err
		}
		return p.ended.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// fd 1: hello
	// exit status 0
	// <nil>
}

// Close asks the child to terminate.
func ExampleTransport_Close() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var p printer
		t, err := process.Command("sleep", "60").Connect(ctx, &p)
		if err != nil {
			return err
		}
		t.Close()
		return p.ended.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// signal: terminated
	// <nil>
}
