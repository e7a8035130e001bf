// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/internal/porttest"
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
	p.plain, _ = porttest.Reserve(t)
	p.secure, _ = porttest.Reserve(t)
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
