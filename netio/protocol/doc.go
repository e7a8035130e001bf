// SPDX-License-Identifier: Apache-2.0

// Package protocol provides the callback style of PEP 3156: transports and protocols.
//
// A [Transport] is one end of a connection. A protocol is the code of the user: the transport calls
// its methods when something has happened. This program is an echo server:
//
//	package main
//
//	import (
//		"context"
//
//		"baton/netio/protocol"
//		"baton/task"
//	)
//
//	type echo struct{ transport *protocol.Transport }
//
//	func (e *echo) ConnectionMade(t *protocol.Transport) { e.transport = t }
//	func (e *echo) DataReceived(data []byte)             { e.transport.Write(data) }
//	func (e *echo) ConnectionLost(err error)             {}
//
//	func main() { task.Main(serve) }
//
//	func serve(ctx context.Context) error {
//		srv, err := protocol.CreateServer(ctx, "tcp", "localhost:7000",
//			func() protocol.Base { return &echo{} })
//		if err != nil {
//			return err
//		}
//		return srv.Wait(ctx)
//	}
//
// [Connect] makes a transport and its protocol for one connection. [CreateServer] makes them for
// each connection that it accepts. [ListenPacket] and [DialPacket] do so for datagrams.
//
// The methods of a protocol are callbacks: the loop calls them one at a time, and they must not
// switch. The order of the calls is always the same:
//
//	ConnectionMade  once, the first call
//	DataReceived    any number of times; or GetBuffer and BufferUpdated, or Receive
//	EOFReceived     at most once
//	ConnectionLost  once, the last call
//
// PauseWriting and ResumeWriting alternate between ConnectionMade and ConnectionLost. A protocol
// that needs to switch is a [Receiver]: its method Receive runs as a task and has a ctx.
//
// Use this style to save memory per connection. An idle connection has no goroutine. On Linux it
// has no buffer either, except the buffer of a [BufferedProtocol] and some memory for TLS. In other
// programs, a stream of package netio is simpler. [Transport.Detach] and [Attach] change the style
// of an open connection.
//
// A transport belongs to the scope of the ctx that it was made with. A cancel of the scope aborts
// the transport. The scope does not end before ConnectionLost has returned.
package protocol
