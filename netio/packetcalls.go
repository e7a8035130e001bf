// SPDX-License-Identifier: Apache-2.0

package netio

import "context"

// Receive waits for a datagram and returns it. Its Data is the beginning of buf. If the
// datagram is longer than buf, Receive cuts it off and sets Truncated. An empty datagram is
// legal and does not mean the end.
//
// If the machine of a connected socket's peer has refused an earlier datagram, Receive
// returns ECONNREFUSED once. The socket stays usable.
func (c *PacketConn) Receive(ctx context.Context, buf []byte) (Packet, error) {
	d := &c.in
	if err := d.begin(ctx); err != nil {
		return Packet{}, err
	}
	defer d.release()
	return d.receive(ctx, buf)
}

// receive implements Receive for the user of d.
func (d *packetDirection) receive(ctx context.Context, buf []byte) (Packet, error) {
	// The sender's name is often the same as before. Then it costs no new string.
	d.one[0] = Packet{Data: buf[:len(buf):len(buf)], Name: d.last}
	if _, err := d.do(ctx, d.one[:]); err != nil {
		return Packet{}, err
	}
	d.last = d.one[0].Name
	return d.one[0], nil
}

// ReceiveBatch waits for a datagram, and receives as many as are available, up to
// len(packets). It stores each one in the Data of its packet, up to the capacity of Data. n
// is the number of datagrams received, also if err is not nil.
func (c *PacketConn) ReceiveBatch(ctx context.Context, packets []Packet) (n int, err error) {
	if err := c.in.begin(ctx); err != nil {
		return 0, err
	}
	defer c.in.release()
	return c.in.do(ctx, packets)
}

// Send sends a datagram to p.Addr, or to p.Name on a UNIX socket, and waits until the
// kernel has taken it. On a connected socket both must be empty or the peer; otherwise the
// error is net.ErrWriteToConnected. A datagram may be empty. The network may lose it.
//
// A UDP datagram is sent from p.Local, an address of this machine, and with the mark p.ECN.
// If p.Local is not valid or is a group, the system chooses the address; if p.ECN is 0, it
// chooses the mark. So a received packet can be sent back unchanged: the answer comes from
// the address that the peer has sent to. If the system does not support this choice, the
// error is errors.ErrUnsupported, and Receive leaves both fields zero.
//
// On a connected socket ECONNREFUSED means that the peer's machine has refused an earlier
// datagram, and that this one was not sent. If a task is receiving, that task gets the
// error instead.
func (c *PacketConn) Send(ctx context.Context, p Packet) error {
	d := &c.out
	if err := d.begin(ctx); err != nil {
		return err
	}
	defer d.release()
	d.one[0] = p
	_, err := d.send(ctx, d.one[:])
	return err
}

// SendBatch sends the packets in order, each like Send. n is the number of packets sent;
// the error, if any, is that of the next packet. If a packet's peer differs from the
// socket's, SendBatch sends nothing.
func (c *PacketConn) SendBatch(ctx context.Context, packets []Packet) (n int, err error) {
	if err := c.out.begin(ctx); err != nil {
		return 0, err
	}
	defer c.out.release()
	return c.out.send(ctx, packets)
}

// send implements SendBatch for the user of d.
func (d *packetDirection) send(ctx context.Context, packets []Packet) (int, error) {
	c := d.conn
	for i := range packets {
		if err := c.check(&packets[i]); err != nil {
			return 0, err
		}
	}
	return d.do(ctx, packets)
}
