/* A server whose routes are those of the matrix: microhttpd.c is one, httplib.cpp another. */
#ifndef GATEKEY_TESTS_MATRIX_DOOR_H
#define GATEKEY_TESTS_MATRIX_DOOR_H

#include <gatekey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A path, whatever the method. */
struct route {
    const char *path;
    gk_guard_demand *demand;
};

/* What the server guards; all of it is the caller's, and lives longer than the server. */
struct guarded {
    const gk_guard *guard;
    /* The same in parts, for a server that builds its guard itself. */
    const gk_api_keys *keys;
    const gk_sessions *sessions;
    const gk_revocations *revocations;
    gk_session_cookies *cookies;
    gk_resource_server_builder *tokens;
    const char *origin, *metadata_url;
    gk_clock_fn now;
    const struct route *routes;
    size_t routes_len;
};

/* Serves at a port of 127.0.0.1, which it gives, or at a Unix socket. */
int door_open(const struct guarded *guarded, const char *unix_path);
void door_close(void);
/* Whether it takes cookies, and whether it hands control bytes to the guard. */
bool door_has_cookies(void);
bool door_lets_controls_in(void);

/* What an application answers: who calls, as JSON. */
size_t says_who(const gk_access *who, char *json, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* GATEKEY_TESTS_MATRIX_DOOR_H */
