// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"net"
	"os"
)

// A PipeImporter is a Poller that makes handles of pipes and terminals which were opened
// elsewhere. That is optional: callers ask the Poller for the interface.
type PipeImporter interface {
	Poller

	// ImportPipe makes a handle of the pipe, named pipe, terminal or other character
	// device in f; f stays the caller's. A connected stream socket is imported as by
	// [Importer]. Every other file is EINVAL, and nothing was changed in it. Name is the
	// LocalAddr and RemoteAddr of the handle. Errors are bare.
	//
	// Kind is Read or Write, the direction of the handle; a file that was not opened for
	// it is EBADF. A Read of a handle that writes waits until the reader has gone, and
	// its Err is io.EOF. CloseWrite of such a handle closes the descriptor; a Write after
	// it fails with EPIPE. CloseWrite of a handle that reads does nothing.
	//
	// If possible, the handle has an open file of its own (open(2)), so that O_NONBLOCK
	// is not set for others who share f. That is so for pipes and terminals on Linux,
	// where /proc is mounted and the file may be opened again. Otherwise O_NONBLOCK is
	// set for all, and nothing sets it back.
	ImportPipe(f *os.File, kind Kind, name net.Addr) (Handle, error)
}
