/* What authentication adds to a service on libmicrohttpd: at most 60 statements, which a test
 * counts. Headers go to the guard as they came, pairs of bytes with lengths; the peer is the
 * socket's. */
#ifndef GUARDED_H
#define GUARDED_H

#include "../must.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>

static gk_store *store;
static gk_key_ring *ring;
static gk_guard *guard;

/* A request in libmicrohttpd's memory. One header more than a guard takes, so that it says 431. */
struct asked {
    gk_guard_request request;
    gk_header headers[501];
    char peer[64];
};

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len) {
    struct asked *asked = cls;
    (void)kind;
    if (asked->request.headers_len == 501) return MHD_NO;
    asked->headers[asked->request.headers_len++] =
        (gk_header){{name, name_len}, {value, value_len}};
    return MHD_YES;
}

static void ask(struct asked *asked, struct MHD_Connection *connection, const char *method,
                const char *path) {
    const struct sockaddr *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const socklen_t size =
        peer->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    asked->request = (gk_guard_request){.method = {method, strlen(method)},
                                        .path = {path, strlen(path)},
                                        .headers = asked->headers},
    asked->peer[0] = 0; /* which is what a Unix socket is called */
    if (peer->sa_family == AF_UNIX ||
        getnameinfo(peer, size, asked->peer, sizeof asked->peer, NULL, 0, NI_NUMERICHOST) == 0)
        asked->request.peer = (gk_str){asked->peer, strlen(asked->peer)};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header, asked);
}

#define OF_TYPE(type) ((const char *const[]){"Content-Type", type, NULL})

/* Answers a refusal as the guard has it, and what is allowed with the application's own. Where a
 * header cannot be added, MHD_NO closes the connection: half an answer is worse than none. `own`
 * are the application's: names and values by turns up to a NULL, or NULL; on refusals, too. */
static enum MHD_Result answer(struct MHD_Connection *connection, gk_guard_decision *decision,
                              unsigned status, const char *const *own, gk_str body) {
    const bool allowed = gk_guard_decision_is_allowed(decision);
    if (!allowed)
        status = gk_guard_decision_http_status(decision), body = gk_guard_decision_body(decision);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result done = response == NULL ? MHD_NO : MHD_YES;
    for (; done && own && own[0] && own[1]; own += 2)
        done = MHD_add_response_header(response, own[0], own[1]);
    for (size_t i = 0; done && i < gk_guard_decision_headers_len(decision); i++) {
        const gk_header header = gk_guard_decision_header_at(decision, i);
        done = MHD_add_response_header(response, header.name.data, header.value.data);
    }
    if (done) done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response), gk_guard_decision_free(decision);
    return done;
}

/* `secret` is the same in all processes, and after a restart; `proxy` ends TLS, or is NULL; so are
 * the `tokens` of others (partner.h). */
static void open_guard(const char *url, const char *origin, const char *proxy,
                       const uint8_t secret[32], const gk_resource_server_builder *tokens) {
    gk_api_keys *keys;
    gk_signer_builder *signing;
    gk_signer *signer;
    gk_sessions *sessions;
    gk_csrf *csrf;
    gk_session_cookies_builder *baking;
    gk_session_cookies *cookies;
    must(gk_store_open(url, strlen(url), NULL, &store, &err));
    must(gk_store_api_keys(store, NULL, &keys, &err));
    must(gk_store_key_ring(store, GK_TEXT("default"), NULL, &ring, &err));
    must(gk_signer_builder_following(ring, &signing, &err));
    gk_signer_builder_issuer(signing, origin, strlen(origin));
    must(gk_signer_builder_build(signing, &signer, &err));
    must(gk_store_sessions(store, signer, NULL, &sessions, &err));
    must(gk_csrf_new(secret, 32, 0, &csrf, &err));
    must(gk_session_cookies_builder_new(csrf, &baking, &err));
    must(gk_session_cookies_builder_build(baking, &cookies, &err));
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_api_keys(builder, keys);
    gk_guard_builder_sessions(builder, sessions);
    gk_guard_builder_cookies(builder, cookies);
    gk_guard_builder_origin(builder, origin, strlen(origin));
    if (proxy != NULL) gk_guard_builder_trusted_proxy(builder, proxy, strlen(proxy));
    if (tokens != NULL) gk_guard_builder_tokens(builder, tokens);
    must(gk_guard_builder_build(builder, &guard, &err));
    /* The guard and the store keep what they need of these. */
    gk_guard_builder_free(builder), gk_session_cookies_free(cookies), gk_csrf_free(csrf);
    gk_session_cookies_builder_free(baking), gk_sessions_free(sessions), gk_signer_free(signer);
    gk_signer_builder_free(signing), gk_api_keys_free(keys);
}

#endif
