/* The guard with NULL and with wrong arguments: every function of it. Fails when tests/symbols.txt
 * names one that is not called here.
 *
 * usage: guard_arguments ROOT, the directory of the repository */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "guard.h"
#include "refuse.h"

static gk_error err;
static struct world world;
static struct sent sent;
static gk_guard_demand *demand;
static int releases;

/* ---- what is put together ---- */

static gk_session_cookies_builder *fresh_gk_session_cookies_builder(void) {
    gk_csrf *csrf = NULL;
    gk_session_cookies_builder *fresh = NULL;
    MUST(gk_csrf_new(CSRF, sizeof CSRF, 0, &csrf, &err));
    MUST(CALL(gk_session_cookies_builder_new)(csrf, &fresh, &err));
    gk_csrf_free(csrf);
    return fresh;
}
static gk_status use_gk_session_cookies_builder(const gk_session_cookies_builder *built,
                                                gk_error *why) {
    gk_session_cookies *made = NULL;
    const gk_status status = gk_session_cookies_builder_build(built, &made, why);
    CHECK((made != NULL) == (status == GK_STATUS_OK));
    CALL(gk_session_cookies_free)(made);
    return status;
}

static gk_guard_builder *fresh_gk_guard_builder(void) {
    gk_guard_builder *fresh = CALL(gk_guard_builder_new)();
    gk_guard_builder_api_keys(fresh, world.keys);
    return fresh;
}
static gk_status use_gk_guard_builder(const gk_guard_builder *built, gk_error *why) {
    gk_guard *made = NULL;
    const gk_status status = gk_guard_builder_build(built, &made, why);
    CHECK((made != NULL) == (status == GK_STATUS_OK));
    CALL(gk_guard_free)(made);
    return status;
}

static gk_guard_demand_builder *fresh_gk_guard_demand_builder(void) {
    return CALL(gk_guard_demand_builder_new)();
}
static gk_status use_gk_guard_demand_builder(const gk_guard_demand_builder *built, gk_error *why) {
    gk_guard_demand *made = NULL;
    const gk_status status = gk_guard_demand_builder_build(built, &made, why);
    CHECK((made != NULL) == (status == GK_STATUS_OK));
    CALL(gk_guard_demand_free)(made);
    return status;
}

static void cookies(void) {
    gk_buf header = {NULL, 0};
    NO_HANDLE(gk_session_cookies_builder, gk_session_cookies_builder_new, NULL);
    TEXT_SETTER(gk_session_cookies_builder, gk_session_cookies_builder_refresh_path);
    IGNORED(gk_session_cookies_builder_name, NULL, GK_SESSION_COOKIE_CSRF, TEXT);
    for (gk_session_cookie which = -1; which <= 3; which += 4) {
        STICKS(gk_session_cookies_builder, gk_session_cookies_builder_name, which, TEXT);
        NO_BUF(gk_session_cookies_clear, world.cookies, which);
        CHECK(CALL(gk_session_cookies_name)(world.cookies, which).data == NULL);
    }
    STICKS(gk_session_cookies_builder, gk_session_cookies_builder_name, GK_SESSION_COOKIE_CSRF,
           NOTEXT);
    STICKS(gk_session_cookies_builder, gk_session_cookies_builder_name, GK_SESSION_COOKIE_CSRF,
           LATIN1);
    STICKS(gk_session_cookies_builder, gk_session_cookies_builder_same_site, 7);
    IGNORED(gk_session_cookies_builder_same_site, NULL, GK_SAME_SITE_LAX);
    IGNORED(gk_session_cookies_builder_danger_allow_http, NULL);
    NO_HANDLE(gk_session_cookies, gk_session_cookies_builder_build, NULL);
    gk_session_cookies_builder *builder = fresh_gk_session_cookies_builder();
    REFUSED(gk_session_cookies_builder_build, builder, NULL);
    gk_session_cookies_builder_name(builder, GK_SESSION_COOKIE_ACCESS, GK_TEXT("same"));
    gk_session_cookies_builder_name(builder, GK_SESSION_COOKIE_REFRESH, GK_TEXT("same"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_session_cookies_builder(builder, &err));
    CHECK(strcmp(gk_error_claim(&err), "names") == 0);
    CALL(gk_session_cookies_builder_free)(builder);
    gk_session_cookies_builder_free(NULL);
    gk_session_cookies_free(NULL);
    NO_BUF(gk_session_cookies_clear, NULL, GK_SESSION_COOKIE_ACCESS);
    REFUSED(gk_session_cookies_clear, world.cookies, GK_SESSION_COOKIE_ACCESS, NULL);
    CHECK(gk_session_cookies_name(NULL, GK_SESSION_COOKIE_ACCESS).data == NULL);
    CHECK(str_is(gk_session_cookies_name(world.cookies, GK_SESSION_COOKIE_CSRF), "__Host-csrf"));

    builder = fresh_gk_session_cookies_builder();
    gk_session_cookies *other = NULL;
    gk_session_cookies_builder_name(builder, GK_SESSION_COOKIE_REFRESH, GK_TEXT("again"));
    gk_session_cookies_builder_refresh_path(builder, GK_TEXT("/auth"));
    gk_session_cookies_builder_same_site(builder, GK_SAME_SITE_STRICT);
    MUST(gk_session_cookies_builder_build(builder, &other, &err));
    CHECK(str_is(gk_session_cookies_name(other, GK_SESSION_COOKIE_REFRESH), "__Secure-again"));
    CHECK(str_is(gk_session_cookies_name(other, GK_SESSION_COOKIE_ACCESS), "__Host-access"));
    MUST(gk_session_cookies_clear(other, GK_SESSION_COOKIE_REFRESH, &header, &err));
    CHECK(strncmp(header.data, "__Secure-again=; Path=/auth; Max-Age=0", 38) == 0);
    gk_buf_free(&header);
    MUST(gk_session_cookies_clear(other, GK_SESSION_COOKIE_ACCESS, &header, &err));
    CHECK(strstr(header.data, "SameSite=Strict") != NULL);
    gk_buf_free(&header);
    gk_session_cookies_free(other);
    gk_session_cookies_builder_free(builder);
}

/* A setting that no guard can be built with; the error names it. */
#define REFUSES(claim, setter, ...)                                                                \
    do {                                                                                           \
        gk_guard_builder *wrong = fresh_gk_guard_builder();                                        \
        setter(wrong, __VA_ARGS__);                                                                \
        FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_builder(wrong, &err));                 \
        CHECK(strcmp(gk_error_claim(&err), claim) == 0);                                           \
        gk_guard_builder_free(wrong);                                                              \
    } while (0)

static void builder(void) {
    IGNORED(gk_guard_builder_api_keys, NULL, world.keys);
    IGNORED(gk_guard_builder_sessions, NULL, world.sessions);
    IGNORED(gk_guard_builder_tokens, NULL, world.tokens);
    IGNORED(gk_guard_builder_revocations, NULL, world.revocations);
    IGNORED(gk_guard_builder_cookies, NULL, world.cookies);
    STICKS(gk_guard_builder, gk_guard_builder_api_keys, NULL);
    STICKS(gk_guard_builder, gk_guard_builder_sessions, NULL);
    STICKS(gk_guard_builder, gk_guard_builder_tokens, NULL);
    STICKS(gk_guard_builder, gk_guard_builder_revocations, NULL);
    STICKS(gk_guard_builder, gk_guard_builder_cookies, NULL);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_origin);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_trusted_proxy);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_forwarded_header);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_api_key_header);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_csrf_header);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_realm);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_metadata_url);
    TEXT_SETTER(gk_guard_builder, gk_guard_builder_limits);
    IGNORED(gk_guard_builder_exact_names, NULL);
    IGNORED(gk_guard_builder_ipv6_prefix, NULL, 64);
    releases = 0;
    IGNORED(gk_guard_builder_clock, NULL, now, &releases, released);
    CHECK(releases == 1);
    STICKS(gk_guard_builder, gk_guard_builder_clock, NULL, &releases, released);
    CHECK(releases == 2);
    NO_HANDLE(gk_guard, gk_guard_builder_build, NULL);
    gk_guard_builder *good = fresh_gk_guard_builder();
    REFUSED(gk_guard_builder_build, good, NULL);
    CALL(gk_guard_builder_free)(good);
    gk_guard_builder_free(NULL);

    /* What no header could carry, and what would let everybody in. */
    gk_guard_builder *nothing = gk_guard_builder_new();
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_builder(nothing, &err));
    gk_guard_builder_free(nothing);
    static const char *const REALMS[] = {"a\"", "a\r\nSet-Cookie: z=1", "\xc3\xa9", "", "a\\b"};
    for (size_t i = 0; i < sizeof REALMS / sizeof *REALMS; i++)
        REFUSES("realm", gk_guard_builder_realm, REALMS[i], strlen(REALMS[i]));
    REFUSES("cookies", gk_guard_builder_cookies, world.cookies);
    REFUSES("trusted_proxies", gk_guard_builder_trusted_proxy, TEXT);
    REFUSES("forwarded_header", gk_guard_builder_forwarded_header, GK_TEXT("Forwarded"));
    REFUSES("api_key_header", gk_guard_builder_api_key_header, GK_TEXT("two words"));
    REFUSES("csrf_header", gk_guard_builder_csrf_header, NULL, 0);
    REFUSES("ipv6_prefix", gk_guard_builder_ipv6_prefix, 31);
    REFUSES("ipv6_prefix", gk_guard_builder_ipv6_prefix, 129);
    REFUSES("origins", gk_guard_builder_origin, GK_TEXT("http://shop.example"));
    /* What was wrong with the tokens of others is told by the guard that has them. */
    gk_resource_server_builder *tokens = gk_resource_server_builder_new(LATIN1);
    gk_guard_builder *wrong = fresh_gk_guard_builder();
    gk_guard_builder_tokens(wrong, tokens);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_guard_builder(wrong, &err));
    CHECK(strstr(err.message, "`audience`") != NULL);
    gk_guard_builder_free(wrong);
    gk_resource_server_builder_free(tokens);
}

#define NEVER(claim, setter, ...)                                                                  \
    do {                                                                                           \
        gk_guard_demand_builder *never = fresh_gk_guard_demand_builder();                          \
        setter(never, __VA_ARGS__);                                                                \
        FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_demand_builder(never, &err));          \
        CHECK(strcmp(gk_error_claim(&err), claim) == 0);                                           \
        gk_guard_demand_builder_free(never);                                                       \
    } while (0)

static void demands(void) {
    TEXT_SETTER(gk_guard_demand_builder, gk_guard_demand_builder_scope);
    TEXT_SETTER(gk_guard_demand_builder, gk_guard_demand_builder_any_scope);
    TEXT_SETTER(gk_guard_demand_builder, gk_guard_demand_builder_tenant);
    TEXT_SETTER(gk_guard_demand_builder, gk_guard_demand_builder_acr_value);
    IGNORED(gk_guard_demand_builder_claim, NULL, TEXT, TEXT);
    STICKS(gk_guard_demand_builder, gk_guard_demand_builder_claim, NOTEXT, TEXT);
    STICKS(gk_guard_demand_builder, gk_guard_demand_builder_claim, TEXT, LATIN1);
    IGNORED(gk_guard_demand_builder_limit, NULL, TEXT, TEXT);
    STICKS(gk_guard_demand_builder, gk_guard_demand_builder_limit, LATIN1, TEXT);
    STICKS(gk_guard_demand_builder, gk_guard_demand_builder_limit, TEXT, NOTEXT);
    for (gk_access_kind kind = -1; kind <= 5; kind++) {
        if (kind >= GK_ACCESS_API_KEY && kind <= GK_ACCESS_OPAQUE) continue;
        STICKS(gk_guard_demand_builder, gk_guard_demand_builder_kind, kind);
        STICKS(gk_guard_demand_builder, gk_guard_demand_builder_pair, kind);
    }
    IGNORED(gk_guard_demand_builder_kind, NULL, GK_ACCESS_JWT);
    IGNORED(gk_guard_demand_builder_pair, NULL, GK_ACCESS_JWT);
    IGNORED(gk_guard_demand_builder_max_age, NULL, 1);
    IGNORED(gk_guard_demand_builder_fresh, NULL);
    IGNORED(gk_guard_demand_builder_cost, NULL, 1);
    IGNORED(gk_guard_demand_builder_csrf_always, NULL);
    IGNORED(gk_guard_demand_builder_danger_no_csrf, NULL);
    IGNORED(gk_guard_demand_builder_optional, NULL);
    IGNORED(gk_guard_demand_builder_own_pages, NULL);
    IGNORED(gk_guard_demand_builder_public, NULL);
    IGNORED(gk_guard_demand_builder_same_tenant, NULL);
    IGNORED(gk_guard_demand_builder_same_subject, NULL);
    NO_HANDLE(gk_guard_demand, gk_guard_demand_builder_build, NULL);
    gk_guard_demand_builder *some = fresh_gk_guard_demand_builder();
    REFUSED(gk_guard_demand_builder_build, some, NULL);

    /* What can never be met. */
    NEVER("scopes", gk_guard_demand_builder_scope, GK_TEXT("two scopes"));
    NEVER("any_scopes", gk_guard_demand_builder_any_scope, NULL, 0);
    NEVER("acr_values", gk_guard_demand_builder_acr_value, GK_TEXT("a\"b"));
    NEVER("tenant", gk_guard_demand_builder_tenant, GK_TEXT("a\nb"));
    NEVER("limit", gk_guard_demand_builder_limit, GK_TEXT("log-in"), GK_TEXT("often"));
    NEVER("limit", gk_guard_demand_builder_limit, GK_TEXT("log in"), GK_TEXT("5/min"));
    NEVER("pair", gk_guard_demand_builder_pair, GK_ACCESS_API_KEY);
    gk_guard_demand_builder *known = fresh_gk_guard_demand_builder();
    gk_guard_demand_builder_own_pages(known);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_demand_builder(known, &err));
    CHECK(strcmp(gk_error_claim(&err), "own_pages") == 0);
    gk_guard_demand_builder_free(known);
    gk_guard_demand_builder_same_tenant(some);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_demand_builder(some, &err));
    CHECK(strcmp(gk_error_claim(&err), "pair") == 0);
    CALL(gk_guard_demand_builder_free)(some);
    gk_guard_demand_builder_free(NULL);
    some = fresh_gk_guard_demand_builder();
    gk_guard_demand_builder_public(some);
    MUST(use_gk_guard_demand_builder(some, &err));
    gk_guard_demand *open = NULL, *narrower = NULL;
    MUST(gk_guard_demand_builder_build(some, &open, &err));
    CHECK(CALL(gk_guard_demand_is_public)(open) && !gk_guard_demand_is_public(NULL));
    gk_guard_demand *same = CALL(gk_guard_demand_clone)(open);
    gk_guard_demand_free(open);
    CHECK(gk_guard_demand_is_public(same) && gk_guard_demand_clone(NULL) == NULL);
    NO_HANDLE(gk_guard_demand, gk_guard_demand_in_tenant, NULL, TEXT);
    NO_HANDLE(gk_guard_demand, gk_guard_demand_in_tenant, same, NOTEXT);
    NO_HANDLE(gk_guard_demand, gk_guard_demand_in_tenant, same, LATIN1);
    REFUSED(gk_guard_demand_in_tenant, same, TEXT, NULL);
    MUST(gk_guard_demand_in_tenant(same, TEXT, &narrower, &err));
    gk_guard_demand_free(narrower);
    gk_guard_demand_free(same);
    gk_guard_demand_free(NULL);
    gk_guard_demand_builder_scope(some, TEXT); /* nobody is asked for it */
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_guard_demand_builder(some, &err));
    gk_guard_demand_builder_free(some);
}

/* ---- requests ---- */

static const gk_guard_request *request(void) {
    asks(&sent, "GET", "/orders");
    return &sent.request;
}

/* No decision of a request that cannot be read, by any call that takes one. */
static void refused(const gk_guard_request *wrong) {
    gk_guard_attempt *attempt = gk_guard_attempt_new();
    NO_HANDLE(gk_guard_decision, gk_guard_check, world.guard, wrong, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check, world.guard, wrong, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_attempt_check, attempt, world.guard, wrong, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_refresh, world.guard, wrong, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_log_out, world.guard, wrong);
    gk_guard_attempt_free(attempt);
}

static void requests(void) {
    const gk_header none[] = {{{NULL, 0}, {NULL, 0}}};
    const gk_header no_name[] = {{{NOTEXT}, {TEXT}}}, no_value[] = {{{TEXT}, {NOTEXT}}};
    const gk_header too_long[] = {{{"x", SIZE_MAX}, {TEXT}}};
    gk_guard_request wrong = *request();
    refused(NULL);
    wrong.method = (gk_str){NULL, 0};
    refused(&wrong);
    CHECK(strstr(err.message, "`method`") != NULL);
#define WITH(member, ...)                                                                          \
    wrong = *request();                                                                            \
    wrong.member = (gk_str){__VA_ARGS__};                                                          \
    refused(&wrong);                                                                               \
    CHECK(strstr(err.message, "`" #member "`") != NULL)
    WITH(method, NOTEXT);
    WITH(method, "x", SIZE_MAX);
    WITH(path, NOTEXT);
    WITH(path, "x", SIZE_MAX);
    WITH(peer, NOTEXT);
    WITH(peer, "x", SIZE_MAX);
    WITH(csrf_field, NOTEXT);
    WITH(csrf_field, "x", SIZE_MAX);
#define HEADERS(...)                                                                               \
    do {                                                                                           \
        const struct {                                                                             \
            const gk_header *all;                                                                  \
            size_t count;                                                                          \
        } given = {__VA_ARGS__};                                                                   \
        wrong = *request();                                                                        \
        wrong.headers = given.all, wrong.headers_len = given.count;                                \
        refused(&wrong);                                                                           \
        CHECK(strstr(err.message, "`headers`") != NULL);                                           \
    } while (0)
    HEADERS(NULL, 1);
    HEADERS(none, SIZE_MAX);
    HEADERS(none, SIZE_MAX / sizeof *none + 1);
    HEADERS(no_name, 1);
    HEADERS(no_value, 1);
    HEADERS(too_long, 1);
    HEADERS((const gk_header *)(const void *)((const char *)sent.headers + 1), 1);
    wrong = *request();
    wrong.flags = 4;
    refused(&wrong);
    CHECK(strstr(err.message, "`flags`") != NULL);
    /* A header without a name is a request's fault, and decided. */
    gk_guard_decision *decision = NULL;
    wrong = *request();
    wrong.headers = none, wrong.headers_len = 1;
    FAILS(GK_STATUS_MALFORMED_REQUEST,
          gk_guard_check(world.guard, &wrong, demand, &decision, &err));
    CHECK(gk_guard_decision_http_status(decision) == 400);
    gk_guard_decision_free(decision);

    NO_HANDLE(gk_guard_decision, gk_guard_check, NULL, request(), demand);
    NO_HANDLE(gk_guard_decision, gk_guard_check, world.guard, request(), NULL);
    REFUSED(gk_guard_check, world.guard, request(), demand, NULL);
    REFUSED(gk_guard_check_demand, NULL, demand);
    REFUSED(gk_guard_check_demand, world.guard, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check, NULL, request(), demand);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check, world.guard, request(), NULL);
    REFUSED(gk_guard_try_check, world.guard, request(), demand, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_refuse, NULL, GK_STATUS_EXPIRED, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_refuse, world.guard, GK_STATUS_EXPIRED, NULL);
    REFUSED(gk_guard_refuse, world.guard, GK_STATUS_EXPIRED, demand, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_log_in, NULL, TEXT, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_log_in, world.guard, NOTEXT, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_log_in, world.guard, LATIN1, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_log_in, world.guard, NULL, 0, NULL);
    REFUSED(gk_guard_log_in, world.guard, TEXT, NULL, NULL);
    gk_session_spec *spec = gk_session_spec_new();
    gk_session_spec_meta(spec, LATIN1);
    NO_HANDLE(gk_guard_decision, gk_guard_log_in, world.guard, TEXT, spec);
    gk_session_spec_free(spec);
    NO_HANDLE(gk_guard_decision, gk_guard_refresh, NULL, request(), NULL);
    REFUSED(gk_guard_refresh, world.guard, request(), NULL, NULL);
    gk_claims *claims = gk_claims_new();
    gk_claims_subject(claims, LATIN1);
    NO_HANDLE(gk_guard_decision, gk_guard_refresh, world.guard, request(), claims);
    gk_claims_free(claims);
    NO_HANDLE(gk_guard_decision, gk_guard_log_out, NULL, request());
    REFUSED(gk_guard_log_out, world.guard, request(), NULL);
    gk_buf token = {(char *)&err, 7}, cookie = {(char *)&err, 7};
    REFUSED(gk_guard_form_token, NULL, request(), &token, &cookie);
    CHECK(token.data == NULL && cookie.data == NULL);
    REFUSED(gk_guard_form_token, world.guard, NULL, &token, &cookie);
    REFUSED(gk_guard_form_token, world.guard, request(), NULL, &cookie);
    REFUSED(gk_guard_form_token, world.guard, request(), &cookie, NULL);
    NO_BUF(gk_guard_metadata, NULL);
    REFUSED(gk_guard_metadata, world.guard, NULL);
    NO_BUF(gk_guard_metadata_path, NULL);
    REFUSED(gk_guard_metadata_path, world.guard, NULL);
    NO_BUF(gk_guard_limits_state, NULL);
    REFUSED(gk_guard_limits_state, world.guard, NULL);
    CHECK(CALL(gk_guard_clone)(NULL) == NULL);
    gk_guard_free(NULL);
}

static void attempts(void) {
    gk_guard_attempt *attempt = CALL(gk_guard_attempt_new)();
    NO_HANDLE(gk_guard_decision, gk_guard_attempt_check, NULL, world.guard, request(), demand);
    NO_HANDLE(gk_guard_decision, gk_guard_attempt_check, attempt, NULL, request(), demand);
    NO_HANDLE(gk_guard_decision, gk_guard_attempt_check, attempt, world.guard, request(), NULL);
    REFUSED(gk_guard_attempt_check, attempt, world.guard, request(), demand, NULL);
    IGNORED(gk_guard_attempt_may_wait, NULL, true);
    CHECK(CALL(gk_guard_attempt_about)(NULL).data == NULL);
    CHECK(gk_guard_attempt_about(attempt).data == NULL);
    NO_HANDLE(gk_operation, gk_guard_attempt_operation, NULL);
    NO_HANDLE(gk_operation, gk_guard_attempt_operation, attempt);
    CHECK(strstr(err.message, "gk_guard_attempt_check") != NULL);
    REFUSED(gk_guard_attempt_operation, attempt, NULL);
    REFUSED(gk_guard_attempt_told, attempt, NULL);
    gk_operation *operation = NULL;
    MUST(gk_oauth_client_client_credentials(world.asking, NULL, &operation, &err));
    REFUSED(gk_guard_attempt_told, NULL, operation);
    REFUSED(gk_guard_attempt_told, attempt, operation); /* it is not over */
    gk_operation_free(operation);
    CALL(gk_guard_attempt_free)(attempt);
    gk_guard_attempt_free(NULL);
}

/* ---- answers ---- */

static void nothing_of_null(void) {
    uint64_t seconds = 9;
    gk_session_tokens tokens;
    CHECK(!CALL(gk_guard_decision_is_allowed)(NULL));
    CHECK(CALL(gk_guard_decision_http_status)(NULL) == 500);
    CHECK(CALL(gk_guard_decision_headers_len)(NULL) == 0);
    CHECK(CALL(gk_guard_decision_header_at)(NULL, 0).name.data == NULL);
    CHECK(CALL(gk_guard_decision_header)(NULL, TEXT).data == NULL);
    CHECK(CALL(gk_guard_decision_body)(NULL).data == NULL);
    CHECK(CALL(gk_guard_decision_access)(NULL) == NULL);
    REFUSED(gk_guard_decision_error, NULL);
    REFUSED(gk_guard_decision_tokens, NULL, &tokens);
    CHECK(tokens.access_token.data == NULL);
    CALL(gk_guard_decision_free)(NULL);

    CHECK(CALL(gk_access_kind_of)(NULL) == GK_ACCESS_ANONYMOUS);
    CHECK(CALL(gk_access_kind_name)(NULL).data == NULL);
    CHECK(CALL(gk_access_proved_by)(NULL) == GK_PROVED_BY_NOTHING);
    CHECK(CALL(gk_access_is_anonymous)(NULL));
    CHECK(CALL(gk_access_issuer)(NULL).data == NULL);
    CHECK(CALL(gk_access_subject)(NULL).data == NULL);
    CHECK(CALL(gk_access_tenant)(NULL).data == NULL);
    CHECK(CALL(gk_access_client_id)(NULL).data == NULL);
    CHECK(CALL(gk_access_scopes_len)(NULL) == 0);
    CHECK(CALL(gk_access_scope_at)(NULL, 0).data == NULL);
    CHECK(!CALL(gk_access_has_scope)(NULL, TEXT));
    CHECK(!CALL(gk_access_expires_at)(NULL, &seconds) && seconds == 0);
    CHECK(CALL(gk_access_claims_json)(NULL).data == NULL);
    CHECK(CALL(gk_access_claim_json)(NULL, TEXT).data == NULL);
    CHECK(CALL(gk_access_key_id)(NULL).data == NULL);
    CHECK(CALL(gk_access_session)(NULL).data == NULL);
    CHECK(CALL(gk_access_other)(NULL) == NULL);
    int64_t number = 9;
    bool truth = true;
    NO_BUF(gk_access_claim_str, NULL, TEXT);
    REFUSED(gk_access_claim_i64, NULL, TEXT, &number);
    REFUSED(gk_access_claim_bool, NULL, TEXT, &truth);
    CHECK(number == 0 && !truth);
    NO_BUF(gk_access_key_record, NULL);
    NO_BUF(gk_access_address, NULL);
}

static void nobody(void) {
    gk_guard_demand_builder *some = gk_guard_demand_builder_new();
    gk_guard_demand *open = NULL;
    gk_guard_decision *decision = NULL;
    gk_session_tokens tokens;
    gk_buf none = {NULL, 0};
    gk_guard_demand_builder_public(some);
    MUST(gk_guard_demand_builder_build(some, &open, &err));
    gk_guard_demand_builder_free(some);
    MUST(gk_guard_check(world.guard, request(), open, &decision, &err));
    const gk_access *access = gk_guard_decision_access(decision);
    CHECK(access != NULL && gk_access_is_anonymous(access));
    CHECK(gk_guard_decision_header_at(decision, SIZE_MAX).value.data == NULL);
    CHECK(gk_guard_decision_header(decision, NOTEXT).data == NULL);
    CHECK(gk_guard_decision_header(decision, LATIN1).data == NULL);
    CHECK(gk_guard_decision_header(decision, NULL, 0).data == NULL);
    CHECK(gk_guard_decision_error(decision, NULL) == GK_STATUS_OK);
    REFUSED(gk_guard_decision_tokens, decision, &tokens);
    CHECK(strstr(err.message, "gk_guard_log_in") != NULL);
    REFUSED(gk_guard_decision_tokens, decision, NULL);
    CHECK(gk_access_scope_at(access, SIZE_MAX).data == NULL);
    CHECK(!gk_access_has_scope(access, NOTEXT) && !gk_access_has_scope(access, LATIN1));
    CHECK(!gk_access_expires_at(access, NULL));
    CHECK(str_is(gk_access_claims_json(access), "{}"));
    CHECK(gk_access_claim_json(access, NOTEXT).data == NULL);
    CHECK(gk_access_claim_json(access, TEXT).data == NULL);
    NO_BUF(gk_access_claim_str, access, NOTEXT);
    REFUSED(gk_access_claim_str, access, TEXT, NULL);
    REFUSED(gk_access_claim_i64, access, TEXT, NULL);
    REFUSED(gk_access_claim_bool, access, TEXT, NULL);
    REFUSED(gk_access_key_record, access, NULL);
    REFUSED(gk_access_address, access, NULL);
    MUST(gk_access_key_record(access, &none, &err));
    CHECK(none.data == NULL);
    gk_guard_decision_free(decision);
    gk_guard_demand_free(open);
}

/* ---- tokens of before ---- */

static gk_former_tokens *fresh_gk_former_tokens(void) {
    gk_key *key = NULL;
    gk_key_set *set = NULL;
    MUST(gk_key_from_secret(CSRF, sizeof CSRF, GK_ALG_HS256, &key, &err));
    const gk_key *const keys[] = {key};
    MUST(gk_key_set_new(keys, 1, &set, &err));
    gk_former_tokens *fresh = CALL(gk_former_tokens_new)(set, TEXT, UINT64_MAX);
    gk_former_tokens_claim(fresh, TEXT, GK_TEXT("\"access\""));
    gk_key_set_free(set);
    gk_key_free(key);
    return fresh;
}
static gk_status use_gk_former_tokens(const gk_former_tokens *built, gk_error *why) {
    gk_guard_builder *guards = fresh_gk_guard_builder();
    CALL(gk_guard_builder_former_tokens)(guards, built);
    const gk_status status = use_gk_guard_builder(guards, why);
    gk_guard_builder_free(guards);
    return status;
}

static void former(void) {
    gk_former_tokens *wrong = gk_former_tokens_new(NULL, TEXT, 0);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_former_tokens(wrong, &err));
    CHECK(strstr(err.message, "`keys`") != NULL);
    CALL(gk_former_tokens_free)(wrong);
    gk_former_tokens_free(NULL);
    TEXT_SETTER(gk_former_tokens, gk_former_tokens_issuer);
    TEXT_SETTER(gk_former_tokens, gk_former_tokens_audience);
    IGNORED(gk_former_tokens_leeway, NULL, 0);
    IGNORED(gk_former_tokens_claim, NULL, TEXT, TEXT);
    STICKS(gk_former_tokens, gk_former_tokens_claim, NOTEXT, TEXT);
    STICKS(gk_former_tokens, gk_former_tokens_claim, TEXT, LATIN1);
    IGNORED(gk_guard_builder_former_tokens, NULL, NULL);
    STICKS(gk_guard_builder, gk_guard_builder_former_tokens, NULL);

    NO_HANDLE(gk_former_user, gk_guard_former_user, NULL, request());
    NO_HANDLE(gk_former_user, gk_guard_former_user, world.guard, NULL);
    REFUSED(gk_guard_former_user, world.guard, request(), NULL);
    CHECK(CALL(gk_former_user_subject)(NULL).data == NULL);
    CHECK(CALL(gk_former_user_claims_json)(NULL).data == NULL);
    IGNORED(gk_former_user_scope, NULL, TEXT);
    CALL(gk_former_user_free)(NULL);
    IGNORED(gk_guard_attempt_user, NULL, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_check_user, NULL, request(), NULL, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_check_user, world.guard, NULL, NULL, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_check_user, world.guard, request(), NULL, NULL);
    REFUSED(gk_guard_check_user, world.guard, request(), NULL, demand, NULL);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check_user, NULL, request(), NULL, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check_user, world.guard, NULL, NULL, demand);
    NO_HANDLE(gk_guard_decision, gk_guard_try_check_user, world.guard, request(), NULL, NULL);
    REFUSED(gk_guard_try_check_user, world.guard, request(), NULL, demand, NULL);
}

static const char *const HERE[] = {"gk_guard_", "gk_access_", "gk_session_cookies_", "gk_former_"};

int main(int argc, char **argv) {
    CHECK(argc == 2);
    begin(&world, false);
    cookies();
    builder();
    demands();
    gk_guard_demand_builder *some = gk_guard_demand_builder_new();
    MUST(gk_guard_demand_builder_build(some, &demand, &err));
    gk_guard_demand_builder_free(some);
    requests();
    attempts();
    former();
    nothing_of_null();
    nobody();
    gk_guard_demand_free(demand);
    end(&world);
    CHECK(all_called(argv[1], HERE, sizeof HERE / sizeof *HERE, true) == 121);
    return passed("guard_arguments");
}
