// SPDX-License-Identifier: Apache-2.0

package poll

import "os"

// An Importer is a Poller that creates handles for sockets that other code opened. It is
// optional: use a type assertion on the Poller.
type Importer interface {
	Poller

	// Import creates a handle for a duplicate of the socket in f; f still belongs to the
	// caller. kind says what the socket is for: Accept for a listener, Read for a connected
	// stream, Receive for datagrams. Import returns EINVAL for any other socket, and
	// errors.ErrUnsupported for a protocol that the poller does not know. Import makes the
	// socket non-blocking, also for other users of the same socket. A file in the file
	// system that belongs to the socket is neither used nor removed.
	//
	// opts.KeepAlive applies to the stream, or to the streams that the listener accepts.
	// opts.Control is not called. Errors are not wrapped.
	Import(f *os.File, kind Kind, opts SocketOptions) (Handle, error)
}
