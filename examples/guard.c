/* A service behind one guard: API keys for machines, sessions in cookies for browsers. What a
 * library for HTTP has of a request goes in; what it is to answer comes out. */
#include "must.h"

#define LENT(text) (int)(text).len, (text).data

/* GET /orders, as a server would answer it. */
static void orders(const gk_guard *guard, const gk_guard_demand *read, gk_header header) {
    gk_guard_request request = {{GK_TEXT("GET")}, {GK_TEXT("/orders")}, &header, 1, {0}, {0}, 0};
    gk_guard_decision *decision;
    request.peer = (gk_str){GK_TEXT("192.0.2.7")}; /* of the socket */
    if (gk_guard_check(guard, &request, read, &decision, &err) == GK_STATUS_OK) {
        const gk_access *who = gk_guard_decision_access(decision);
        printf("200, the orders of %.*s, known by %.*s\n", LENT(gk_access_subject(who)),
               LENT(gk_access_kind_name(who)));
    } else {
        printf("%d, for the log: %s\n", gk_guard_decision_http_status(decision), err.message);
        for (size_t i = 0; i < gk_guard_decision_headers_len(decision); i++) {
            const gk_header own = gk_guard_decision_header_at(decision, i);
            printf("    %s: %s\n", own.name.data, own.value.data);
        }
        printf("    %s\n", gk_guard_decision_body(decision).data);
    }
    gk_guard_decision_free(decision);
}

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///guard.sqlite";
    static const uint8_t secret[32] = {7}; /* random bytes, from a file, in production */
    gk_store *store;
    gk_api_keys *keys;
    gk_key_ring *ring;
    gk_signer_builder *signing;
    gk_signer *signer;
    gk_sessions *sessions;
    gk_csrf *csrf;
    gk_session_cookies_builder *baking;
    gk_session_cookies *cookies;
    gk_guard *guard;
    gk_guard_demand *read;

    must(gk_store_open(url, strlen(url), NULL, &store, &err));
    must(gk_store_api_keys(store, NULL, &keys, &err));
    must(gk_store_key_ring(store, GK_TEXT("default"), NULL, &ring, &err));
    must(gk_signer_builder_following(ring, &signing, &err));
    must(gk_signer_builder_build(signing, &signer, &err));
    must(gk_store_sessions(store, signer, NULL, &sessions, &err));
    must(gk_csrf_new(secret, sizeof secret, 0, &csrf, &err));
    must(gk_session_cookies_builder_new(csrf, &baking, &err));
    must(gk_session_cookies_builder_build(baking, &cookies, &err));
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_api_keys(builder, keys);
    gk_guard_builder_sessions(builder, sessions);
    gk_guard_builder_cookies(builder, cookies);
    gk_guard_builder_origin(builder, GK_TEXT("https://shop.example"));
    must(gk_guard_builder_build(builder, &guard, &err));

    /* Once, where the route is made. */
    gk_guard_demand_builder *demand = gk_guard_demand_builder_new();
    gk_guard_demand_builder_scope(demand, GK_TEXT("orders:read"));
    must(gk_guard_demand_builder_build(demand, &read, &err));

    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_issued_api_key issued;
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    gk_api_key_spec_scope(spec, GK_TEXT("orders:read"));
    must(gk_api_keys_create(keys, spec, &issued, &err));
    orders(guard, read,
           (gk_header){{GK_TEXT("X-API-Key")}, {issued.secret.data, issued.secret.len}});
    orders(guard, read, (gk_header){{GK_TEXT("Accept")}, {GK_TEXT("*/*")}});

    /* POST /log-in, once the password was right. */
    gk_claims *claims = gk_claims_new();
    gk_session_spec *session = gk_session_spec_new();
    gk_guard_decision *begun;
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("orders:read"));
    gk_session_spec_claims(session, claims);
    must(gk_guard_log_in(guard, GK_TEXT("alice"), session, &begun, &err));
    const gk_str cookie = gk_guard_decision_header(begun, GK_TEXT("Set-Cookie"));
    orders(guard, read, (gk_header){{GK_TEXT("Cookie")}, {cookie.data, strcspn(cookie.data, ";")}});

    gk_guard_decision_free(begun);
    gk_session_spec_free(session);
    gk_claims_free(claims);
    gk_issued_api_key_free(&issued);
    gk_api_key_spec_free(spec);
    gk_guard_demand_free(read);
    gk_guard_demand_builder_free(demand);
    gk_guard_free(guard);
    gk_guard_builder_free(builder);
    gk_session_cookies_free(cookies);
    gk_session_cookies_builder_free(baking);
    gk_csrf_free(csrf);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_signer_builder_free(signing);
    gk_key_ring_free(ring);
    gk_api_keys_free(keys);
    gk_store_free(store);
}
