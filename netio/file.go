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

// FileListener returns a listener on the socket in f. It is ListenConfig{}.FileListener.
func FileListener(ctx context.Context, f *os.File) (*Listener, error) {
	return ListenConfig{}.FileListener(ctx, f)
}

// FileListener returns a listener on the socket in f, like net.FileListener. The socket may
// be inherited, come from [SystemdFiles], or be the File of a *net.TCPListener or
// *net.UnixListener. It must already listen. Of c only Stream is used.
//
// The caller keeps f and must close it. Closing f does not affect the listener, and closing
// the listener does not affect f. If others accept from the same socket, each connection
// goes to one of them. Close does not remove the file of a UNIX socket.
//
// FileListener makes the socket non-blocking, for all processes that share it. The socket
// must stay non-blocking: otherwise an Accept that loses a connection to another process
// blocks the whole loop. The method Fd makes a file from net.TCPListener.File or
// net.UnixListener.File blocking again, and package os/exec calls Fd for ExtraFiles. So pass
// the files of [Listener.Files] to child processes, and not such a file.
//
// Errors are [*net.OpError] with Op "file". In a simulated world the error is
// errors.ErrUnsupported.
func (c ListenConfig) FileListener(ctx context.Context, f *os.File) (*Listener, error) {
	r, h, err := importHandle(ctx, f, poll.Accept, c.Stream.socketOptions())
	if err != nil {
		return nil, err
	}
	l := &Listener{loop: r.Loop(), network: h.LocalAddr().Network(), config: c.Stream}
	l.append(h)
	return l, nil
}

// FileStream returns a stream of the connected socket in f. It is
// StreamConfig{}.FileStream.
func FileStream(ctx context.Context, f *os.File) (*Stream, error) {
	return StreamConfig{}.FileStream(ctx, f)
}

// FileStream returns a stream of the connected socket in f, TCP or UNIX, like net.FileConn.
// The caller keeps f and must close it; the connection ends when both are closed. Errors
// are those of [ListenConfig.FileListener].
func (c StreamConfig) FileStream(ctx context.Context, f *os.File) (*Stream, error) {
	r, h, err := importHandle(ctx, f, poll.Read, c.socketOptions())
	if err != nil {
		return nil, err
	}
	return newStream(r.Loop(), h, c), nil
}

// FilePacketConn returns a PacketConn of the socket in f. It is
// PacketConfig{}.FilePacketConn.
func FilePacketConn(ctx context.Context, f *os.File) (*PacketConn, error) {
	return PacketConfig{}.FilePacketConn(ctx, f)
}

// FilePacketConn returns a PacketConn of the datagram socket in f, like net.FilePacketConn.
// The caller keeps f and must close it. Of c only the timeouts are used. Errors are those
// of [ListenConfig.FileListener].
func (c PacketConfig) FilePacketConn(ctx context.Context, f *os.File) (*PacketConn, error) {
	r, h, err := importHandle(ctx, f, poll.Receive, poll.SocketOptions{})
	if err != nil {
		return nil, err
	}
	conn := &PacketConn{loop: r.Loop(), handle: h, network: h.LocalAddr().Network()}
	conn.setPeer()
	conn.start(c)
	return conn, nil
}

// importHandle makes a handle of the socket in f, for operations of kind: see
// poll.Importer.
func importHandle(ctx context.Context, f *os.File, kind poll.Kind, o poll.SocketOptions) (*task.Ref, poll.Handle, error) {
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

// Network and String implement net.Addr.
func (fileAddr) Network() string  { return "file+net" }
func (a fileAddr) String() string { return string(a) }
