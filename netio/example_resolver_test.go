// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"baton/netio"
	"baton/task"
)

// A table looks up hosts in memory, and all other hosts as the system does.
type table map[string][]netip.Addr

func (t table) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if addrs, ok := t[host]; ok {
		return addrs, nil
	}
	return netio.Resolver{}.LookupNetIP(ctx, network, host)
}

// Listen and Dial look up hosts in a table. They drop addresses of other families, and
// repetitions.
func ExampleHostResolver() {
	hosts := table{"service.test": {netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.ListenConfig{Resolver: hosts}.Listen(ctx, "tcp4", "service.test:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		_, port, err := net.SplitHostPort(ln.Addr().String())
		if err != nil {
			return err
		}
		s, err := netio.Dialer{Resolver: hosts}.Dial(ctx, "tcp4", net.JoinHostPort("service.test", port))
		if err != nil {
			return err
		}
		fmt.Println(s.RemoteAddr().(*net.TCPAddr).IP)
		return s.Close()
	})
	fmt.Println(err)
	// Output:
	// 127.0.0.1
	// <nil>
}

// A Resolver asks a name server that the program chooses. Here the server is a task of the
// same loop, because a look-up does not block the loop.
func ExampleResolver() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		socket, err := netio.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer socket.Close()
		example().serveUDP(ctx, socket) // a small name server

		r := netio.Resolver{
			Timeout: 5 * time.Second,
			Net: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer // called on another goroutine
				return d.DialContext(ctx, network, socket.LocalAddr().String())
			}},
		}
		texts, err := r.LookupTXT(ctx, "host.test.")
		if err != nil {
			return err
		}
		fmt.Println(texts)
		_, servers, err := r.LookupSRV(ctx, "chat", "tcp", "test.")
		if err != nil {
			return err
		}
		for _, s := range servers {
			fmt.Println(s.Target, s.Port)
		}
		names, err := r.LookupAddr(ctx, "192.0.2.1")
		fmt.Println(names, err)
		_, err = r.LookupMX(ctx, "no-such-name.test.")
		fmt.Println(err.(*net.DNSError).IsNotFound)
		return nil
	})
	fmt.Println(err)
	// Output:
	// [helloworld bye]
	// mail.test. 81
	// host.test. 80
	// [host.test.] <nil>
	// true
	// <nil>
}
