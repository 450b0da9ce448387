/* A socket that listens at a port of this machine, and a request that comes over it. */
#ifndef GATEKEY_TESTS_LISTEN_H
#define GATEKEY_TESTS_LISTEN_H

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int listen_here(unsigned *port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    CHECK(bind(listener, (struct sockaddr *)&place, size) == 0 && listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&place, &size) == 0);
    *port = ntohs(place.sin_port);
    return listener;
}

/* Reads one request to the end of its body, which begins where this points to; NULL if it ends in
 * its head. */
static inline char *read_request(int peer, char *request, size_t size) {
    size_t length = 0;
    char *body = NULL;
    for (ssize_t more; (more = recv(peer, request + length, size - 1 - length, 0)) > 0;) {
        length += (size_t)more;
        request[length] = 0;
        body = strstr(request, "\r\n\r\n");
        const char *told = strstr(request, "content-length: ");
        const size_t rest = told == NULL ? 0 : strtoul(told + 16, NULL, 10);
        if (body != NULL && length >= (size_t)(body + 4 - request) + rest) break;
    }
    return body;
}

#endif /* GATEKEY_TESTS_LISTEN_H */
