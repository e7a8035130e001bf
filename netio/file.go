// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"os"

	"baton/loop/poll"
	"baton/task"
)

// FileListener returns a listener on the socket in f. It is
// ListenConfig{}.FileListener.
func FileListener(ctx context.Context, f *os.File) (*Listener, error) {
	return ListenConfig{}.FileListener(ctx, f)
}

// FileListener returns a listener on the socket in f, as net.FileListener does: one
// that was inherited, that [SystemdFiles] returns, or the File of a *net.TCPListener or
// *net.UnixListener. f stays the caller's, who closes it; that does not affect the
// listener, and closing the listener does not affect f. Connections go to one of those
// that accept from the socket. The socket must listen already; of the config, only
// Stream counts. The file of a UNIX socket is not removed.
//
// FileListener makes the socket non-blocking, for all processes that share it. The socket
// must stay so: if it blocks, an accept that comes too late for a connection blocks the
// whole loop until the next connection. Fd of a file that File of a *net.TCPListener or
// *net.UnixListener returns makes the socket blocking again, and package os/exec calls Fd
// for ExtraFiles. So do not pass such a file to a second child while a first one accepts.
// Pass the files of [Listener.Files].
//
// Errors are [*net.OpError] of the operation "file"; in a virtual world it is
// errors.ErrUnsupported.
func (c ListenConfig) FileListener(ctx context.Context, f *os.File) (*Listener, error) {
	r, h, err := imported(ctx, f, poll.Accept, c.Stream.socketOptions())
	if err != nil {
		return nil, err
	}
	l := &Listener{loop: r.Loop(), network: h.LocalAddr().Network(), config: c.Stream}
	l.append(h)
	return l, nil
}

// FileStream returns a stream on the connected socket in f. It is
// StreamConfig{}.FileStream.
func FileStream(ctx context.Context, f *os.File) (*Stream, error) {
	return StreamConfig{}.FileStream(ctx, f)
}

// FileStream returns a stream on the connected socket in f, of TCP or UNIX, as
// net.FileConn does. f stays the caller's, who closes it; the connection ends when both
// are closed. Errors are those of [ListenConfig.FileListener].
func (c StreamConfig) FileStream(ctx context.Context, f *os.File) (*Stream, error) {
	r, h, err := imported(ctx, f, poll.Read, c.socketOptions())
	if err != nil {
		return nil, err
	}
	return newStream(r.Loop(), h, c), nil
}

// FilePacketConn returns a PacketConn on the socket in f. It is
// PacketConfig{}.FilePacketConn.
func FilePacketConn(ctx context.Context, f *os.File) (*PacketConn, error) {
	return PacketConfig{}.FilePacketConn(ctx, f)
}

// FilePacketConn returns a PacketConn on the socket of datagrams in f, as
// net.FilePacketConn does. f stays the caller's, who closes it. Of the config, only the
// timeouts count. Errors are those of [ListenConfig.FileListener].
func (c PacketConfig) FilePacketConn(ctx context.Context, f *os.File) (*PacketConn, error) {
	r, h, err := imported(ctx, f, poll.Receive, poll.SocketOptions{})
	if err != nil {
		return nil, err
	}
	conn := &PacketConn{loop: r.Loop(), handle: h, network: h.LocalAddr().Network()}
	conn.setPeer()
	conn.start(c)
	return conn, nil
}

// imported makes a handle of the socket in f, for kind: see [poll.Importer].
func imported(ctx context.Context, f *os.File, kind poll.Kind, o poll.SocketOptions) (*task.Ref, poll.Handle, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, nil, err
	}
	var h poll.Handle
	err = errors.ErrUnsupported
	if importer, ok := r.Loop().Poller().(poll.Importer); ok {
		h, err = importer.Import(f, kind, o)
	}
	if err != nil {
		return nil, nil, &net.OpError{Op: "file", Net: "file+net", Addr: fileAddr(f.Name()), Err: err}
	}
	return r, h, nil
}

// A fileAddr is the name of a file as a net.Addr, for errors.
type fileAddr string

// Network and String make it a net.Addr.
func (fileAddr) Network() string  { return "file+net" }
func (a fileAddr) String() string { return string(a) }
