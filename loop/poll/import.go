// SPDX-License-Identifier: Apache-2.0

package poll

import "os"

// An Importer is a Poller that makes handles of sockets which were opened elsewhere.
// That is optional: callers ask the Poller for the interface.
type Importer interface {
	Poller

	// Import makes a handle of a duplicate of the socket in f; f stays the caller's.
	// kind says what the socket is for: Accept for a listener, Read for a stream that
	// is connected, Receive for datagrams. For another socket the error is EINVAL, and
	// for a protocol that the poller does not know it is errors.ErrUnsupported. From
	// then on the socket does not block, also for others who share it. A file of the
	// file system that belongs to it is neither used nor removed.
	//
	// KeepAlive is for the stream, or for those that the listener accepts. Control is
	// not called. Errors are bare.
	Import(f *os.File, kind Kind, opts SocketOptions) (Handle, error)
}
