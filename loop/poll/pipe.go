// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"net"
	"os"
)

// A PipeImporter is a Poller that creates handles for pipes and terminals that other code
// opened. It is optional: use a type assertion on the Poller.
type PipeImporter interface {
	Poller

	// ImportPipe creates a handle for the pipe, named pipe, terminal or other character
	// device in f; f still belongs to the caller. A connected stream socket is imported as
	// by [Importer]. For any other file, ImportPipe returns EINVAL and changes nothing.
	// name is the LocalAddr and RemoteAddr of the handle. Errors are not wrapped.
	//
	// kind is the direction of the handle: Read or Write. If the file was not opened for
	// that direction, the error is EBADF. A Read of a handle for writing completes with
	// io.EOF when the reader has gone. CloseWrite of a handle for writing closes the
	// descriptor; a later Write fails with EPIPE. CloseWrite of a handle for reading does
	// nothing.
	//
	// If possible, the handle opens the file again (open(2)), so that O_NONBLOCK is not set
	// for other users of f. This works for pipes and terminals on Linux, if /proc is
	// mounted and the file may be opened again. Otherwise O_NONBLOCK is set for all users
	// of f, and stays set.
	ImportPipe(f *os.File, kind Kind, name net.Addr) (Handle, error)
}
