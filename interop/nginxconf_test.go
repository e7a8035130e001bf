// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nginxFrame is the common part of all configurations of nginx. Nginx runs as one process of the
// current user.
const nginxFrame = `
daemon off;
master_process off;
pid DIR/pid;
error_log stderr notice;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	client_max_body_size 0;
	ssl_certificate CERT;
	ssl_certificate_key KEY;
%s
}
`

// An nginxProcess is a running nginx.
type nginxProcess struct {
	dir           string
	plain, secure string // the addresses PLAIN and SECURE of its configuration
	behind        string // the address of our server, if there is one
}

// startNginx starts nginx with the servers and upstreams of a configuration, and waits until nginx
// listens. In the configuration, DIR stands for a new directory, and PLAIN and SECURE for
// addresses of 127.0.0.1. Pairs are more such names, each with its value.
func startNginx(t *testing.T, id *identity, conf string, pairs ...string) nginxProcess {
	t.Helper()
	p := nginxProcess{dir: dir(t)}
	file := filepath.Join(p.dir, "conf")
	p.plain, p.secure = reserve(t), reserve(t)
	names := append(pairs, "DIR", p.dir, "PLAIN", p.plain, "SECURE", p.secure, "CERT", id.certFile, "KEY", id.keyFile)
	text := strings.NewReplacer(names...).Replace(fmt.Sprintf(nginxFrame, conf))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := nginx.start(t, "-p", p.dir, "-c", file, "-e", "stderr").hear("nginx/") // printed when nginx listens
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// reserve returns an address of 127.0.0.1 for a server that cannot choose one itself. Until the end
// of the test the kernel gives the port to no socket that does not ask for it. On Linux, a socket
// that is bound with SO_REUSEADDR and does not listen does not stop a server with that option.
func reserve(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", address.(*syscall.SockaddrInet4).Port)
}
