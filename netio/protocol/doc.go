// SPDX-License-Identifier: Apache-2.0

// Package protocol is the callback style of PEP 3156: transports and protocols.
//
// A [Transport] is one end of a connection. A protocol is the user's side of it: the
// transport calls its methods when something has happened. [Connect] makes a transport
// and its protocol, and [CreateServer] makes one of each for every connection that it
// accepts. [ListenPacket] and [DialPacket] do that for datagrams.
//
// The methods of a protocol are callbacks. They run on the loop's goroutine, one at a
// time, and must not switch. Their order is always the same:
//
//	ConnectionMade  once
//	DataReceived    any number of times; or GetBuffer and BufferUpdated, or Receive
//	EOFReceived     at most once
//	ConnectionLost  once, the last call
//
// PauseWriting and ResumeWriting come in turn, between ConnectionMade and
// ConnectionLost. A protocol that wants to switch is a [Receiver]: its Receive has a
// ctx and runs as a task.
//
// An idle connection has no goroutine, and on Linux no buffer, unless it is that of a
// [BufferedProtocol]; TLS keeps some memory of its own. That is what this style is for.
// Where memory does not matter, a stream of package netio is simpler. Both can be had
// for one connection, one after the other: see [Transport.Detach] and [Attach].
//
// A transport belongs to the scope of the ctx that it was made under. A cancel of the
// scope aborts the transport, and the scope does not end before ConnectionLost.
package protocol
