/* A service of the tests, guarded: a store, another issuer, a server that knows opaque tokens, and
 * what asks its guard as a service on an event loop does. */
#ifndef GATEKEY_TESTS_GUARD_H
#define GATEKEY_TESTS_GUARD_H

#include "session.h"

#include <stdarg.h>
#include <unistd.h>

#define API "https://api.example"
#define OWN "https://shop.example"
#define OTHER "https://auth.example"
#define PEER "192.0.2.7"

static const uint8_t CSRF[32] = {7};

/* Where a token is asked about; one over http: is of this machine. */
static const char *introspected_at = OTHER "/introspect";

struct world {
    char folder[40], url[80];
    gk_store *store;
    gk_key_ring *ring, *others;
    gk_api_keys *keys;
    gk_sessions *sessions;
    gk_revocations *revocations;
    gk_session_cookies *cookies;
    gk_oauth_client *asking;
    gk_http *http;
    gk_resource_server_builder *tokens;
    gk_guard *guard;
    /* What the server says of each token, and whether it does not answer. */
    const char *answer;
    bool is_gone;
    int questions;
};

/* A request, with room for its texts. */
struct sent {
    gk_guard_request request;
    gk_header headers[40];
    char room[12000];
    size_t used;
};

static inline void asks(struct sent *sent, const char *method, const char *path) {
    memset(sent, 0, sizeof *sent);
    sent->request.method = (gk_str){method, strlen(method)};
    sent->request.path = (gk_str){path, strlen(path)};
    sent->request.headers = sent->headers;
    sent->request.peer = (gk_str){GK_TEXT(PEER)};
}

/* Adds a header; the value is a format. */
static inline void adds(struct sent *sent, const char *name, const char *format, ...) {
    va_list arguments;
    char *value = sent->room + sent->used;
    va_start(arguments, format);
    const int length = vsnprintf(value, sizeof sent->room - sent->used, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && sent->used + (size_t)length < sizeof sent->room);
    CHECK(sent->request.headers_len < sizeof sent->headers / sizeof *sent->headers);
    sent->headers[sent->request.headers_len++] =
        (gk_header){{name, strlen(name)}, {value, (size_t)length}};
    sent->used += (size_t)length + 1;
}

static inline gk_signer *signer_as(const gk_key_ring *ring, const char *issuer,
                                   const char *audience, const char *typ) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_following(ring, &builder, &err));
    gk_signer_builder_issuer(builder, issuer, strlen(issuer));
    gk_signer_builder_audience(builder, audience, strlen(audience));
    gk_signer_builder_typ(builder, typ, strlen(typ));
    gk_signer_builder_ttl(builder, 900);
    return signer_of(builder);
}

static inline gk_session_cookies *new_cookies(bool allow_http) {
    gk_error err;
    gk_csrf *csrf = NULL;
    gk_session_cookies *cookies = NULL;
    gk_session_cookies_builder *builder = NULL;
    MUST(gk_csrf_new(CSRF, sizeof CSRF, 0, &csrf, &err));
    MUST(gk_session_cookies_builder_new(csrf, &builder, &err));
    if (allow_http) gk_session_cookies_builder_danger_allow_http(builder);
    MUST(gk_session_cookies_builder_build(builder, &cookies, &err));
    gk_session_cookies_builder_free(builder);
    gk_csrf_free(csrf);
    return cookies;
}

/* A guard of what the world has, still to be built. */
static inline gk_guard_builder *guarding(const struct world *world) {
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_api_keys(builder, world->keys);
    gk_guard_builder_sessions(builder, world->sessions);
    gk_guard_builder_cookies(builder, world->cookies);
    gk_guard_builder_tokens(builder, world->tokens);
    gk_guard_builder_revocations(builder, world->revocations);
    gk_guard_builder_origin(builder, GK_TEXT(OWN));
    gk_guard_builder_metadata_url(builder, GK_TEXT(OWN "/.well-known/oauth-protected-resource"));
    gk_guard_builder_clock(builder, now, NULL, NULL);
    return builder;
}

static inline gk_guard *guard_of(gk_guard_builder *builder) {
    gk_error err;
    gk_guard *guard = NULL;
    MUST(gk_guard_builder_build(builder, &guard, &err));
    gk_guard_builder_free(builder);
    return guard;
}

static inline void begin(struct world *world, bool in_a_file) {
    gk_error err;
    memset(world, 0, sizeof *world);
    now_seconds = 1800000000;
    strcpy(world->url, "memory:");
    world->answer = "{\"active\":false}";
    if (in_a_file) {
        strcpy(world->folder, "/tmp/gatekey-guard-XXXXXX");
        CHECK(mkdtemp(world->folder) != NULL);
        snprintf(world->url, sizeof world->url, "%s/auth.sqlite", world->folder);
    }
    gk_store_options *options = gk_store_options_new();
    gk_store_options_pepper(options, 1, PEPPER, sizeof PEPPER);
    gk_store_options_strict(options, true);
    gk_store_options_max_stale(options, 0);
    gk_store_options_clock(options, now, NULL, NULL);
    MUST(gk_store_open(world->url, strlen(world->url), options, &world->store, &err));
    gk_store_options_free(options);
    MUST(gk_store_key_ring(world->store, GK_TEXT("default"), NULL, &world->ring, &err));
    MUST(gk_store_api_keys(world->store, NULL, &world->keys, &err));
    MUST(gk_store_revocations(world->store, NULL, &world->revocations, &err));
    gk_signer *signer = signer_as(world->ring, OWN, API, "at+jwt");
    MUST(gk_store_sessions(world->store, signer, NULL, &world->sessions, &err));
    gk_signer_free(signer);
    world->cookies = new_cookies(false);

    gk_key_ring_options *ring_options = gk_key_ring_options_new();
    gk_key_ring_options_clock(ring_options, now, NULL, NULL);
    MUST(gk_key_ring_open(GK_TEXT("memory:"), ring_options, &world->others, &err));
    gk_key_ring_options_free(ring_options);
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_client_id(config, GK_TEXT("rs"));
    gk_oauth_config_client_secret(config, GK_TEXT("a secret of 32 bytes or somewhat more"));
    const bool is_local = strncmp(introspected_at, "http:", 5) == 0;
    gk_oauth_config_endpoint(config, GK_TEXT("introspection_endpoint"), introspected_at,
                             strlen(introspected_at));
    gk_oauth_config_allow_loopback_http(config, is_local);
    gk_oauth_config_clock(config, now, NULL, NULL);
    MUST(gk_oauth_client_new(config, &world->asking, &err));
    gk_oauth_config_free(config);
    gk_http_options *http_options = gk_http_options_new();
    gk_http_options_allow_loopback_http(http_options, is_local);
    MUST(gk_http_new(http_options, &world->http, &err));
    gk_http_options_free(http_options);
    world->tokens = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer_key_ring(world->tokens, GK_TEXT(OTHER), world->others);
    gk_resource_server_builder_introspection(world->tokens, world->asking, world->http);
    gk_resource_server_builder_tenant_claim(world->tokens, GK_TEXT("tenant"));
    gk_resource_server_builder_clock(world->tokens, now, NULL, NULL);
    world->guard = guard_of(guarding(world));
}

static inline void end(struct world *world) {
    gk_guard_free(world->guard);
    gk_resource_server_builder_free(world->tokens);
    gk_http_free(world->http);
    gk_oauth_client_free(world->asking);
    gk_session_cookies_free(world->cookies);
    gk_revocations_free(world->revocations);
    gk_sessions_free(world->sessions);
    gk_api_keys_free(world->keys);
    gk_key_ring_free(world->others);
    gk_key_ring_free(world->ring);
    gk_store_free(world->store);
    if (world->folder[0] == 0) return;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s %s-gone", world->folder, world->folder);
    CHECK(system(command) == 0);
}

/* Takes the store's files away. */
static inline void lose_store(struct world *world) {
    char gone[64];
    snprintf(gone, sizeof gone, "%s-gone", world->folder);
    CHECK(rename(world->folder, gone) == 0);
}

/* Answers what a guard wants to know of a token. */
static inline void answers(struct world *world, gk_operation *operation) {
    gk_error err;
    gk_step step;
    gk_request request;
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_REQUEST);
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.url, OTHER "/introspect"));
    world->questions++;
    if (world->is_gone) {
        MUST(gk_operation_fail(operation, GK_STATUS_CONNECTION_FAILED, &err));
        CHECK(gk_operation_next(operation, &step, &err) != GK_STATUS_OK);
        return;
    }
    const gk_header type = {{GK_TEXT("content-type")}, {GK_TEXT("application/json")}};
    const gk_response response = {200, &type, 1, world->answer, strlen(world->answer)};
    MUST(gk_operation_feed(operation, &response, &err));
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
}

/* Decides as an event loop does: from memory if that is enough, and else with the questions to
 * other servers answered here, and the store asked as if in a thread. */
static inline gk_status decided(struct world *world, const gk_guard_request *request,
                                const gk_guard_demand *demand, gk_guard_decision **decision) {
    gk_error err;
    gk_status status = gk_guard_try_check(world->guard, request, demand, decision, &err);
    if (*decision != NULL || status != GK_STATUS_STORE_UNAVAILABLE) return status;
    gk_guard_attempt *attempt = gk_guard_attempt_new();
    for (int tries = 0; tries < 10; tries++) {
        status = gk_guard_attempt_check(attempt, world->guard, request, demand, decision, &err);
        if (*decision != NULL || status != GK_STATUS_STORE_UNAVAILABLE) break;
        if (gk_guard_attempt_about(attempt).data == NULL) {
            gk_guard_attempt_may_wait(attempt, true);
            continue;
        }
        gk_operation *operation = NULL;
        MUST(gk_guard_attempt_operation(attempt, &operation, &err));
        answers(world, operation);
        MUST(gk_guard_attempt_told(attempt, operation, &err));
        gk_operation_free(operation);
    }
    gk_guard_attempt_free(attempt);
    return status;
}

#endif /* GATEKEY_TESTS_GUARD_H */
