// SPDX-License-Identifier: Apache-2.0

// An echo server on epoll, the peer of the echo and bulk rows: one thread, one
// buffer for each connection, TCP_NODELAY, a backlog of 1024.
//
//	cc -O2 -o echo echo.c && ./echo 7000 60 4096
//	listening on 127.0.0.1:7000
//
// The arguments are the port (0 is any free port), the number of seconds to serve, and the size
// of a buffer. Each socket is registered once, edge-triggered. A read that did not fill the buffer
// has emptied the socket, so there is no second read.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { backlog = 1024, batch = 512 };

static size_t size; // of a buffer

struct conn {
	int fd;
	size_t sent, held; // buf[sent:held] is still to be written
	char buf[];
};

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void hang_up(struct conn *c) {
	close(c->fd); // also removes it from epoll
	free(c);
}

// drain writes the held bytes. It returns 1 if all are written, 0 if the socket buffer is full, and
// -1 on an error.
static int drain(struct conn *c) {
	while (c->sent < c->held) {
		ssize_t n = write(c->fd, c->buf + c->sent, c->held - c->sent);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->sent += n;
	}
	c->sent = c->held = 0;
	return 1;
}

// echo runs until the socket has nothing to read or its buffer is full. After a hang-up it reads to
// the end, because there will be no further edge.
static void echo(struct conn *c, unsigned events) {
	int ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	for (;;) {
		int done = drain(c);
		if (done < 0)
			return hang_up(c);
		if (done == 0)
			return;
		ssize_t n = read(c->fd, c->buf, size);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			return hang_up(c);
		c->held = n;
		if ((size_t)n < size && !ending) {
			if (drain(c) < 0)
				hang_up(c);
			return;
		}
	}
}

static void accept_all(int ep, int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return; // EAGAIN, or a client that has gone again
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct conn *c = malloc(sizeof *c + size);
		if (c == NULL)
			die("malloc");
		c->fd = fd;
		c->sent = c->held = 0;
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
			die("epoll_ctl");
	}
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, backlog) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die("listen");
	printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 4) {
		fprintf(stderr, "usage: %s PORT SECONDS BYTES\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	alarm(atoi(argv[2])); // ends the process
	size = atoi(argv[3]);
	int listener = listen_on(atoi(argv[1]));
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event all[batch], e = {.events = EPOLLIN, .data.ptr = NULL};
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll");
	for (;;) {
		int n = epoll_wait(ep, all, batch, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (all[i].data.ptr == NULL)
				accept_all(ep, listener);
			else
				echo(all[i].data.ptr, all[i].events);
		}
	}
}
