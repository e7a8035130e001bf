# SPDX-License-Identifier: Apache-2.0

"""Serves the files of a directory, answers a POST with its body, and prints its address.

    server.py HTTP/1.0|HTTP/1.1 DIRECTORY [CERTIFICATE KEY]

Each answer has the port of the client in the field X-Port.
"""

import http.server
import ssl
import sys

version, directory = sys.argv[1:3]


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = version

    def __init__(self, *args, **kwargs):
        super().__init__(*args, directory=directory, **kwargs)

    def end_headers(self):
        self.send_header("X-Port", str(self.client_address[1]))
        super().end_headers()

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/small.txt")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/chunks":
            self.send_response(200)
            if version == "HTTP/1.1":
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for word in (b"one ", b"two ", b"three"):
                if version == "HTTP/1.1":
                    word = b"%x;name=value\r\n%s\r\n" % (len(word), word)
                self.wfile.write(word)
            if version == "HTTP/1.1":
                self.wfile.write(b"0\r\nX-Trailer: yes\r\n\r\n")
        elif self.path == "/endless":  # the body ends when the connection ends
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"to the end")
        else:
            super().do_GET()

    def do_POST(self):
        body = self.chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else \
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunks(self):
        """Returns the body of a request that is sent in chunks."""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[3:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
