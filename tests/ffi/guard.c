/* The guard through the C ABI: log-in to log-out in a browser, who calls, what a service refuses
 * itself, event loops, threads. guard_matrix.c has every refusal, guard_attacks.c what attackers
 * send. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "guarded.h"

#include <pthread.h>

static void log_in_refresh_and_log_out(void) {
    gk_guard_demand *read = demanding("orders:read");
    struct jar jar = logged_in("alice"), kept = jar;
    gk_guard_decision *decision = NULL;
    gk_session_tokens tokens;
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    CHECK(http(read) == 200);
    /* Another site has caused it, or a link. */
    asks(&sent, "POST", "/auth/refresh");
    adds_cookies(&jar);
    CHECK(gk_guard_refresh(world.guard, &sent.request, NULL, &decision, &err) ==
          GK_STATUS_CSRF_REJECTED);
    CHECK(gk_guard_decision_http_status(decision) == 403 && take(&jar, decision) == 0);
    gk_guard_decision_free(decision);
    page(&jar, "GET", "/auth/refresh");
    CHECK(gk_guard_refresh(world.guard, &sent.request, NULL, &decision, &err) != GK_STATUS_OK);
    gk_guard_decision_free(decision);

    now_seconds += 1000;
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    CHECK(http(read) == 401);
    gk_claims *claims = NULL;
    MUST(gk_claims_from_json(GK_TEXT("{\"scope\":\"orders:write\"}"), &claims, &err));
    page(&jar, "POST", "/auth/refresh");
    MUST(gk_guard_refresh(world.guard, &sent.request, claims, &decision, &err));
    CHECK(take(&jar, decision) == 3);
    MUST(gk_guard_decision_tokens(decision, &tokens, &err));
    CHECK(strcmp(tokens.access_token.data, jar.values[0]) == 0);
    CHECK(strcmp(tokens.refresh_token.data, jar.values[1]) == 0 && tokens.expires_in == 900);
    gk_session_tokens_free(&tokens);
    gk_guard_decision_free(decision);
    gk_claims_free(claims);
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    CHECK(http(read) == 403); /* it may write now */

    /* The loser of two tabs gets the same cookies, and clears nothing. */
    page(&kept, "POST", "/auth/refresh");
    MUST(gk_guard_refresh(world.guard, &sent.request, NULL, &decision, &err));
    struct jar other = kept;
    CHECK(take(&other, decision) == 3 && strcmp(other.values[1], jar.values[1]) == 0);
    gk_guard_decision_free(decision);

    page(&jar, "POST", "/auth/log-out");
    MUST(gk_guard_log_out(world.guard, &sent.request, &decision, &err));
    CHECK(take(&jar, decision) == 3 && jar.values[0][0] == 0 && jar.values[2][0] == 0);
    gk_guard_decision_free(decision);
    /* What a late answer brings back is worth nothing, and is forgotten. */
    asks(&sent, "GET", "/orders");
    adds_cookies(&other);
    CHECK(gk_guard_check(world.guard, &sent.request, read, &decision, &err) ==
          GK_STATUS_REVOKED_TOKEN);
    CHECK(take(&other, decision) == 3 && other.values[1][0] == 0);
    gk_guard_decision_free(decision);
    /* Nobody to log out. */
    asks(&sent, "POST", "/auth/log-out");
    CHECK(gk_guard_log_out(world.guard, &sent.request, &decision, &err) ==
          GK_STATUS_MISSING_CREDENTIALS);
    gk_guard_decision_free(decision);
    gk_guard_demand_free(read);
}

/* A log-in, which no cookie proves, is of one of our own pages. */
static void own_pages(void) {
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_public(builder);
    gk_guard_demand_builder_own_pages(builder);
    gk_guard_demand *log_in = built(builder);
    gk_buf token = {NULL, 0}, set_cookie = {NULL, 0}, again = {NULL, 0}, other = {NULL, 0};
    asks(&sent, "GET", "/log-in");
    CHECK(http(log_in) == 200);
    asks(&sent, "POST", "/log-in");
    CHECK(http(log_in) == 403);
    asks(&sent, "POST", "/log-in");
    adds(&sent, "Origin", "https://evil.example");
    CHECK(http(log_in) == 403);
    asks(&sent, "POST", "/log-in");
    adds(&sent, "Origin", OWN);
    CHECK(http(log_in) == 200);

    /* A browser that says nothing of where a request comes from sends the token of the page. */
    asks(&sent, "GET", "/log-in");
    MUST(gk_guard_form_token(world.guard, &sent.request, &token, &set_cookie, &err));
    CHECK(token.len > 20 && strncmp(set_cookie.data, "__Host-csrf=", 12) == 0);
    const int len = (int)strcspn(set_cookie.data, ";");
    asks(&sent, "POST", "/log-in");
    adds(&sent, "Cookie", "%.*s", len, set_cookie.data);
    CHECK(http(log_in) == 403);
    adds(&sent, "X-CSRF-Token", "%s", token.data);
    CHECK(http(log_in) == 200);
    /* The next page goes on with the cookie that is there. */
    asks(&sent, "GET", "/log-in");
    adds(&sent, "Cookie", "%.*s", len, set_cookie.data);
    MUST(gk_guard_form_token(world.guard, &sent.request, &again, &other, &err));
    CHECK(buf_is(again, token.data) && other.data == NULL);
    gk_buf_free(&again);
    gk_buf_free(&set_cookie);
    gk_buf_free(&token);
    gk_guard_demand_free(log_in);
}

/* ---- who calls ---- */

static void by_key(void) {
    gk_guard_demand *read = demanding("orders:read");
    gk_guard_decision *decision = NULL;
    gk_buf key = new_key(NULL, 10), text = {NULL, 0};
    uint64_t seconds = 9;
    gk_guard *same = gk_guard_clone(world.guard);
    asks(&sent, "GET", "/orders");
    adds(&sent, "X-API-Key", "%s", key.data);
    MUST(gk_guard_check(same, &sent.request, read, &decision, &err));
    /* It owns its bytes: all that it was made of may go. */
    memset(&sent, 'x', sizeof sent);
    gk_guard_free(same);
    gk_guard_demand_free(read);
    const gk_access *who = gk_guard_decision_access(decision);
    CHECK(gk_access_kind_of(who) == GK_ACCESS_API_KEY);
    CHECK(str_is(gk_access_kind_name(who), "api_key"));
    CHECK(gk_access_proved_by(who) == GK_PROVED_BY_KEY && !gk_access_is_anonymous(who));
    CHECK(str_is(gk_access_subject(who), "acme") && str_is(gk_access_tenant(who), "bank"));
    CHECK(gk_access_issuer(who).data == NULL && gk_access_session(who).data == NULL);
    const gk_str id = gk_access_key_id(who), client = gk_access_client_id(who);
    CHECK(id.len == 12 && memcmp(id.data, client.data, 12) == 0 && client.len == 12);
    CHECK(memcmp(id.data, key.data + strlen("gk_live_"), 12) == 0);
    CHECK(gk_access_scopes_len(who) == 1 && str_is(gk_access_scope_at(who, 0), "orders:read"));
    CHECK(gk_access_has_scope(who, GK_TEXT("orders:read")));
    CHECK(!gk_access_has_scope(who, GK_TEXT("orders")) && !gk_access_has_scope(who, NULL, 0));
    CHECK(!gk_access_expires_at(who, &seconds) && seconds == 0);
    CHECK(str_is(gk_access_claims_json(who), "{}") && gk_access_other(who) == NULL);
    MUST(gk_access_key_record(who, &text, &err));
    CHECK(strstr(text.data, "\"name\":\"tills\"") != NULL);
    CHECK(strstr(text.data, "\"shop\":7") != NULL);
    gk_buf_free(&text);
    MUST(gk_access_address(who, &text, &err));
    CHECK(buf_is(text, PEER));
    gk_buf_free(&text);
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("RateLimit")), "\"key\";r=9;t=6"));
    CHECK(gk_guard_decision_body(decision).data == NULL);
    gk_guard_decision_free(decision);
    gk_buf_free(&key);
}

static void by_session(void) {
    const struct jar jar = logged_in("alice");
    gk_guard_demand *read = demanding("orders:read");
    gk_guard_decision *decision = NULL;
    gk_buf text = {NULL, 0};
    uint64_t seconds = 0;
    int64_t number = 0;
    bool truth = false;
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    sent.request.peer = (gk_str){NULL, 0};
    MUST(gk_guard_check(world.guard, &sent.request, read, &decision, &err));
    const gk_access *who = gk_guard_decision_access(decision);
    CHECK(gk_access_kind_of(who) == GK_ACCESS_SESSION);
    CHECK(gk_access_proved_by(who) == GK_PROVED_BY_COOKIE);
    CHECK(str_is(gk_access_issuer(who), OWN) && str_is(gk_access_subject(who), "alice"));
    CHECK(gk_access_session(who).len == 12 && gk_access_key_id(who).data == NULL);
    CHECK(memcmp(gk_access_session(who).data, jar.values[1] + strlen("gkr_"), 12) == 0);
    CHECK(gk_access_expires_at(who, &seconds) && seconds == now_seconds + 900);
    CHECK(str_is(gk_access_claim_json(who, GK_TEXT("sub")), "\"alice\""));
    CHECK(gk_access_claim_json(who, GK_TEXT("absent")).data == NULL);
    MUST(gk_access_claim_str(who, GK_TEXT("tenant"), &text, &err));
    CHECK(buf_is(text, "bank"));
    gk_buf_free(&text);
    MUST(gk_access_claim_i64(who, GK_TEXT("level"), &number, &err));
    MUST(gk_access_claim_bool(who, GK_TEXT("staff"), &truth, &err));
    CHECK(number == 7 && truth);
    FAILS(GK_STATUS_INVALID_CLAIM, gk_access_claim_str(who, GK_TEXT("level"), &text, &err));
    FAILS(GK_STATUS_INVALID_CLAIM, gk_access_claim_i64(who, GK_TEXT("staff"), &number, &err));
    FAILS(GK_STATUS_INVALID_CLAIM, gk_access_claim_bool(who, GK_TEXT("tenant"), &truth, &err));
    FAILS(GK_STATUS_MISSING_CLAIM, gk_access_claim_bool(who, GK_TEXT("absent"), &truth, &err));
    CHECK(number == 0 && !truth && text.data == NULL);
    MUST(gk_access_key_record(who, &text, &err));
    CHECK(text.data == NULL);
    MUST(gk_access_address(who, &text, &err));
    CHECK(text.data == NULL);
    gk_guard_decision_free(decision);
    gk_guard_demand_free(read);
}

/* A key and a user; demands of claims, tenants, ways to sign in. */
static void demands(void) {
    const struct jar jar = logged_in("alice");
    gk_buf key = new_key(NULL, 0);
    gk_guard_decision *decision = NULL;
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_kind(builder, GK_ACCESS_SESSION);
    gk_guard_demand_builder_kind(builder, GK_ACCESS_JWT);
    gk_guard_demand_builder_pair(builder, GK_ACCESS_API_KEY);
    gk_guard_demand_builder_same_tenant(builder);
    gk_guard_demand *pair = NULL;
    MUST(gk_guard_demand_builder_build(builder, &pair, &err));
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    CHECK(http(pair) == 401);
    adds(&sent, "X-API-Key", "%s", key.data);
    MUST(gk_guard_check(world.guard, &sent.request, pair, &decision, &err));
    const gk_access *who = gk_guard_decision_access(decision), *other = gk_access_other(who);
    CHECK(str_is(gk_access_subject(who), "alice") && str_is(gk_access_subject(other), "acme"));
    CHECK(gk_access_proved_by(other) == GK_PROVED_BY_KEY && gk_access_other(other) == NULL);
    gk_guard_decision_free(decision);
    gk_guard_demand_free(pair);
    gk_guard_demand_builder_same_subject(builder);
    pair = built(builder);
    CHECK(http(pair) == 400);
    gk_guard_demand_free(pair);

#define DEMANDS(status, setter, ...)                                                               \
    do {                                                                                           \
        gk_guard_demand_builder *one = gk_guard_demand_builder_new();                              \
        gk_guard_demand_builder_##setter(one, __VA_ARGS__);                                        \
        gk_guard_demand *demand = built(one);                                                      \
        CHECK(http(demand) == (status));                                                           \
        gk_guard_demand_free(demand);                                                              \
    } while (0)
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    DEMANDS(200, claim, GK_TEXT("level"), GK_TEXT("7"));
    DEMANDS(401, claim, GK_TEXT("level"), GK_TEXT("8"));
    DEMANDS(200, any_scope, GK_TEXT("orders:read"));
    DEMANDS(403, any_scope, GK_TEXT("orders:write"));
    DEMANDS(200, tenant, GK_TEXT("bank"));
    DEMANDS(401, tenant, GK_TEXT("acme"));
    DEMANDS(200, max_age, 60);
    DEMANDS(401, acr_value, GK_TEXT("mfa"));
    CHECK(err.status == GK_STATUS_INSUFFICIENT_AUTHENTICATION);
    DEMANDS(401, kind, GK_ACCESS_API_KEY);
    builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_fresh(builder);
    gk_guard_demand *fresh = built(builder);
    CHECK(http(fresh) == 200);
    gk_guard_demand *of_bank = NULL, *of_nobody = NULL;
    MUST(gk_guard_demand_in_tenant(fresh, GK_TEXT("bank"), &of_bank, &err));
    MUST(gk_guard_demand_in_tenant(fresh, NULL, 0, &of_nobody, &err));
    gk_guard_demand_free(fresh);
    CHECK(http(of_bank) == 200 && http(of_nobody) == 401);
    gk_guard_demand_free(of_nobody);
    gk_guard_demand_free(of_bank);
    gk_buf_free(&key);
}

/* ---- what a service says itself ---- */

static void refusals_of_the_program(void) {
    gk_guard_demand *read = demanding("orders:read");
    gk_guard_decision *decision = NULL;
    gk_buf text = {NULL, 0};
    FAILS(GK_STATUS_INSUFFICIENT_SCOPE,
          gk_guard_refuse(world.guard, GK_STATUS_INSUFFICIENT_SCOPE, read, &decision, &err));
    CHECK(gk_guard_decision_http_status(decision) == 403);
    CHECK(strstr(gk_guard_decision_header(decision, GK_TEXT("WWW-Authenticate")).data,
                 "scope=\"orders:read\"") != NULL);
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("Content-Type")),
                 "application/problem+json"));
    CHECK(gk_guard_decision_error(decision, &err) == GK_STATUS_INSUFFICIENT_SCOPE);
    gk_guard_decision_free(decision);
    static const gk_status NONE[] = {GK_STATUS_OK, -1, 424242};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        FAILS(GK_STATUS_INTERNAL, gk_guard_refuse(world.guard, NONE[i], read, &decision, &err));
        CHECK(gk_guard_decision_http_status(decision) == 500);
        gk_guard_decision_free(decision);
    }
    MUST(gk_guard_metadata(world.guard, &text, &err));
    CHECK(strstr(text.data, "\"resource\":\"" API "\"") != NULL);
    gk_buf_free(&text);
    MUST(gk_guard_metadata_path(world.guard, &text, &err));
    CHECK(buf_is(text, "/.well-known/oauth-protected-resource"));
    gk_buf_free(&text);
    /* Of no API, of no sessions: with headers of its own. */
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_api_keys(builder, world.keys);
    gk_guard_builder_api_key_header(builder, GK_TEXT("X-Shop-Key"));
    gk_guard_builder_realm(builder, GK_TEXT("shop"));
    gk_guard *small = guard_of(builder);
    MUST(gk_guard_metadata_path(small, &text, &err));
    CHECK(text.data == NULL);
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_guard_log_in(small, GK_TEXT("alice"), NULL, &decision, &err));
    CHECK(decision == NULL);
    asks(&sent, "GET", "/orders");
    CHECK(gk_guard_check(small, &sent.request, read, &decision, &err) ==
          GK_STATUS_MISSING_CREDENTIALS);
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("Vary")), "Authorization, X-Shop-Key"));
    CHECK(strstr(gk_guard_decision_header(decision, GK_TEXT("WWW-Authenticate")).data,
                 "realm=\"shop\"") != NULL);
    gk_guard_decision_free(decision);
    gk_buf key = new_key(NULL, 0);
    adds(&sent, "x-shop-key", "%s", key.data);
    CHECK(http_by(small, read) == 200);
    gk_buf_free(&key);
    gk_guard_free(small);
    gk_guard_demand_free(read);
}

/* What no caller of a guard can ever meet, before there is a request. */
static void demands_that_cannot_be_met(void) {
    gk_guard_builder *guards = gk_guard_builder_new();
    gk_guard_builder_api_keys(guards, world.keys);
    gk_guard *keys_alone = guard_of(guards);
    gk_guard_decision *decision = NULL;
    for (int i = 0; i < 5; i++) {
        static const char *const NAMES[] = {"kinds", "kinds", "pair", "limit", "limit"};
        gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
        if (i == 0) gk_guard_demand_builder_kind(builder, GK_ACCESS_SESSION);
        if (i == 1) gk_guard_demand_builder_max_age(builder, 60);
        if (i == 2) gk_guard_demand_builder_kind(builder, GK_ACCESS_API_KEY);
        if (i == 2) gk_guard_demand_builder_pair(builder, GK_ACCESS_SESSION);
        if (i == 3) gk_guard_demand_builder_limit(builder, GK_TEXT("pay"), GK_TEXT("5/min"));
        if (i == 4) gk_guard_demand_builder_limit(builder, GK_TEXT("pay"), GK_TEXT("6/min"));
        gk_guard_demand *demand = built(builder);
        if (i == 3) {
            MUST(gk_guard_check_demand(keys_alone, demand, &err)); /* the first is the one */
        } else {
            FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_guard_check_demand(keys_alone, demand, &err));
            CHECK(strcmp(gk_error_claim(&err), NAMES[i]) == 0);
            asks(&sent, "GET", "/orders");
            FAILS(GK_STATUS_INVALID_CONFIGURATION,
                  gk_guard_check(keys_alone, &sent.request, demand, &decision, &err));
            CHECK(gk_guard_decision_http_status(decision) == 500);
            gk_guard_decision_free(decision);
        }
        if (i < 3) MUST(gk_guard_check_demand(world.guard, demand, &err));
        gk_guard_demand_free(demand);
    }
    gk_guard_free(keys_alone);
}

/* ---- event loops ---- */

#define ACTIVE                                                                                     \
    "{\"active\":true,\"aud\":\"" API "\",\"sub\":\"alice\",\"scope\":\"orders:read\","            \
    "\"exp\":1800009000,\"iat\":1800000000,\"iss\":\"" OTHER "\"}"

/* One question for two requests with the same token, and none for what memory knows. */
static void questions_are_shared(void) {
    gk_guard_demand *read = demanding("orders:read");
    gk_guard_attempt *one = gk_guard_attempt_new(), *two = gk_guard_attempt_new();
    gk_guard_decision *decision = NULL;
    gk_operation *operation = NULL;
    /* Of tokens alone: a strict list of revocations is looked up each time. */
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_tokens(builder, world.tokens);
    gk_guard *guard = guard_of(builder);
    world.answer = ACTIVE;
    asks(&sent, "GET", "/orders");
    adds(&sent, "Authorization", "Bearer an-opaque-token");
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_guard_try_check(guard, &sent.request, read, &decision, &err));
    CHECK(decision == NULL && gk_guard_decision_http_status(decision) == 500);
    gk_guard_attempt *both[] = {one, two};
    for (int i = 0; i < 2; i++) {
        FAILS(GK_STATUS_STORE_UNAVAILABLE,
              gk_guard_attempt_check(both[i], guard, &sent.request, read, &decision, &err));
        CHECK(decision == NULL && gk_guard_attempt_about(both[i]).data != NULL);
    }
    const gk_str about = gk_guard_attempt_about(one);
    CHECK(about.len == gk_guard_attempt_about(two).len &&
          memcmp(about.data, gk_guard_attempt_about(two).data, about.len) == 0);
    MUST(gk_guard_attempt_operation(one, &operation, &err));
    CHECK(gk_guard_attempt_about(one).data == NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_guard_attempt_told(one, operation, &err));
    const int questions = world.questions;
    answers(&world, operation);
    gk_json *nothing = NULL;
    MUST(gk_operation_json(operation, &nothing, &err));
    CHECK(gk_json_kind_of(nothing) == GK_JSON_NULL);
    gk_json_free(nothing);
    for (int i = 0; i < 2; i++) {
        MUST(gk_guard_attempt_told(both[i], operation, &err));
        MUST(gk_guard_attempt_check(both[i], guard, &sent.request, read, &decision, &err));
        const gk_access *who = gk_guard_decision_access(decision);
        CHECK(gk_access_kind_of(who) == GK_ACCESS_OPAQUE && str_is(gk_access_issuer(who), OTHER));
        gk_guard_decision_free(decision);
        gk_guard_attempt_free(both[i]);
    }
    gk_operation_free(operation);
    CHECK(world.questions == questions + 1);
    /* It is remembered. */
    MUST(gk_guard_try_check(guard, &sent.request, read, &decision, &err));
    gk_guard_decision_free(decision);
    gk_guard_free(guard);
    gk_guard_demand_free(read);
}

/* What needs to ask takes nothing: the limit is taken from once, by what is decided. A server that
 * does not answer is 503. */
static void what_needs_to_ask(void) {
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_limit(builder, GK_TEXT("asks"), GK_TEXT("1/min"));
    gk_guard_demand *once = built(builder), *read = demanding(NULL);
    gk_guard_decision *decision = NULL;
    const int questions = world.questions;
    asks(&sent, "GET", "/orders");
    adds(&sent, "Authorization", "Bearer somebody-knows");
    for (int i = 0; i < 3; i++) {
        FAILS(GK_STATUS_STORE_UNAVAILABLE,
              gk_guard_try_check(world.guard, &sent.request, once, &decision, &err));
        CHECK(decision == NULL);
    }
    CHECK(http(once) == 200 && world.questions == questions + 1);
    CHECK(http(once) == 429);
    /* A failure that nothing remembers is the answer of the request that was told. */
    gk_guard_attempt *attempt = gk_guard_attempt_new();
    gk_operation *failed = NULL;
    gk_step step;
    asks(&sent, "GET", "/orders");
    adds(&sent, "Authorization", "Bearer another-one");
    CHECK(gk_guard_attempt_check(attempt, world.guard, &sent.request, read, &decision, &err) ==
          GK_STATUS_STORE_UNAVAILABLE);
    CHECK(decision == NULL && gk_guard_attempt_about(attempt).data != NULL);
    MUST(gk_oauth_client_client_credentials(world.asking, NULL, &failed, &err));
    const gk_status why = gk_operation_next(failed, &step, &err); /* it has no such endpoint */
    MUST(gk_guard_attempt_told(attempt, failed, &err));
    CHECK(gk_guard_attempt_check(attempt, world.guard, &sent.request, read, &decision, &err) ==
          why);
    CHECK(why != GK_STATUS_OK && told(decision, why) >= 500);
    gk_operation_free(failed);
    gk_guard_attempt_free(attempt);

    world.is_gone = true;
    asks(&sent, "GET", "/orders");
    adds(&sent, "Authorization", "Bearer nobody-knows");
    CHECK(decided(&world, &sent.request, read, &decision) != GK_STATUS_OK);
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("Retry-After")), "1"));
    CHECK(told(decision, gk_guard_decision_error(decision, NULL)) == 503);
    world.is_gone = false;
    gk_guard_demand_free(read);
    gk_guard_demand_free(once);
}

/* ---- threads ---- */

static gk_guard_demand *shared;
static gk_buf shared_key;

static void *asks_often(void *unused) {
    struct sent *own = malloc(sizeof *own);
    gk_error why;
    for (int i = 0; i < 50; i++) {
        gk_guard_decision *decision = NULL;
        asks(own, "GET", "/orders");
        adds(own, "X-API-Key", "%s%s", shared_key.data, i % 2 == 0 ? "" : "x");
        const gk_status status =
            gk_guard_check(world.guard, &own->request, shared, &decision, &why);
        CHECK((status == GK_STATUS_OK) == (i % 2 == 0));
        CHECK(gk_guard_decision_http_status(decision) == (i % 2 == 0 ? 200 : 401));
        gk_guard_decision_free(decision);
    }
    free(own);
    return unused;
}

static void threads(void) {
    pthread_t all[4];
    shared = demanding("orders:read");
    shared_key = new_key(NULL, 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&all[i], NULL, asks_often, NULL) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(all[i], NULL) == 0);
    gk_buf_free(&shared_key);
    gk_guard_demand_free(shared);
}

int main(void) {
    begin(&world, false);
    log_in_refresh_and_log_out();
    own_pages();
    by_key();
    by_session();
    demands();
    refusals_of_the_program();
    demands_that_cannot_be_met();
    questions_are_shared();
    what_needs_to_ask();
    threads();
    end(&world);
    return passed("guard");
}
