// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || freebsd

// Package examples_test runs every example as a process, with real sockets. The tests of an
// example check its details, in a simulated world.
package examples_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sigint  = syscall.SIGINT
	sigterm = syscall.SIGTERM
	loop4   = `127\.0\.0\.1:\d+`
)

// scenarios has a row for each run. {http} is a web site, at {host}:{port}. {dir} is a
// directory. {stalls} is a URL of the site that has no answer.
var scenarios = []scenario{
	{"cachesvr", []program{
		{command: "cachesvr --host 127.0.0.1 --port 0", ready: `socket 127.0.0.1:(?P<port>\d+)`, signal: sigterm,
			stderr: `.*got a connection from ` + loop4 + `\n.*(end connection|error .*) from ` + loop4 + `\n` +
				`signal: terminated\n`,
			status: 143},
		{command: "cacheclt --host 127.0.0.1 --port {port} --ntasks 2", until: `1 get2 none`, signal: sigint,
			stderr: `.* 0 set true\n.* 0 get hello-0-world\n.* 0 del true\n.*signal: interrupt\n`, status: 130},
	}},
	{"cachesvr with TLS", []program{
		{command: "cachesvr --tls --port 0", ready: `socket \S+:(?P<port>\d+)\n`, certificate: true, signal: sigint,
			stdout: "-----BEGIN .*", stderr: ".*got a connection.*interrupt\n", status: 130},
		{command: "cacheclt --tls --cafile {cafile} --port {port} --ntasks 1", until: `0 get2 none`, signal: sigint,
			stderr: `.* 0 set true\n.*signal: interrupt\n`, status: 130},
	}},
	{"bench_streams", []program{
		{command: "bench_streams -megabytes 1",
			stdout: `(bench_pipes: \d+ buffers by .* seconds \(\d+ MB/sec\)\n){4}(bench_sockets: .* seconds .*\n){4}`},
	}},
	{"child_process", []program{
		{command: "child_process", stdout: `>>> 1\+1\nOUT 2\n.*>>> 1/0\nERR .*division by zero\n.*OUT 5\n`},
	}},
	{"crawl", []program{
		{command: "crawl", stdout: `\*\*\* Report \*\*\*\n.*\nFinished \d+ urls in .* html +\d+\n.*`, stderr: `.*`},
	}},
	{"crawl a site", []program{
		{command: "crawl -v --max_tasks 2 {http}/ ", stderr: `.*`,
			stdout: `.*{http}/ 200 text/html utf-8 \d+ 3/3\n` +
				`{http}/chunked 200 .*{http}/none 404 .*{http}/old 302 redirect {http}/chunked\nFinished 4 urls in .*`},
	}},
	{"crawl is interrupted", []program{
		{command: "crawl -vv {stalls}", until: "fetching {stalls}", signal: sigint,
			stdout: `.*Interrupted: 0 urls in .*`, stderr: `.*signal: interrupt\n`, status: 130},
	}},
	{"curl", []program{
		{command: "curl {http}/old",
			stdout: `{host}:{port} /old http\n{host}:{port} /chunked http\n200 OK\nContent-Type: text/plain.*\n\n` +
				`one chunk, another chunk\n`},
	}},
	{"curl and srv", []program{
		{command: "srv --ssl --port 0 --dir {dir}", ready: `serving on (?P<address>\S+)\n`, certificate: true,
			signal: sigint,
			stdout: "-----BEGIN .*", stderr: `serving on .*GET /page.txt HTTP/1.1\n.*signal: interrupt\n`, status: 130},
		{command: "curl --cafile {cafile} https://{address}/page.txt", stdout: `.* https\n200 OK\n.*\n\nA page\.\n`},
		{command: "curl https://{address}/page.txt", stdout: `.* https\n`, stderr: `.*certificate.*\n`, status: 1},
	}},
	{"echo", []program{
		{command: "echo", listens: "localhost:7000", signal: sigint, stderr: "signal: interrupt\n", status: 130},
		{command: "echo_client --port 7000",
			stdout: `received: "Hello, world"\nreceived: .*\nreceived: "Bye-bye!"\n`},
	}},
	{"echo_client without a server", []program{
		{command: "echo_client --port 1", stderr: ".*connection refused\n", status: 1},
	}},
	{"echo_server", []program{
		{command: "echo_server --port 0", ready: `serving on \S+:(?P<port>\d+)\n`, signal: sigterm,
			stdout: `serving on \S+\n`, stderr: "signal: terminated\n", status: 143},
		{command: "echo_client --port {port}",
			stdout: `received: "Hello, world"\nreceived: .*\nreceived: "Bye-bye!"\n`},
		{command: "echo_client --port {port}",
			stdout: `received: "Hello, world"\nreceived: .*\nreceived: "Bye-bye!"\n`},
	}},
	{"fetch0", []program{
		{command: "fetch0 --host {host} --port {port}", stdout: `<h1>A site</h1>\n.*`,
			stderr: `> GET / HTTP/1.0\n< HTTP/1.0 200 OK\n< .*\n\n`},
	}},
	{"fetch1", []program{
		{command: "fetch1 -v {http}/", stdout: `<h1>A site</h1>\n.*`,
			stderr: `> GET / HTTP/1.0\n< HTTP/1.0 200 OK\n< .*\n\n`},
	}},
	{"fetch2", []program{
		{command: "fetch2 -v {http}/", stdout: `<h1>A site</h1>\n.*`,
			stderr: `\* Connecting to .*\n\* Connected to .*> GET / HTTP/1.1\n.*< HTTP/1.1 200 OK\n< .*\n\n`},
	}},
	{"fetch2 refuses", []program{
		{command: "fetch2 {http}/chunked", stderr: `.*the body is chunked: try fetch3\n`, status: 1},
	}},
	{"fetch3", []program{
		{command: "fetch3 -v {http}/old", stdout: `one chunk, another chunk\n`,
			stderr: `\* Connecting to .*\n\* New connection .*< HTTP/1.1 302 Found\n.*\nredirect to {http}/chunked\n` +
				`.*\* Reusing pooled connection .*`},
	}},
	{"fetch3 and srv", []program{
		{command: "srv --ssl --port 0 --dir {dir}", ready: `serving on (?P<address>\S+)\n`, certificate: true,
			signal: sigterm,
			stdout: "-----BEGIN .*", stderr: `.*signal: terminated\n`, status: 143},
		{command: "fetch1 --cafile {cafile} https://{address}/page.txt", stdout: `A page\.\n`},
		{command: "fetch2 --cafile {cafile} https://{address}/page.txt", stdout: `A page\.\n`},
		{command: "fetch3 --cafile {cafile} https://{address}/sub", stdout: `An index\.\n`,
			stderr: `redirect to \S+/sub/\n`},
	}},
	{"fuzz_as_completed", []program{
		{command: "fuzz_as_completed -seed 1", stdout: `Pass 1\n\.{120}\nPass 2\n\.{20}\nPass 3\n\.{20}\n`},
	}},
	{"hello_callback", []program{
		{command: "hello_callback -n 2", stdout: "(Hello World\n){2}"},
		{command: "hello_callback", until: "Hello World", signal: sigint, stdout: "(Hello World\n)+", status: -1},
	}},
	{"hello_coroutine", []program{
		{command: "hello_coroutine -n 2", stdout: "(Hello World\n){2}"},
		{command: "hello_coroutine", until: "Hello World", signal: sigint, stdout: "(Hello World\n)+",
			stderr: "signal: interrupt\n", status: 130},
	}},
	{"interop_asyncio", []program{
		{command: "interop_asyncio", stdout: `task:      calls a goroutine\n.*\nthe result is 64\n`},
	}},
	{"mpsrv", []program{
		{command: "mpsrv --port 0 --dir {dir}", ready: `serving on (?P<address>\S+)\n(worker \d+ serves\n){2}`,
			signal: sigterm,
			stdout: `serving on .*\n(worker \d+ serves\n){2}(\d+: GET /page\.txt HTTP/1\.0\n){2}`,
			stderr: "signal: terminated\n", status: 143},
		{command: "fetch1 http://{address}/page.txt", stdout: `A page\.\n`},
		{command: "fetch1 http://{address}/page.txt", stdout: `A page\.\n`},
	}},
	{"mpsrv without a directory", []program{
		{command: "mpsrv --port 0 --dir {dir}/none", stderr: "open .*: no such file or directory\n", status: 1},
	}},
	{"qspeed", []program{
		{command: "qspeed", stdout: `\d+\.\d{3} total seconds; \d+\.\d{3} usec per item\.\n`},
	}},
	{"shell", []program{
		{command: "shell -timeout 100ms",
			stdout: `pid: \d+\n.*cat read: "Hello World!"\n\(exit code 0\)\ntimeout! \(100ms\)\n`},
	}},
	{"simple_tcp_server", []program{
		{command: "simple_tcp_server --port 0", stderr: `client task done: task 3 \(main\.handle\)\n`,
			stdout: `> add 1 2\n< 3\n> repeat 5 hello\n< begin\n< 1\. hello\n.*< 5\. hello\n< end\n`},
	}},
	{"sink and source", []program{
		{command: "sink --host 127.0.0.1 --port 0 --maxsize 1000000", ready: `serving \[127.0.0.1:(?P<port>\d+)\]`,
			stderr: `.*sink: received \d+ bytes; total \d+\n.*sink: closing due to too much data\n` +
				`.*sink: stopping server\n.*sink: closed <nil>\n`},
		{command: "source --port {port}", ready: "lost connection",
			stderr: `source: connected to .*source: writing 16384 bytes\n.*source: lost connection .*\n`},
		{command: "source1 --port {port}", ready: "caught",
			stderr: `stream1: connected .*stream1: writing 16384 bytes; total 16384\n.*\nstream1: caught .*\n`},
		{command: "source --stop --port {port}", stderr: `source: connected to .*\nsource: lost connection <nil>\n`},
	}},
	{"sink and source with TLS", []program{
		{command: "sink --tls --port 0", ready: `serving TLS \[\S+?:(?P<port>\d+)[ \]]`, certificate: true,
			signal: sigint,
			stdout: "-----BEGIN .*", stderr: `.*sink: received \d+ bytes; total \d+\n.*signal: interrupt\n`,
			status: 130},
		{command: "source --tls --cafile {cafile} --port {port} --size 10", until: `writing 10 bytes`, signal: sigint,
			stderr: `.*source: writing 10 bytes\n.*signal: interrupt\n`, status: 130},
		{command: "source1 --tls --cafile {cafile} --port {port} --size 10", until: `\[\.\.\.\]`, signal: sigint,
			stderr: `.*stream1: \[\.\.\.\]\n.*signal: interrupt\n`, status: 130},
	}},
	{"source1 stops sink", []program{
		{command: "sink --host 127.0.0.1 --port 0", ready: `serving \[127.0.0.1:(?P<port>\d+)\]`,
			stderr: `.*sink: connection from .*sink: stopping server\nsink: closed <nil>\n`},
		{command: "source1 --stop --port {port}", stderr: `stream1: connected .*\n`},
	}},
	{"srv", []program{
		{command: "srv --port 0 --dir {dir}", ready: `serving on (?P<address>\S+)\n`, signal: sigint,
			stdout: `serving on .*\nGET /page\.txt HTTP/1\.[01]\n.*GET / HTTP/1.1\n.*`,
			stderr: "signal: interrupt\n", status: 130},
		{command: "fetch1 http://{address}/page.txt", ready: "A page", stdout: `A page\.\n`},
		{command: "crawl -v http://{address}/",
			stdout: `.*http://{address}/page.txt 200 text/plain .*http://{address}/sub/ 200 .*`, stderr: `.*`},
	}},
	{"stacks", []program{
		{command: "stacks",
			stdout: `--- before: .*--- during: it waits for a line ---\n` +
				`.*task 2 \(divide\), parked, .*catching .*divide by zero of task 2 \(divide\).*--- after: .*`},
	}},
	{"subprocess_attach_read_pipe", []program{
		{command: "subprocess_attach_read_pipe", stdout: `read = "data"\n`},
	}},
	{"subprocess_attach_write_pipe", []program{
		{command: "subprocess_attach_write_pipe", stdout: `stdout = "data"\n`},
	}},
	{"subprocess_shell", []program{
		{command: "subprocess_shell -blocks 30 -command wc",
			stdout: `(sending 3600 bytes\n(writing was paused for .*\n)?){30}received ".*"\nexit code: 0\n`},
	}},
	{"subprocess_stream", []program{
		{command: "subprocess_stream", stdout: `pid: \d+\n.*cat read: "Hello World!"\n\(exit code 0\)\n`},
	}},
	{"tcp_echo", []program{
		{command: "tcp_echo --server --port 0 --idle 1s", ready: `listening on \S+:(?P<port>\d+)\n`,
			signal: sigint,
			stdout: `Using backend: .*server: connection made\n` +
				`server: data received: This .*server: connection timeout, closing\.\nserver: connection lost: <nil>\n`,
			stderr: "signal: interrupt\n", status: 130},
		{command: "tcp_echo --client --port {port}",
			stdout: `Using backend: .*client: data sent: This .*client: data received: Re: This .*\n` +
				`client: connection lost: <nil>\n`},
	}},
	{"tcp_echo shuts down", []program{
		{command: "tcp_echo --server --port 0", ready: `listening on \S+:(?P<port>\d+)\n`,
			until: "data received", signal: sigterm, early: true,
			stdout: `.*server: shutting down, closing\.\nserver: connection lost: <nil>\n`,
			stderr: "signal: terminated\n", status: 143},
		{command: "tcp_echo --client --port {port}", ready: "Re: This", stdout: `.*client: connection lost: <nil>\n`},
	}},
	{"tcp_echo leaves", []program{
		{command: "tcp_echo --server --port 0", ready: `listening on \S+:(?P<port>\d+)\n`, signal: sigint,
			stdout: `.*server: data received: .*server: connection lost: <nil>\n`, stderr: "signal: interrupt\n",
			status: 130},
		{command: "tcp_echo --client --port {port}", until: "Re: This", signal: sigterm,
			stdout: `.*client: connection lost: .*canceled: signal: terminated\n`, stderr: "signal: terminated\n",
			status: 143},
	}},
	{"tcp_echo, both", []program{
		{command: "tcp_echo --server --client --idle 1s --port 0",
			stdout: `Using backend: .*client: data received: Re: This .*client: connection lost: <nil>\n`},
	}},
	{"tcp_echo, neither", []program{
		{command: "tcp_echo", stderr: `Usage of .*`, status: 2},
	}},
	{"tcp_protocol_parser", []program{
		{command: "tcp_protocol_parser --server --port 0", ready: `serving on \S+:(?P<port>\d+)\n`,
			until: "Connection lost", signal: sigint,
			stdout: `.*Connection made\nMessage received: {kind:ping text:}\n.*Message received: {kind:stop text:}\n` +
				`Connection lost\n`,
			stderr: "signal: interrupt\n", status: 130},
		{command: "tcp_protocol_parser --client --port {port}",
			stdout: `Message received: {kind:pong text:}\n.*stop sent\n`},
	}},
	{"tcp_protocol_parser, both", []program{
		{command: "tcp_protocol_parser --server --client --port 0", stdout: `serving on .*\nConnection lost\n.*`},
	}},
	{"timing_tcp_server", []program{
		{command: "timing_tcp_server --port 0", stderr: `client task done: .*\n`,
			stdout: `> add 1 2\n< 3\n(> repeat \d+ hello world\n< begin\n` +
				`Time taken: [\d.]+ seconds \([\d.]+ per repetition\)\n){10}`},
	}},
	{"udp_echo", []program{
		{command: "udp_echo --server --port 0", ready: `start \S+:(?P<port>\d+)\n`, until: "Data received",
			signal: sigint,
			stdout: `start .*\nData received: This is the message\. .* ` + loop4 + `\nstop .*\n`,
			stderr: "signal: interrupt\n", status: 130},
		{command: "udp_echo --client --port {port}",
			stdout: `sending "This .*received "This is the message\. .*"\nclosing transport <nil>\n`},
	}},
	{"udp_echo, both", []program{
		{command: "udp_echo --server --client --port 0",
			stdout: `start .*received "This .*closing transport <nil>\nstop .*\n`},
	}},
	{"udp_echo without a server", []program{
		{command: "udp_echo --client --port 1",
			stdout: `.*Error received: .*connection refused\nclosing transport <nil>\n`},
	}},
}

// Every scenario prints what its row says.
func TestPrograms(t *testing.T) {
	binaries := build(t)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, binaries, world(t))
		})
	}
}

// Every example of this module has a row. Nested modules and the example compare have their own
// tests.
func TestEveryExampleHasARow(t *testing.T) {
	listed := make(map[string]bool)
	for _, s := range scenarios {
		for _, p := range s.programs {
			listed[strings.Fields(p.command)[0]] = true
		}
	}
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || path == "compare" {
			return fs.SkipDir
		}
		if isProgram(t, path) {
			seen++
			if !listed[filepath.ToSlash(path)] {
				t.Errorf("no scenario of examples_test.go runs %s", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 24 {
		t.Errorf("only %d programs found", seen)
	}
}

// isProgram reports whether a directory has a package main.
func isProgram(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if file.Name.Name == "main" {
			return true
		}
	}
	return false
}

// build builds all examples, and returns the directory of the programs.
func build(t *testing.T) string {
	t.Helper()
	// The test reads all source files, so that go test does not use a cached result after a
	// change: go test does not know which files go build reads.
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-ldflags=-w", "-o", dir, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// world makes the values that all scenarios use.
func world(t *testing.T) map[string]string {
	t.Helper()
	server := httptest.NewServer(site())
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"page.txt":       "A page.\n",
		"sub/index.html": "An index.\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{
		"http": server.URL, "host": host, "port": port, "stalls": server.URL + "/stalls",
		"dir": dir,
	}
}

// site returns a web site of package net/http.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<h1>A site</h1>\n<a href=/old>old</a> <a href=/chunked>chunked</a> <a href=/none>none</a>\n")
	})
	mux.Handle("/old", http.RedirectHandler("/chunked", http.StatusFound))
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "one chunk, ")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "another chunk\n")
	})
	mux.HandleFunc("/stalls", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}
