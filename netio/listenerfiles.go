// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"os"

	"baton/loop/poll"
)

// Files returns duplicates of the sockets of l as files, one for each address, in the order
// of Addrs. They are for child processes that accept from the same sockets (pre-forking):
// put them into the ExtraFiles of a process.Cmd or exec.Cmd, and call [FileListener] for
// each of them in the child. The caller must close the files. No child inherits them in
// another way. Closing l does not affect the files, and closing the files does not affect l.
//
// The sockets stay non-blocking for all processes that share them. The Fd method of the
// files, which package os/exec calls, does not change that. [FileListener] says why it
// matters.
//
// As long as a process has one of the sockets open, the kernel accepts connections to it,
// and the address is in use. Close of l removes the file of a UNIX socket, while Close of a
// listener of [FileListener] does not. If the children go on after the Close of l, set
// [ListenConfig.KeepFile].
//
// Errors are [*net.OpError] of the operation "file", and nothing is open then:
// net.ErrClosed if l is closed, errors.ErrUnsupported in a simulated world and on systems
// that are not UNIX.
func (l *Listener) Files() ([]*os.File, error) {
	mustHold(l.loop, "Listener.Files", l)
	var files []*os.File
	for _, s := range l.sockets {
		f, err := duplicateOf(s.op.Handle)
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, l.opError("file", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// duplicateOf returns a duplicate of the socket of h. Its name is the address of h.
func duplicateOf(h poll.Handle) (f *os.File, err error) {
	c, ok := h.(poll.Controller)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	addr := h.LocalAddr()
	outer := c.Control(func(fd uintptr) { f, err = duplicate(fd, addr.Network()+":"+name(addr)) })
	if outer != nil {
		return nil, outer
	}
	return f, err
}
