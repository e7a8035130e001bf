// SPDX-License-Identifier: Apache-2.0

package protocoltest

import (
	"context"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// Datagrams is a [Checker] for datagrams: a protocol.DatagramProtocol that records its calls, and
// fails its test if a call comes at the wrong time. The fields belong to the loop.
type Datagrams struct {
	T testing.TB

	Transport *protocol.DatagramTransport // set by ConnectionMade
	Calls     []string                    // except DatagramReceived and ErrorReceived
	Received  []string                    // the data of the datagrams
	Errors    []error                     // of ErrorReceived
	Err       error                       // of ConnectionLost

	// DatagramReceived calls OnReceived if it is not nil.
	OnReceived func(p netio.Packet)

	made, lost, paused bool

	waiters task.WaitQueue
}

// Until waits until ok returns true. It calls ok again after each call of the protocol.
func (d *Datagrams) Until(ctx context.Context, ok func() bool) error {
	for !ok() {
		if err := d.waiters.Wait(ctx, task.Text("a call of the protocol")); err != nil {
			return err
		}
	}
	return nil
}

// UntilLost waits for ConnectionLost.
func (d *Datagrams) UntilLost(ctx context.Context) error {
	return d.Until(ctx, func() bool { return d.lost })
}

// Lost reports whether ConnectionLost was called.
func (d *Datagrams) Lost() bool { return d.lost }

// Paused reports whether writing is paused: between PauseWriting and ResumeWriting.
func (d *Datagrams) Paused() bool { return d.paused }

func (d *Datagrams) enter(call string) {
	d.T.Helper()
	if !d.made && call != "ConnectionMade" {
		d.T.Errorf("%s before ConnectionMade", call)
	}
	if d.lost {
		d.T.Errorf("%s after ConnectionLost", call)
	}
	d.waiters.WakeAll()
}

// ConnectionMade and the methods below implement protocol.DatagramProtocol.
func (d *Datagrams) ConnectionMade(t *protocol.DatagramTransport) {
	d.enter("ConnectionMade")
	if d.made {
		d.T.Error("ConnectionMade twice")
	}
	d.made, d.Transport = true, t
	d.Calls = append(d.Calls, "ConnectionMade")
}

func (d *Datagrams) DatagramReceived(p netio.Packet) {
	d.enter("DatagramReceived")
	d.Received = append(d.Received, string(p.Data))
	if d.OnReceived != nil {
		d.OnReceived(p)
	}
}

func (d *Datagrams) ErrorReceived(err error) {
	d.enter("ErrorReceived")
	d.Errors = append(d.Errors, err)
}

func (d *Datagrams) PauseWriting()  { d.flow("PauseWriting", true) }
func (d *Datagrams) ResumeWriting() { d.flow("ResumeWriting", false) }

func (d *Datagrams) flow(call string, paused bool) {
	d.enter(call)
	if d.paused == paused {
		d.T.Errorf("%s twice", call)
	}
	d.paused = paused
	d.Calls = append(d.Calls, call)
}

func (d *Datagrams) ConnectionLost(err error) {
	d.enter("ConnectionLost")
	d.lost, d.Err = true, err
	d.Calls = append(d.Calls, "ConnectionLost")
}
