/* What the programs about the guard share: demands, keys, a browser's cookies, and what is answered
 * to the request in `sent`. */
#ifndef GATEKEY_TESTS_GUARDED_H
#define GATEKEY_TESTS_GUARDED_H

#include "guard.h"

static gk_error err;
static struct world world;
static struct sent sent;

/* A demand of this scope, or of any caller for NULL. */
static inline gk_guard_demand *demanding(const char *scope) {
    gk_guard_demand *demand = NULL;
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    if (scope != NULL) gk_guard_demand_builder_scope(builder, scope, strlen(scope));
    MUST(gk_guard_demand_builder_build(builder, &demand, &err));
    gk_guard_demand_builder_free(builder);
    return demand;
}

static inline gk_guard_demand *built(gk_guard_demand_builder *builder) {
    gk_guard_demand *demand = NULL;
    MUST(gk_guard_demand_builder_build(builder, &demand, &err));
    gk_guard_demand_builder_free(builder);
    return demand;
}

/* The HTTP status of a decision, which is freed, and in `err` why. */
static inline int told(gk_guard_decision *decision, gk_status status) {
    CHECK(decision != NULL && gk_guard_decision_error(decision, &err) == status);
    CHECK(gk_guard_decision_is_allowed(decision) == (status == GK_STATUS_OK));
    const int http = gk_guard_decision_http_status(decision);
    CHECK((http == 200) == (status == GK_STATUS_OK));
    gk_guard_decision_free(decision);
    return http;
}

/* What a guard answers to what is in `sent`, where it may wait. */
static inline int http_by(const gk_guard *guard, const gk_guard_demand *demand) {
    gk_guard_decision *decision = NULL;
    const gk_status status = gk_guard_check(guard, &sent.request, demand, &decision, &err);
    return told(decision, status);
}

/* What the world's guard answers, on an event loop. */
static inline int http(const gk_guard_demand *demand) {
    gk_guard_decision *decision = NULL;
    const gk_status status = decided(&world, &sent.request, demand, &decision);
    return told(decision, status);
}

/* An API key of acme's with these networks and rate, or neither. */
static inline gk_buf new_key(const char *cidr, uint32_t burst) {
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_issued_api_key issued;
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    gk_api_key_spec_name(spec, GK_TEXT("tills"));
    gk_api_key_spec_meta(spec, GK_TEXT("{\"shop\":7}"));
    gk_api_key_spec_tenant(spec, GK_TEXT("bank"));
    gk_api_key_spec_scope(spec, GK_TEXT("orders:read"));
    if (cidr != NULL) gk_api_key_spec_cidr(spec, cidr, strlen(cidr));
    if (burst > 0) gk_api_key_spec_rate(spec, burst, 60);
    MUST(gk_api_keys_create(world.keys, spec, &issued, &err));
    gk_buf_free(&issued.record);
    gk_api_key_spec_free(spec);
    return issued.secret;
}

/* ---- a browser ---- */

/* What a browser keeps: the values of access, refresh and csrf. */
struct jar {
    char values[3][2048];
};

static const char *const COOKIES[] = {"__Host-access=", "__Host-refresh=", "__Host-csrf="};

/* Takes over the cookies of an answer; how many there were. */
static inline int take(struct jar *jar, const gk_guard_decision *decision) {
    int taken = 0;
    for (size_t i = 0; i < gk_guard_decision_headers_len(decision); i++) {
        const gk_header header = gk_guard_decision_header_at(decision, i);
        if (!str_is(header.name, "Set-Cookie")) continue;
        for (size_t which = 0; which < 3; which++) {
            const size_t begin = strlen(COOKIES[which]);
            if (strncmp(header.value.data, COOKIES[which], begin) != 0) continue;
            const size_t len = strcspn(header.value.data + begin, ";");
            CHECK(len < sizeof jar->values[which]);
            memcpy(jar->values[which], header.value.data + begin, len);
            jar->values[which][len] = 0;
            taken++;
        }
    }
    return taken;
}

static inline struct jar logged_in(const char *subject) {
    struct jar jar = {{{0}}};
    gk_guard_decision *decision = NULL;
    gk_claims *claims = NULL;
    gk_session_spec *spec = gk_session_spec_new();
    MUST(gk_claims_from_json(
        GK_TEXT("{\"scope\":\"orders:read\",\"tenant\":\"bank\",\"level\":7,\"staff\":true}"),
        &claims, &err));
    gk_session_spec_claims(spec, claims);
    MUST(gk_guard_log_in(world.guard, subject, strlen(subject), spec, &decision, &err));
    CHECK(gk_guard_decision_is_allowed(decision));
    CHECK(take(&jar, decision) == 3);
    CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("Cache-Control")), "no-store"));
    gk_guard_decision_free(decision);
    gk_session_spec_free(spec);
    gk_claims_free(claims);
    return jar;
}

/* The cookies of a request. */
static inline void adds_cookies(const struct jar *jar) {
    adds(&sent, "Cookie", "theme=dark; __Host-access=%s; __Host-refresh=%s; __Host-csrf=%s",
         jar->values[0], jar->values[1], jar->values[2]);
}

/* A request of our own page. */
static inline void page(const struct jar *jar, const char *method, const char *path) {
    asks(&sent, method, path);
    adds_cookies(jar);
    adds(&sent, "Origin", OWN);
    adds(&sent, "X-CSRF-Token", "%s", jar->values[2]);
}

#endif /* GATEKEY_TESTS_GUARDED_H */
