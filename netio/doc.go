// SPDX-License-Identifier: Apache-2.0

// Package netio connects, listens, serves, reads and writes. Its calls wait by parking the
// calling task: they never block the loop.
//
// This program sends back every byte that it receives, until Ctrl-C:
//
//	package main
//
//	import (
//		"context"
//
//		"baton/netio"
//		"baton/task"
//	)
//
//	func main() { task.Main(serve) }
//
//	func serve(ctx context.Context) error {
//		return netio.Serve(ctx, "tcp", "localhost:7000", echo)
//	}
//
//	func echo(ctx context.Context, s *netio.Stream) error {
//		_, err := netio.Copy(ctx, s, s)
//		return err
//	}
//
// # Streams
//
// A [Stream] is one connection. [Dial] connects and returns a stream. [Listen] returns a
// [Listener], whose Accept returns a stream for each new connection. [Serve] listens,
// accepts, and runs a handler as a task for each connection.
//
// To read, call Read, ReadFull, ReadAll, ReadLine, Lines or ReadUntil. To write, call
// Write, WriteBuffers, [Copy] or [Stream.SendFile].
//
// [Stream.StartTLS] and [Stream.AcceptTLS] encrypt a stream, with a tls.Config. [DialTLS]
// and the TLS field of a [Server] encrypt connections from the start. All calls work on an
// encrypted stream.
//
// For code that expects the types of package net there are [Stream.NetConn],
// [Listener.NetListener], [PacketConn.NetPacketConn] and [Dialer.DialFunc].
//
// # Servers
//
// [Server.Shutdown], or a cancel of the ctx of [Serve], ends a server gracefully. The server
// stops accepting and gives its handlers time to finish: Server.Grace, by default 30 s. Then
// it cancels the handlers that are left and resets their connections. [Server.Close] does so
// at once. A handler that waits for its next request under the context of [UntilShutdown]
// learns immediately that the server ends.
//
// # Other sockets
//
// A [PacketConn] is a datagram socket, UDP or UNIX. [ListenPacket] returns one that
// receives from all peers, and [DialPacket] one with a single peer.
//
// [FileListener], [FileStream] and [FilePacketConn] use sockets that were opened elsewhere:
// by [SystemdFiles], by a parent process, or by package net. [Stream.WriteFiles] and
// [Stream.ReadFiles] pass open files over a UNIX socket. [AdoptSocket] returns a [Socket],
// for system calls on a socket that the caller owns.
//
// A [Resolver] looks up names and DNS records. The Resolver field of a [Dialer],
// [ListenConfig] or [PacketConfig] accepts any [HostResolver].
//
// # Who may call what
//
// A call that takes a ctx may switch to other tasks. A call that takes no ctx never does,
// except the methods of a net.Conn, net.PacketConn or net.Listener of this package.
//
// Streams, sockets, listeners and servers belong to the loop of the task that made them.
// Tasks and callbacks of that loop may use them, and no other goroutine may. Other goroutines
// use the values of package net that [Stream.NetConn] and similar methods return.
//
// One task at a time reads from a stream, and one writes to it. A second reader or writer
// gets a [*BusyError] that names both tasks.
//
// A call owns its buffer until it returns, even after a cancel or a timeout. Until then the
// caller must not touch a buffer that is read into, and must not change a buffer that is
// written.
//
// # Errors
//
// An error of the network or the system is a [*net.OpError] around the kernel's error.
// errors.Is finds, for example, syscall.ECONNREFUSED, os.ErrDeadlineExceeded and
// net.ErrClosed in it. These errors come without a [*net.OpError]:
//
//   - io.EOF at the end of a stream, and io.ErrUnexpectedEOF in the middle of a message;
//   - [*task.Canceled] after a cancel;
//   - [*BusyError] and [*LeftError];
//   - ErrTooLong, wrapped with the name of the call.
//
// A timeout is not a cancel: its error is os.ErrDeadlineExceeded.
//
// After a timeout or a cancel the stream stays open and usable, and no byte is lost. The
// call returns what it has read, or how many bytes it has written. A call that returns no
// part, such as ReadLine, leaves the bytes in the stream for the next call. Only
// [Stream.StartTLS] and [Stream.AcceptTLS] close the stream.
//
// # Limits
//
// Memory does not grow with a slow peer, because Write returns only when the kernel has
// taken the bytes. Reading ahead is limited by the LineLimit. Look-ups and the end of a
// server take a limited time. A call that moves much data without waiting yields to other
// tasks after 256 KiB.
package netio
