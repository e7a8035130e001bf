# SPDX-License-Identifier: Apache-2.0

"""Sends requests of all kinds to a server and prints the answers.

    client.py http|https PORT CERTIFICATE

All requests use one connection, as long as the server keeps the connection open.
"""

import hashlib
import http.client
import ssl
import sys

scheme, port, certificate = sys.argv[1:]
TEXT = b"0123456789" * 200_000


class Old(http.client.HTTPConnection):
    """A client of HTTP/1.0."""
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


def connect(version=http.client.HTTPConnection):
    if scheme == "https":
        context = ssl.create_default_context(cafile=certificate)
        return http.client.HTTPSConnection("localhost", int(port), timeout=60, context=context)
    return version("localhost", int(port), timeout=60)


conn = connect()
ports = set()


def ask(name, method, path, body=None, headers={}):
    conn.request(method, path, body=body, headers=headers)
    ports.add(conn.sock.getsockname()[1])
    show(name, conn.getresponse())


def show(name, response):
    body = response.read()
    text = body.decode().strip() if len(body) < 200 else hashlib.sha256(body).hexdigest()
    print(name, response.status, response.version, response.getheader("Content-Length"), text, sep=" | ")


ask("get", "GET", "/")
ask("head", "HEAD", "/?bytes=100000")
ask("download", "GET", "/?bytes=3000000")
ask("length", "POST", "/", TEXT)
ask("chunks", "POST", "/", (TEXT[i:i + 70_000] for i in range(0, len(TEXT), 70_000)))
ask("empty", "PUT", "/", b"")
ask("nothing", "GET", "/nothing")
ask("flushed", "GET", "/flushed")
ask("unread", "POST", "/unread", b"some bytes")

# The client waits for the status 100 before it sends the body.
conn.putrequest("POST", "/")
conn.putheader("Expect", "100-continue")
conn.putheader("Content-Length", str(len(TEXT)))
conn.endheaders()
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += conn.sock.recv(1)
print("asked", head.decode().strip(), sep=" | ")
conn.send(TEXT)
show("expect", conn.getresponse())

# If the answer comes first, the client sends no body. The server cannot use the connection again.
conn.putrequest("POST", "/unread")
conn.putheader("Expect", "100-continue")
conn.putheader("Content-Length", str(len(TEXT)))
conn.endheaders()
response = conn.getresponse()
show("refused", response)
print("kept", not response.will_close, len(ports), sep=" | ")

conn.close()
conn = connect()
ask("close", "GET", "/", headers={"Connection": "close"})
print("open", conn.sock is not None, sep=" | ")

if scheme == "http":
    conn = connect(Old)
    ask("old", "GET", "/")
    print("open", conn.sock is not None, sep=" | ")
    ports.clear()
    ask("old, kept", "GET", "/", headers={"Connection": "keep-alive"})
    ask("old, kept", "POST", "/", TEXT, headers={"Connection": "keep-alive"})
    print("connections", len(ports), sep=" | ")
    ask("old, flushed", "GET", "/flushed", headers={"Connection": "keep-alive"})
