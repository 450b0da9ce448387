/* A socket that listens at a port of this machine. */
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

#endif /* GATEKEY_TESTS_LISTEN_H */
