/* The matrix behind libmicrohttpd, with what examples/c-service has between it and the guard. */
#define _GNU_SOURCE
#include "door.h"

#include "../../../examples/c-service/guarded.h"
#include "../../../examples/c-service/serve.h"

#include <sys/un.h>

static const struct guarded *open_now;
static struct MHD_Daemon *serving;
static int listens;

bool door_has_cookies(void) { return true; }
bool door_lets_controls_in(void) { return true; }

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept) {
    static int begun;
    struct asked asked;
    gk_guard_decision *decision = NULL;
    gk_error why;
    (void)cls, (void)version, (void)data, (void)size;
    if (*kept == NULL) {
        *kept = &begun;
        return MHD_YES;
    }
    ask(&asked, connection, method, path);
    for (size_t i = 0; i < open_now->routes_len; i++) {
        char json[1024];
        if (strcmp(path, open_now->routes[i].path) != 0) continue;
        gk_str body = {NULL, 0};
        if (!gk_guard_check(guard, &asked.request, open_now->routes[i].demand, &decision, &why))
            body = (gk_str){json, says_who(gk_guard_decision_access(decision), json, sizeof json)};
        return answer(connection, decision, 200, body.data ? OF_TYPE("application/json") : NULL,
                      body);
    }
    return MHD_NO;
}

static int listening_at(const char *unix_path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    strcpy(at.sun_path, unix_path);
    must(bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16) ? GK_STATUS_INTERNAL
                                                                       : GK_STATUS_OK);
    return fd;
}

int door_open(const struct guarded *guarded, const char *unix_path) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    (void)open_guard, (void)run, (void)has_body; /* the world of the tests has a guard */
    open_now = guarded;
    guard = gk_guard_clone(guarded->guard);
    listens = unix_path != NULL ? listening_at(unix_path) : listening(0);
    serving = daemon_at(listens, handle, NULL);
    if (serving == NULL) exit(1);
    if (unix_path != NULL || getsockname(listens, (struct sockaddr *)&at, &size)) return 0;
    return ntohs(at.sin_port);
}

void door_close(void) {
    MHD_stop_daemon(serving);
    gk_guard_free(guard);
}
