// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	hostField = "Host: a\r\n"
	next      = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	post      = "POST / HTTP/1.1\r\nHost: a\r\n"
	chunked   = post + "Transfer-Encoding: chunked\r\n\r\n"
)

// withField returns a request with one more field.
func withField(field string) string { return "GET / HTTP/1.1\r\n" + hostField + field + "\r\n\r\n" }

// hostile are invalid messages, and messages that two readers may read in two ways (RFC 9112;
// known as request smuggling). Another request follows each of them.
var hostile = []struct{ name, sent string }{
	// The request line.
	{"version 0.9", "GET /\r\n\r\n"},
	{"version 0.9 with a version", "GET / HTTP/0.9\r\n\r\n"},
	{"version 1.2", "GET / HTTP/1.2\r\n" + hostField + "\r\n"},
	{"version 1.10", "GET / HTTP/1.10\r\n" + hostField + "\r\n"},
	{"version 01.1", "GET / HTTP/01.1\r\n" + hostField + "\r\n"},
	{"version 1.", "GET / HTTP/1.\r\n" + hostField + "\r\n"},
	{"version 3.0", "GET / HTTP/3.0\r\n" + hostField + "\r\n"},
	{"version -1.1", "GET / HTTP/-1.1\r\n" + hostField + "\r\n"},
	{"version in small letters", "GET / http/1.1\r\n" + hostField + "\r\n"},
	{"version with a space behind", "GET / HTTP/1.1 \r\n" + hostField + "\r\n"},
	{"version with a tab before", "GET /\tHTTP/1.1\r\n" + hostField + "\r\n"},
	{"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"two spaces before the target", "GET  / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"two spaces behind the target", "GET /  HTTP/1.1\r\n" + hostField + "\r\n"},
	{"space in the target", "GET /a b HTTP/1.1\r\n" + hostField + "\r\n"},
	{"space at the beginning", " GET / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"no method", "/ HTTP/1.1\r\n" + hostField + "\r\n"},
	{"empty method", " / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"method with a colon", "GET: / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"method in small letters", "get / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"method with a NUL", "G\x00T / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\n" + hostField + "\r\n"},
	{"DEL in the target", "GET /\x7f HTTP/1.1\r\n" + hostField + "\r\n"},
	{"escape in the target", "GET /\x1b[2J HTTP/1.1\r\n" + hostField + "\r\n"},
	{"bare CR in the target", "GET /\rX: y HTTP/1.1\r\n" + hostField + "\r\n"},
	{"high bytes in the target", "GET /\xff\xfe HTTP/1.1\r\n" + hostField + "\r\n"},
	{"bad percent encoding", "GET /%zz HTTP/1.1\r\n" + hostField + "\r\n"},
	{"encoded line end in the target", "GET /%0d%0aX:%20y HTTP/1.1\r\n" + hostField + "\r\n"},
	{"dots in the target", "GET /a/../../etc HTTP/1.1\r\n" + hostField + "\r\n"},
	{"fragment in the target", "GET /#a HTTP/1.1\r\n" + hostField + "\r\n"},
	{"target without a slash", "GET a HTTP/1.1\r\n" + hostField + "\r\n"},
	{"target that is a star", "GET * HTTP/1.1\r\n" + hostField + "\r\n"},
	{"empty target", "GET  HTTP/1.1\r\n" + hostField + "\r\n"},
	{"target with two slashes", "GET //b/c HTTP/1.1\r\n" + hostField + "\r\n"},
	{"blank line before", "\r\nGET / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"bare LF before", "\nGET / HTTP/1.1\r\n" + hostField + "\r\n"},
	{"only blank lines", "\r\n\r\n\r\n\r\n"},
	{"TLS instead of HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"},
	{"answer instead of a request", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"head that is cut off in its line", "GET / HT"},
	{"head that is cut off in a field", "GET / HTTP/1.1\r\nHost: a"},
	{"head that is cut off behind a field", "GET / HTTP/1.1\r\n" + hostField},
	{"long target", "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\n" + hostField + "\r\n"},
	{"target longer than a head", "GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\n" + hostField + "\r\n"},
	{"long method", strings.Repeat("A", 100_000) + " / HTTP/1.1\r\n" + hostField + "\r\n"},

	// Hosts.
	{"absolute form", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"absolute form, bad Host", "GET http://b/x HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{"absolute form, no Host", "GET http://b/x HTTP/1.1\r\n\r\n"},
	{"absolute form, empty Host", "GET http://b/x HTTP/1.1\r\nHost:\r\n\r\n"},
	{"absolute form, two Hosts", "GET http://b/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
	{"absolute form, user and password", "GET http://u:p@b/x HTTP/1.1\r\nHost: b\r\n\r\n"},
	{"absolute form, bad port", "GET http://b:x/x HTTP/1.1\r\nHost: b\r\n\r\n"},
	{"absolute form, encoded space", "GET http://b%20c/x HTTP/1.1\r\nHost: b\r\n\r\n"},
	{"absolute form, another scheme", "GET gopher://b/x HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"absolute form, 1.0", "GET http://b/x HTTP/1.0\r\n\r\n"},
	{"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
	{"host with an at sign", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
	{"host with a tab", "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"},
	{"host with a NUL", "GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n"},
	{"host with high bytes", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"},
	{"host with a CR behind", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
	{"host in small letters", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"},
	{"host and host in another case", "GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n"},
	{"equal hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
	{"host with a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
	{"host folded", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"},
	{"host folded, nothing before", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"},
	{"host folded, nothing behind", "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"},
	{"host in a folded line", "GET / HTTP/1.1\r\nX: y\r\n Host: a\r\n\r\n"},
	{"host in the body", "GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n"},
	{"no host, 1.0", "GET / HTTP/1.0\r\n\r\n"},
	{"bad host, 1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"},
	{"CONNECT without Host", "CONNECT b:80 HTTP/1.1\r\n\r\n"},
	{"CONNECT with a path", "CONNECT /x HTTP/1.1\r\n" + hostField + "\r\n"},
	{"CONNECT with a body", "CONNECT b:80 HTTP/1.1\r\n" + hostField + "Content-Length: 3\r\n\r\nabc"},

	// Fields.
	{"field without a colon", withField("X")},
	{"field without a name", withField(": x")},
	{"field with a space before the colon", withField("X : y")},
	{"field with a tab before the colon", withField("X\t: y")},
	{"field with a NUL", withField("X: a\x00b")},
	{"field with a DEL", withField("X: a\x7fb")},
	{"field with a bare CR", withField("X: a\rY: b")},
	{"field with a vertical tab", withField("X: \vb")},
	{"field with high bytes", withField("X: \xff\xfe")},
	{"field with many spaces", withField("X:   \t  y \t ")},
	{"name with high bytes", withField("X\xff: y")},
	{"name with a slash", withField("X/Y: z")},
	{"name with a control byte", withField("X\x01: z")},
	{"name in small letters", withField("x-forwarded-for: y")},
	{"name with an underscore", withField("Content_Length: 3")},
	{"first line folded", "GET / HTTP/1.1\r\n X: y\r\n" + hostField + "\r\n"},
	{"first line folded by a tab", "GET / HTTP/1.1\r\n\tX: y\r\n" + hostField + "\r\n"},
	{"folded by a tab", withField("X: a\r\n\tb")},
	{"folded line without text", withField("X: a\r\n ")},
	{"folded line that looks like a field", withField("X: a\r\n Content-Length: 5")},
	{"bare LF", "GET / HTTP/1.1\nHost: a\nX: y\n\n"},
	{"bare LF in the middle", withField("X: y\nZ: z")},
	{"LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r"},
	{"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\r\n\r\r\n"},
	{"bare CR at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"},
	{"many fields", withField(strings.Repeat("X: y\r\n", 20_000) + "Y: z")},
	{"long field", withField("X: " + strings.Repeat("y", 500_000))},
	{"head that is too large", withField("X: " + strings.Repeat("y", 2<<20))},
	{"Connection with odd separators", withField("Connection: keep-alive close")},
	{"Connection in two fields", withField("Connection: x\r\nConnection: close")},
	{"Connection: keep-alive and close, 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"},
	{"Connection that names Host", withField("Connection: close, Host")},
	{"Connection: upgrade with a body", post + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc"},
	{"Upgrade: h2c", withField("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")},
	{"Proxy-Connection", withField("Proxy-Connection: close")},

	// Lengths.
	{"GET with a body", withField("Content-Length: 3") + "abc"},
	{"HEAD with a body", "HEAD / HTTP/1.1\r\n" + hostField + "Content-Length: 3\r\n\r\nabc"},
	{"unread body", "POST /?unread HTTP/1.1\r\n" + hostField + "Content-Length: 3\r\n\r\nabc"},
	{"unread body that is large", "POST /?unread HTTP/1.1\r\n" + hostField + "Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000)},
	{"body without a length", post + "\r\nGET /smuggled HTTP/1.1\r\n" + hostField + "\r\n"},
	{"bytes behind the body", post + "Content-Length: 3\r\n\r\nabcd"},
	{"two CRLF behind the body", post + "Content-Length: 3\r\n\r\nabc\r\n\r\n"},
	{"three CRLF behind the body", post + "Content-Length: 3\r\n\r\nabc\r\n\r\n\r\n"},
	{"CRLF behind a PUT", "PUT / HTTP/1.1\r\n" + hostField + "Content-Length: 3\r\n\r\nabc\r\n"},
	{"length that is empty", post + "Content-Length:\r\n\r\nabc"},
	{"length that is negative", post + "Content-Length: -3\r\n\r\nabc"},
	{"length of -0", post + "Content-Length: -0\r\n\r\nabc"},
	{"length with a plus", post + "Content-Length: +3\r\n\r\nabc"},
	{"length in hexadecimals", post + "Content-Length: 0x3\r\n\r\nabc"},
	{"length with a fraction", post + "Content-Length: 3.0\r\n\r\nabc"},
	{"length with an exponent", post + "Content-Length: 3e0\r\n\r\nabc"},
	{"length with zeros", post + "Content-Length: 0003\r\n\r\nabc"},
	{"length with an underscore", post + "Content-Length: 1_0\r\n\r\nabc"},
	{"length with spaces", post + "Content-Length:  \t 3 \t \r\n\r\nabc"},
	{"length with a space inside", post + "Content-Length: 1 0\r\n\r\nabc"},
	{"length in a list", post + "Content-Length: 3, 3\r\n\r\nabc"},
	{"length in a list that differs", post + "Content-Length: 3, 4\r\n\r\nabc"},
	{"length with a comma", post + "Content-Length: 3,\r\n\r\nabc"},
	{"length of 64 bits", post + "Content-Length: 9223372036854775807\r\n\r\nabc"},
	{"length that wraps around", post + "Content-Length: 18446744073709551619\r\n\r\nabc"},
	{"length of many digits", post + "Content-Length: " + strings.Repeat("9", 1000) + "\r\n\r\nabc"},
	{"length in other digits", post + "Content-Length: \u0663\r\n\r\nabc"},
	{"length with a NUL", post + "Content-Length: 3\x00\r\n\r\nabc"},
	{"length with a space before the colon", post + "Content-Length : 3\r\n\r\nabc"},
	{"length folded", post + "Content-Length:\r\n 3\r\n\r\nabc"},
	{"length folded with more", post + "Content-Length: 1\r\n 0\r\n\r\nabc"},
	{"lengths that differ", post + "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc"},
	{"lengths that differ in zeros", post + "Content-Length: 3\r\nContent-Length: 03\r\n\r\nabc"},
	{"lengths that differ in case", post + "content-length: 3\r\nCONTENT-LENGTH: 4\r\n\r\nabc"},
	{"length behind a bare CR", post + "X: y\rContent-Length: 3\r\n\r\nabc"},
	{"length behind a bare LF", post + "X: y\nContent-Length: 3\r\n\r\nabc"},

	// Codings.
	{"coding and length", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
	{"length and coding", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
	{"coding and a bad length", post + "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n"},
	{"coding and lengths that differ", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
	{"coding of 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"coding and length of 1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"coding in capitals", post + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"},
	{"coding with a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
	{"coding with a tab", post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"},
	{"coding with a vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
	{"coding with a NUL", post + "Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n"},
	{"coding with a space behind", post + "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"},
	{"coding with a comma", post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"},
	{"coding with a comma before", post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"},
	{"coding in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
	{"coding with a parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"},
	{"coding with high bytes", post + "Transfer-Encoding: chun\u212Aed\r\n\r\n0\r\n\r\n"},
	{"coding that is empty", post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n"},
	{"coding that is unknown", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{"coding identity", post + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc"},
	{"coding gzip", post + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"},
	{"codings gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{"codings chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
	{"codings chunked, chunked", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
	{"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
	{"two equal codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"coding folded", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
	{"coding with an underscore", post + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
	{"coding behind a bare CR", post + "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
	{"GET with chunks", withField("Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"},

	// Chunks.
	{"chunk", chunked + "3\r\nabc\r\n0\r\n\r\n"},
	{"chunk with extensions", chunked + "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"},
	{"chunk with a space before the extension", chunked + "3 ;a\r\nabc\r\n0\r\n\r\n"},
	{"chunk with an LF in the extension", chunked + "3;\nabc\r\n0\r\n\r\n"},
	{"chunk with a CR in the extension", chunked + "3;\rxx\r\nabc\r\n0\r\n\r\n"},
	{"chunk with a long extension", chunked + "3;" + strings.Repeat("x", 10_000) + "\r\nabc\r\n0\r\n\r\n"},
	{"chunks with many extensions", chunked + strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\na\r\n", 1000) + "0\r\n\r\n"},
	{"chunk with spaces behind the size", chunked + "3  \r\nabc\r\n0\r\n\r\n"},
	{"chunk with a space before the size", chunked + " 3\r\nabc\r\n0\r\n\r\n"},
	{"chunk with zeros", chunked + "0003\r\nabc\r\n00000\r\n\r\n"},
	{"chunk with many zeros", chunked + strings.Repeat("0", 100) + "3\r\nabc\r\n0\r\n\r\n"},
	{"chunk of a size that wraps around", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n"},
	{"chunk of 64 bits", chunked + "ffffffffffffffff\r\nabc\r\n0\r\n\r\n"},
	{"chunk of 63 bits", chunked + "7fffffffffffffff\r\nabc\r\n0\r\n\r\n"},
	{"chunk of a negative size", chunked + "-3\r\nabc\r\n0\r\n\r\n"},
	{"chunk with a plus", chunked + "+3\r\nabc\r\n0\r\n\r\n"},
	{"chunk with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n"},
	{"chunk with an underscore", chunked + "1_0\r\nabc\r\n0\r\n\r\n"},
	{"chunk without a size", chunked + "\r\nabc\r\n0\r\n\r\n"},
	{"chunk with only an extension", chunked + ";a\r\nabc\r\n0\r\n\r\n"},
	{"chunk in capitals", chunked + "A\r\n0123456789\r\n0\r\n\r\n"},
	{"chunk with a bare LF", chunked + "3\nabc\n0\n\n"},
	{"chunk with a bare LF behind the data", chunked + "3\r\nabc\n0\r\n\r\n"},
	{"chunk with a bare CR", chunked + "3\rabc\r0\r\r"},
	{"chunk with more data than its size", chunked + "3\r\nabcd\r\n0\r\n\r\n"},
	{"chunk with less data than its size", chunked + "5\r\nabc\r\n0\r\n\r\n"},
	{"chunk without a line end behind", chunked + "3\r\nabc0\r\n\r\n"},
	{"chunk with other bytes behind", chunked + "3\r\nabcXY0\r\n\r\n"},
	{"chunks that are cut off", chunked + "3\r\nab"},
	{"chunks without an end", chunked + "3\r\nabc\r\n"},
	{"chunks without the last line", chunked + "3\r\nabc\r\n0\r\n"},
	{"chunks, unread", strings.Replace(chunked, "/", "/?unread", 1) + "3\r\nabc\r\n0\r\n\r\n"},
	{"bad chunks, unread", strings.Replace(chunked, "/", "/?unread", 1) + "xyz\r\nabc\r\n0\r\n\r\n"},
	{"chunks of one byte", chunked + strings.Repeat("1\r\na\r\n", 5000) + "0\r\n\r\n"},

	// Trailers.
	{"trailer", chunked + "0\r\nX: y\r\n\r\n"},
	{"trailer that was declared", post + "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n"},
	{"trailer with a length", chunked + "0\r\nContent-Length: 50\r\n\r\n"},
	{"trailer with a coding", chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{"trailer with a host", chunked + "0\r\nHost: evil\r\n\r\n"},
	{"trailer that declares a coding", post + "Trailer: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"trailer with a bad name", chunked + "0\r\nX Y: z\r\n\r\n"},
	{"trailer without a colon", chunked + "0\r\nxyz\r\n\r\n"},
	{"trailer with a NUL", chunked + "0\r\nX: \x00\r\n\r\n"},
	{"trailer with a bare LF", chunked + "0\r\nX: y\n\n"},
	{"trailer that is folded", chunked + "0\r\nX: y\r\n z\r\n\r\n"},
	{"trailer that is long", chunked + "0\r\nX: " + strings.Repeat("y", 100_000) + "\r\n\r\n"},
	{"trailer that is cut off", chunked + "0\r\nX: y"},
	{"trailer without chunks", post + "Trailer: X\r\nContent-Length: 0\r\n\r\nX: y\r\n\r\n"},

	// Expectations.
	{"100-continue", post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue, unread", "POST /?unread HTTP/1.1\r\n" + hostField + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue in capitals", post + "Expect: 100-CONTINUE\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue in a list", post + "Expect: x, 100-continue\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue in the second field", post + "Expect: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue in the first field", post + "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue with a parameter", post + "Expect: 100-continue;x\r\nContent-Length: 3\r\n\r\nabc"},
	{"100-continue without a body", withField("Expect: 100-continue")},
	{"100-continue of chunks", post + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
	{"100-continue of 1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"},
	{"expectation that is empty", post + "Expect:\r\nContent-Length: 3\r\n\r\nabc"},
	{"expectation that is unknown", post + "Expect: tea\r\nContent-Length: 3\r\n\r\nabc"},
	{"expectation of OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + hostField + "Expect: tea\r\n\r\n"},
	{"OPTIONS * with a body", "OPTIONS * HTTP/1.1\r\n" + hostField + "Content-Length: 3\r\n\r\nabc"},
	{"OPTIONS * with a large body", "OPTIONS * HTTP/1.1\r\n" + hostField + "Content-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000)},
}

// Each hostile message is read as package net/http reads it. The response is the same, and so is
// the end of the connection or the response to the following request.
func TestHostileMessagesAreReadAsByNetHTTP(t *testing.T) {
	h := http.HandlerFunc(dump)
	r := newRig(t, h, h)
	names := map[string]bool{}
	for _, test := range hostile {
		if names[test.name] {
			t.Errorf("two tests are named %q", test.name)
		}
		names[test.name] = true
		sent := test.sent + next
		ours, theirs := r.ours(sent), r.theirs(sent)
		want, differs := decided[test.name]
		if !differs {
			want = theirs
		} else if want == theirs {
			t.Errorf("%s: a decision without an effect", test.name)
		}
		if ours != want && !changed(sent) {
			t.Errorf("%s\nours   %.800q\nwant   %.800q\ntheirs %.800q", test.name, ours, want, theirs)
		}
	}
	for name := range decided {
		if !names[name] {
			t.Errorf("a decision without a test: %q", name)
		}
	}
}

// decided are the responses to hostile messages that differ from package net/http, each with its
// reason.
var decided = map[string]string{
	// Package net/http passes the preface of HTTP/2 to the handler, which may hijack the connection.
	// This server refuses it.
	"preface of HTTP/2": "HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
		"505 HTTP Version Not Supported: unsupported protocol version",
}
