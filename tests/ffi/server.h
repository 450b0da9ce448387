/* An authorization server of fifty lines, for one connection at a time. */
#ifndef GATEKEY_TESTS_SERVER_H
#define GATEKEY_TESTS_SERVER_H

#include "listen.h"

#include <time.h>
#include <unistd.h>

static char published[1024];

/* Answers requests until it is told to end: keys, introspection, tokens with a number. */
static void *serve(void *listening) {
    const int listener = *(int *)listening;
    for (int number = 1;;) {
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0) return NULL;
        static char request[65536];
        const char *body = read_request(peer, request, sizeof request);
        if (body == NULL || strncmp(request, "GET /end", 8) == 0) {
            close(peer);
            return NULL;
        }
        char answer[2048], head[256];
        if (strstr(request, "/keys"))
            snprintf(answer, sizeof answer, "%s", published);
        else if (strstr(request, "/introspect"))
            snprintf(answer, sizeof answer,
                     "{\"active\":%s,\"sub\":\"bob\",\"scope\":\"read "
                     "write\",\"iat\":%lld,\"exp\":%lld}",
                     strstr(body, "token=good") ? "true" : "false", (long long)time(NULL),
                     (long long)time(NULL) + 300);
        else
            snprintf(answer, sizeof answer,
                     "{\"access_token\":\"at-%d\",\"token_type\":\"Bearer\",\"expires_in\":300}",
                     number++);
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n",
                 strlen(answer));
        (void)!write(peer, head, strlen(head));
        (void)!write(peer, answer, strlen(answer));
        close(peer);
    }
}

#endif /* GATEKEY_TESTS_SERVER_H */
