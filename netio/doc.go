// SPDX-License-Identifier: Apache-2.0

// Package netio moves bytes: it connects, listens, serves, reads and writes,
// in calls that park the task and never the loop.
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
// A [Stream] is one end of a connection. [Dial] makes one; [Listen] makes a
// [Listener], whose Accept makes one for each connection that comes; [Serve] does
// both for a handler, with a task for each connection. Bytes come by Read,
// ReadFull, ReadAll, ReadUntil and, line by line, Lines, and go by Write, [Copy] and,
// from a file, [Stream.SendFile]; [Stream.NetConn] is for code that wants a net.Conn,
// [Dialer.DialFunc] for code that wants to dial, and [Listener.NetListener] for code that
// wants to accept.
//
// A cancel of Serve's ctx, or [Server.Shutdown], ends a server gracefully: handlers have
// 30 s to finish. A handler that reads its next request under the context of
// [UntilShutdown] learns at once that the server ends. [Server.Close] does not wait.
//
// [Stream.StartTLS] and [Stream.AcceptTLS] encrypt a stream, with a tls.Config;
// [DialTLS] and the TLS of a [Server] do it from the start. Every call works on an
// encrypted stream as on a plain one.
//
// [FileListener], [FileStream] and [FilePacketConn] are for sockets that were opened
// elsewhere: by [SystemdFiles], by a parent process, or by package net.
// [Stream.WriteFiles] and [Stream.ReadFiles] pass open files over a UNIX socket.
//
// A [PacketConn] is a socket of datagrams, of UDP or UNIX: [ListenPacket] makes one
// that hears all peers, [DialPacket] one that has a single peer. Receive brings a
// [Packet] with its source, and Send takes one with its destination.
//
// A [Resolver] looks up names, and what DNS knows about them. The Resolver field of a
// [Dialer], [ListenConfig] or [PacketConfig] takes a [HostResolver] of the program's own.
//
// A [Socket] is for system calls on a socket of the caller's own, made by
// [AdoptSocket].
//
// # Who may call what
//
// A call that takes a ctx may switch to other tasks; one that takes none never
// does. Streams, sockets, listeners and servers belong to the loop of the task that
// made them: its tasks and callbacks may use them, and no other goroutine, except
// through [Stream.NetConn], [Dialer.DialFunc], [Listener.NetListener] or
// [PacketConn.NetPacketConn]. One task at a time reads from a stream and one writes to
// it; the next one gets a [*BusyError] that names both.
//
// # Errors
//
// What the world does wrong is a [*net.OpError] around the kernel's own error, so
// errors.Is finds syscall.ECONNREFUSED, os.ErrDeadlineExceeded and net.ErrClosed.
// Two kinds come bare, because callers compare them: the end of a stream, io.EOF or
// in the middle of something io.ErrUnexpectedEOF, and the [*task.Canceled] of a
// cancel. So do those that are not the world's: [*BusyError], [*LeftError], and,
// with some words around it, ErrTooLong. A timeout is no cancel: it is
// os.ErrDeadlineExceeded and leaves the stream as it was.
//
// # Limits
//
// Everything is bounded: Write returns when the kernel has taken the bytes, so
// memory does not grow with a slow peer; reading ahead has a limit; look-ups, and
// the end of a server, take a bounded time; and a call that moves much without a
// wait gives way to others after 256 KiB. What a call has read or written
// before it was cancelled, or timed out, is never lost.
package netio
