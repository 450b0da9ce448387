/* The rows of the guard's matrix: every kind of credential, and every way to be refused.
 * bindings/python/tests/guard_golden.json has the answers, and guard_world.py beside it the same
 * requests. */
#ifndef GATEKEY_TESTS_GUARD_ROWS_H
#define GATEKEY_TESTS_GUARD_ROWS_H

#include "guard.h"

static gk_error err;

/* A request, and what is changed before it is sent. */
struct row {
    struct sent sent;
    const char *method, *target;
    void (*before)(struct world *world);
    int times; /* how often it is sent; the last answer counts */
};

static inline bool is(const char *text, const char *other) { return strcmp(text, other) == 0; }

/* ---- what is done before ----*/

static char key_id[GK_API_KEY_ID_SIZE];

static inline void later(struct world *world) { (void)world, now_seconds += 1000; }
static inline void revoke_key(struct world *world) {
    MUST(gk_api_keys_revoke(world->keys, key_id, strlen(key_id), NULL, 0, &err));
}
static inline void end_sessions(struct world *world) {
    uint64_t ended = 0;
    MUST(gk_sessions_end_all(world->sessions, GK_TEXT("alice"), &ended, &err));
    CHECK(ended == 1);
}
static inline void revoke_subject(struct world *world) {
    now_seconds += 2;
    MUST(gk_revocations_revoke_subject(world->revocations, GK_TEXT("alice"), &err));
}
static inline void lose_server(struct world *world) { world->is_gone = true; }

/* ---- credentials ---- */

static inline void send_key(struct world *world, struct row *row, const char *how) {
    if (is(how, "malformed")) {
        adds(&row->sent, "X-API-Key", "gk_live_no");
        return;
    }
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    const char *scope = is(how, "scope") ? "other" : "orders:read";
    gk_api_key_spec_scope(spec, scope, strlen(scope));
    const char *tenant = is(how, "tenant") ? "other" : "acme";
    gk_api_key_spec_tenant(spec, tenant, strlen(tenant));
    if (is(how, "network")) gk_api_key_spec_cidr(spec, GK_TEXT("10.0.0.0/8"));
    if (is(how, "rate")) gk_api_key_spec_rate(spec, 1, 60);
    if (is(how, "rate left")) gk_api_key_spec_rate(spec, 10, 60);
    if (is(how, "expired")) gk_api_key_spec_expires_in(spec, 10);
    if (is(how, "not yet")) gk_api_key_spec_not_before(spec, now_seconds + 60);
    gk_issued_api_key issued;
    MUST(gk_api_keys_create(world->keys, spec, &issued, &err));
    strcpy(key_id, issued.key_id);
    if (is(how, "bad secret")) {
        /* Of another store: the checksum is right, the key is not there. */
        gk_api_keys *elsewhere = NULL;
        gk_issued_api_key_free(&issued);
        MUST(gk_api_keys_open(GK_TEXT("memory:"), NULL, &elsewhere, &err));
        MUST(gk_api_keys_create(elsewhere, spec, &issued, &err));
        gk_api_keys_free(elsewhere);
    }
    adds(&row->sent, "X-API-Key", "%s", issued.secret.data);
    if (is(how, "revoked")) row->before = revoke_key;
    if (is(how, "expired")) row->before = later;
    gk_issued_api_key_free(&issued);
    gk_api_key_spec_free(spec);
}

static inline void send_opaque(struct world *world, struct row *row, const char *how) {
    static char answer[512];
    if (is(how, "malformed")) {
        adds(&row->sent, "Authorization", "Bearer opaque token");
        return;
    }
    snprintf(answer, sizeof answer,
             "{\"active\":%s,\"aud\":\"%s\",\"sub\":\"alice\",\"scope\":\"%s\",\"tenant\":\"%s\","
             "\"exp\":%d,\"iat\":1800000000,\"iss\":\"" OTHER "\"%s}",
             is(how, "revoked") || is(how, "bad secret") ? "false" : "true",
             is(how, "wrong audience") ? "https://other.example" : API,
             is(how, "scope") ? "other" : "orders:read", is(how, "tenant") ? "other" : "acme",
             is(how, "expired") ? 1799999940 : 1800000900,
             is(how, "not yet") ? ",\"nbf\":1800000600" : "");
    world->answer = answer;
    static int number = 0;
    adds(&row->sent, "Authorization", "Bearer opaque-%d", number++);
    if (is(how, "server gone")) row->before = lose_server;
}

/* The first character of a signature is another: none of its bits is padding. */
static inline void sign_badly(char *token) {
    char *signature = strrchr(token, '.') + 1;
    *signature = *signature == 'A' ? 'B' : 'A';
}

static inline void send_foreign(struct world *world, struct row *row, const char *how) {
    char claims[512];
    gk_key_ring *ring = world->others, *other = NULL;
    gk_buf token;
    if (is(how, "malformed")) {
        adds(&row->sent, "Authorization", "Bearer a.b.c");
        return;
    }
    if (is(how, "unknown key")) {
        MUST(gk_key_ring_open(GK_TEXT("memory:"), NULL, &other, &err));
        ring = other;
    }
    gk_signer *signer = signer_as(ring, is(how, "wrong issuer") ? "https://evil.example" : OTHER,
                                  is(how, "wrong audience") ? "https://other.example" : API,
                                  is(how, "wrong type") ? "JWT" : "at+jwt");
    snprintf(claims, sizeof claims,
             "{\"sub\":\"alice\",\"client_id\":\"app\",\"scope\":\"%s\",\"tenant\":\"%s\"%s}",
             is(how, "scope") ? "other" : "orders:read", is(how, "tenant") ? "other" : "acme",
             is(how, "not yet") ? ",\"nbf\":1800000600" : "");
    MUST(gk_signer_sign_json(signer, claims, strlen(claims), &token, &err));
    if (is(how, "bad secret")) sign_badly(token.data);
    adds(&row->sent, "Authorization", "Bearer %s", token.data);
    if (is(how, "expired")) row->before = later;
    if (is(how, "revoked")) row->before = revoke_subject;
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_key_ring_free(other);
}

static inline void send_session(struct world *world, struct row *row, const char *how,
                                bool in_cookie) {
    char text[2048] = "a.b.c";
    if (is(how, "not yet") || is(how, "wrong audience") || is(how, "wrong type")) {
        gk_signer *signer =
            signer_as(world->ring, OWN, is(how, "wrong audience") ? "https://other.example" : API,
                      is(how, "wrong type") ? "JWT" : "at+jwt");
        char claims[256];
        gk_buf token;
        snprintf(claims, sizeof claims,
                 "{\"sub\":\"alice\",\"sid\":\"0123456789Ab\",\"scope\":\"orders:read\","
                 "\"tenant\":\"acme\"%s}",
                 is(how, "not yet") ? ",\"nbf\":1800000600" : "");
        MUST(gk_signer_sign_json(signer, claims, strlen(claims), &token, &err));
        strcpy(text, token.data);
        gk_buf_free(&token);
        gk_signer_free(signer);
    } else if (!is(how, "malformed")) {
        char claims[128];
        gk_claims *more = NULL;
        gk_guard_decision *decision = NULL;
        gk_session_tokens tokens;
        snprintf(claims, sizeof claims, "{\"scope\":\"%s\",\"tenant\":\"%s\"}",
                 is(how, "scope") ? "other" : "orders:read", is(how, "tenant") ? "other" : "acme");
        MUST(gk_claims_from_json(claims, strlen(claims), &more, &err));
        gk_session_spec *spec = gk_session_spec_new();
        gk_session_spec_claims(spec, more);
        MUST(gk_guard_log_in(world->guard, GK_TEXT("alice"), spec, &decision, &err));
        MUST(gk_guard_decision_tokens(decision, &tokens, &err));
        strcpy(text, tokens.access_token.data);
        gk_session_tokens_free(&tokens);
        gk_guard_decision_free(decision);
        gk_session_spec_free(spec);
        gk_claims_free(more);
    }
    if (is(how, "bad secret")) sign_badly(text);
    if (is(how, "expired")) row->before = later;
    if (is(how, "revoked")) row->before = end_sessions;
    if (!in_cookie)
        adds(&row->sent, "Authorization", "Bearer %s", text);
    else if (is(how, "twice"))
        adds(&row->sent, "Cookie", "__Host-access=%s; __Host-access=B", text);
    else
        adds(&row->sent, "Cookie", "__Host-access=%s", text);
}

static inline void send_nothing(struct row *row, const char *how) {
    struct sent *sent = &row->sent;
    if (is(how, "basic")) adds(sent, "Authorization", "Basic eDp5");
    if (is(how, "empty")) adds(sent, "Authorization", "%s", "");
    if (is(how, "bearer of nothing")) adds(sent, "Authorization", "Bearer");
    if (is(how, "bearer of two")) adds(sent, "Authorization", "Bearer A, Bearer B");
    if (is(how, "control")) adds(sent, "X-API-Key", "a\x01%s", "b");
    if (is(how, "preflight")) {
        adds(sent, "Access-Control-Request-Method", "POST");
        adds(sent, "Origin", "https://evil.test");
        row->method = "OPTIONS", row->target = "/any";
    }
    if (is(how, "rate of a route")) row->target = "/limited-public", row->times = 2;
}

static inline void send_as(struct world *world, struct row *row, const char *kind,
                           const char *how) {
    if (is(kind, "api key")) send_key(world, row, how);
    if (is(kind, "opaque")) send_opaque(world, row, how);
    if (is(kind, "foreign jwt")) send_foreign(world, row, how);
    if (is(kind, "session cookie")) send_session(world, row, how, true);
    if (is(kind, "session bearer")) send_session(world, row, how, false);
    if (is(kind, "nothing")) send_nothing(row, how);
}

static inline void make(struct world *world, struct row *row, const char *kind, const char *name) {
    const char *how = name;
    asks(&row->sent, "GET", "/orders");
    row->method = "GET", row->target = "/orders", row->before = NULL, row->times = 1;
    if (is(name, "tenant")) row->target = "/tenant";
    if (is(name, "rate") || is(name, "rate left")) row->times = 2;
    if (is(name, "store gone")) row->before = lose_store;
    if (is(name, "optional")) row->target = "/optional";
    if (is(name, "public")) row->target = "/public", how = "malformed";
    if (is(name, "optional and bad")) row->target = "/optional", how = "bad secret";
    if (is(name, "csrf")) row->method = "POST";
    if (is(name, "other kind")) row->target = kind; /* but that */
    if (strncmp(name, "rate of a route", 15) == 0) row->target = "/limited";
    if (is(name, "rate of a route")) row->times = 2;
    send_as(world, row, kind, how);
    if (is(name, "two"))
        send_as(world, row, is(kind, "api key") ? "foreign jwt" : "api key", "good");
    row->sent.request.method = (gk_str){row->method, strlen(row->method)};
}

/* What a route demands. */
static inline gk_guard_demand *demand_of(const char *target) {
    static const struct {
        const char *kind;
        gk_access_kind number;
    } KINDS[] = {{"api key", GK_ACCESS_API_KEY},
                 {"session", GK_ACCESS_SESSION},
                 {"foreign jwt", GK_ACCESS_JWT},
                 {"opaque", GK_ACCESS_OPAQUE}};
    gk_guard_demand *demand = NULL;
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    if (is(target, "/orders")) gk_guard_demand_builder_scope(builder, GK_TEXT("orders:read"));
    if (is(target, "/tenant")) gk_guard_demand_builder_tenant(builder, GK_TEXT("acme"));
    if (is(target, "/optional")) gk_guard_demand_builder_optional(builder);
    if (is(target, "/public") || is(target, "/limited-public"))
        gk_guard_demand_builder_public(builder);
    if (is(target, "/limited"))
        gk_guard_demand_builder_limit(builder, GK_TEXT("limited"), GK_TEXT("1/min"));
    if (is(target, "/limited-public"))
        gk_guard_demand_builder_limit(builder, GK_TEXT("p"), GK_TEXT("1/min"));
    for (size_t i = 0; target[0] != '/' && i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strncmp(target, KINDS[i].kind, strlen(KINDS[i].kind)) != 0)
            gk_guard_demand_builder_kind(builder, KINDS[i].number);
    }
    MUST(gk_guard_demand_builder_build(builder, &demand, &err));
    gk_guard_demand_builder_free(builder);
    return demand;
}

static inline bool same(gk_str one, gk_str other) {
    return (one.data == NULL) == (other.data == NULL) && one.len == other.len &&
           (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

static inline bool same_name(gk_str one, gk_str other) {
    bool equal = one.len == other.len;
    for (size_t i = 0; equal && i < one.len; i++) {
        const char c = one.data[i];
        equal = (c >= 'A' && c <= 'Z' ? (char)(c + 32) : c) == other.data[i];
    }
    return equal;
}

/* Whether a row changes what the others find. */
static inline bool is_alone(const char *name) {
    return is(name, "expired") || is(name, "revoked") || strstr(name, "gone") != NULL ||
           strncmp(name, "rate of a route", 15) == 0;
}

/* The file of all answers: by kind, by name. */
static inline gk_json *golden_of(const char *root) {
    static char text[100000];
    char path[4096];
    gk_json *golden = NULL;
    snprintf(path, sizeof path, "%s/bindings/python/tests/guard_golden.json", root);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    const size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    MUST(gk_json_parse(text, length, &golden, &err));
    return golden;
}

#endif /* GATEKEY_TESTS_GUARD_ROWS_H */
