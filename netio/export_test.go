// SPDX-License-Identifier: Apache-2.0

package netio

import "net"

// failingSocket is a socket whose system calls fail at first.
type failingSocket struct {
	rawSocket
	errs     []error
	connects int
}

// FailNext makes the next receives, sends and accepts of s fail with errs, one error per call,
// before they reach the kernel. A connect reaches the kernel and then fails. FailNext returns a
// pointer to the number of connects.
func FailNext(s *Socket, errs ...error) (connects *int) {
	d := &failingSocket{rawSocket: s.raw, errs: errs}
	s.raw = d
	return &d.connects
}

func (d *failingSocket) next() error {
	if len(d.errs) == 0 {
		return nil
	}
	err := d.errs[0]
	d.errs = d.errs[1:]
	return err
}

func (d *failingSocket) receive(p []byte) (int, error) {
	if err := d.next(); err != nil {
		return 0, err
	}
	return d.rawSocket.receive(p)
}

func (d *failingSocket) send(p []byte) (int, error) {
	if err := d.next(); err != nil {
		return 0, err
	}
	return d.rawSocket.send(p)
}

func (d *failingSocket) connect(to net.Addr) error {
	d.connects++
	err := d.rawSocket.connect(to)
	if disturbance := d.next(); disturbance != nil {
		return disturbance
	}
	return err
}

func (d *failingSocket) accept() (uintptr, net.Addr, error) {
	if err := d.next(); err != nil {
		return 0, nil, err
	}
	return d.rawSocket.accept()
}
