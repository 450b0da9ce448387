/* The access tokens of what a service had before, through the C ABI: whose they are, who looks that
 * user up, and until when. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "guarded.h"

#define UNTIL 1800100000

static const uint8_t SECRET[32] = {5};
static gk_key *secret_key;
static gk_key_set *secret_keys;

/* A guard that takes what one secret has signed, if it says that it is for access. */
static gk_guard *guard_until(uint64_t until) {
    gk_former_tokens *former = gk_former_tokens_new(secret_keys, GK_TEXT("user_id"), until);
    gk_former_tokens_claim(former, GK_TEXT("token_type"), GK_TEXT("\"access\""));
    gk_guard_builder *builder = guarding(&world);
    gk_guard_builder_former_tokens(builder, former);
    gk_former_tokens_free(former);
    return guard_of(builder);
}

/* A request with a token of these claims, which the library of before has signed. */
static void brings(const char *claims) {
    gk_signer_builder *builder = NULL;
    gk_claims *said = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_builder_new(secret_key, &builder, &err));
    gk_signer_builder_ttl(builder, 300);
    gk_signer *signer = signer_of(builder);
    MUST(gk_claims_from_json(claims, strlen(claims), &said, &err));
    MUST(gk_signer_sign(signer, said, &token, &err));
    asks(&sent, "GET", "/orders");
    adds(&sent, "Authorization", "Bearer %s", token.data);
    gk_buf_free(&token);
    gk_claims_free(said);
    gk_signer_free(signer);
}

#define OF_SEVEN "{\"user_id\":7,\"token_type\":\"access\",\"admin\":true}"

/* What the guard answers to the request for this user, by each of the ways; the same. */
static int http_for(const gk_guard *guard, const gk_former_user *user,
                    const gk_guard_demand *demand) {
    gk_guard_decision *decision = NULL;
    gk_status status = gk_guard_check_user(guard, &sent.request, user, demand, &decision, &err);
    const int code = told(decision, status);
    /* A strict list of revocations is looked up each time, which memory is not enough for. */
    status = gk_guard_try_check_user(guard, &sent.request, user, demand, &decision, &err);
    CHECK(decision == NULL ? status == GK_STATUS_STORE_UNAVAILABLE
                           : told(decision, status) == code);
    gk_guard_attempt *attempt = gk_guard_attempt_new();
    gk_guard_attempt_user(attempt, user);
    gk_guard_attempt_may_wait(attempt, true);
    status = gk_guard_attempt_check(attempt, guard, &sent.request, demand, &decision, &err);
    gk_guard_attempt_free(attempt);
    CHECK(told(decision, status) == code);
    return code;
}

static void of_active_users(void) {
    gk_guard_demand *read = demanding("orders:read"), *any = demanding(NULL);
    gk_guard *guard = guard_until(UNTIL);
    gk_former_user *user = NULL;
    gk_guard_decision *decision = NULL;
    brings(OF_SEVEN);
    /* Nobody has looked the user up. */
    CHECK(http_by(guard, any) == 401 && http_for(guard, NULL, any) == 401);
    MUST(gk_guard_former_user(guard, &sent.request, &user, &err));
    CHECK(str_is(gk_former_user_subject(user), "7"));
    CHECK(strstr(gk_former_user_claims_json(user).data, "\"admin\":true") != NULL);
    /* It is active, and what it may is for the program to say. */
    CHECK(http_for(guard, user, any) == 200 && http_for(guard, user, read) == 403);
    gk_former_user_scope(user, GK_TEXT("orders:write"));
    gk_former_user_scope(user, GK_TEXT("orders:read"));
    CHECK(http_for(guard, user, read) == 200);
    MUST(gk_guard_check_user(guard, &sent.request, user, read, &decision, &err));
    const gk_access *who = gk_guard_decision_access(decision);
    CHECK(gk_access_kind_of(who) == GK_ACCESS_JWT && str_is(gk_access_subject(who), "7"));
    CHECK(gk_access_has_scope(who, GK_TEXT("orders:write")) && gk_access_scopes_len(who) == 2);
    CHECK(gk_access_session(who).data == NULL && gk_access_issuer(who).data == NULL);
    gk_guard_decision_free(decision);

    /* Another request's user is not this one's. */
    brings("{\"user_id\":\"8\",\"token_type\":\"access\"}");
    CHECK(http_for(guard, user, any) == 401);
    /* Of a request without such a token, it says nothing. */
    gk_buf key = new_key(NULL, 0);
    asks(&sent, "GET", "/orders");
    CHECK(http_for(guard, user, any) == 401);
    adds(&sent, "X-API-Key", "%s", key.data);
    CHECK(http_for(guard, user, read) == 200);
    gk_buf_free(&key);
    /* What was no scope is told by the call that uses it. */
    gk_former_user_scope(user, "\xff", 1);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_guard_check_user(guard, &sent.request, user, any, &decision, &err));
    CHECK(decision == NULL && strstr(err.message, "`scope`") != NULL);
    gk_former_user_free(user);
    gk_guard_free(guard);
    gk_guard_demand_free(any);
    gk_guard_demand_free(read);
}

static void of_nobody(void) {
    static const char *const OTHERS[] = {
        "{\"user_id\":7,\"token_type\":\"refresh\"}",
        "{\"user_id\":7}",
        "{\"token_type\":\"access\"}",
        "{\"user_id\":null,\"token_type\":\"access\"}",
        "{\"user_id\":7.5,\"token_type\":\"access\"}",
        "{\"user_id\":7,\"token_type\":\"access\",\"aud\":\"" API "\"}",
    };
    gk_guard *guard = guard_until(UNTIL);
    gk_former_user *user = (gk_former_user *)&err;
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        brings(OTHERS[i]);
        MUST(gk_guard_former_user(guard, &sent.request, &user, &err));
        CHECK(user == NULL);
    }
    brings(OF_SEVEN);
    sent.room[sent.used - 6] ^= 1; /* of the signature */
    MUST(gk_guard_former_user(guard, &sent.request, &user, &err));
    CHECK(user == NULL);
    gk_guard_free(guard);
    /* From the date on. */
    gk_guard *over = guard_until(now_seconds);
    gk_guard_demand *any = demanding(NULL);
    brings(OF_SEVEN);
    MUST(gk_guard_former_user(over, &sent.request, &user, &err));
    CHECK(user == NULL && http_by(over, any) == 401);
    gk_guard_free(over);
    /* A guard that was not told of them. */
    MUST(gk_guard_former_user(world.guard, &sent.request, &user, &err));
    CHECK(user == NULL && http_by(world.guard, any) == 401);
    gk_guard_demand_free(any);
}

/* What could not tell access tokens from others is not built. */
static void settings(void) {
    gk_guard *guard = (gk_guard *)&err;
    for (int i = 0; i < 3; i++) {
        gk_former_tokens *former =
            gk_former_tokens_new(secret_keys, i == 1 ? "" : "user_id", i == 1 ? 0 : 7, UNTIL);
        if (i > 0) gk_former_tokens_claim(former, GK_TEXT("token_type"), GK_TEXT("\"access\""));
        if (i == 2) gk_former_tokens_leeway(former, 601);
        gk_guard_builder *builder = guarding(&world);
        gk_guard_builder_former_tokens(builder, former);
        FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_guard_builder_build(builder, &guard, &err));
        CHECK(guard == NULL);
        gk_guard_builder_free(builder);
        gk_former_tokens_free(former);
    }
    gk_former_tokens *former = gk_former_tokens_new(secret_keys, GK_TEXT("sub"), UNTIL);
    gk_former_tokens_claim(former, GK_TEXT("type"), GK_TEXT("\"access\""));
    gk_former_tokens_issuer(former, GK_TEXT("https://before.example"));
    gk_former_tokens_audience(former, GK_TEXT(API));
    gk_former_tokens_leeway(former, 30);
    gk_guard_builder *builder = guarding(&world);
    gk_guard_builder_former_tokens(builder, former);
    gk_former_tokens_free(former);
    guard = guard_of(builder);
    gk_former_user *user = NULL;
    brings("{\"sub\":\"alice\",\"type\":\"access\",\"iss\":\"https://before.example\","
           "\"aud\":\"" API "\"}");
    MUST(gk_guard_former_user(guard, &sent.request, &user, &err));
    CHECK(str_is(gk_former_user_subject(user), "alice"));
    gk_former_user_free(user);
    gk_guard_free(guard);
}

int main(void) {
    begin(&world, false);
    MUST(gk_key_from_secret(SECRET, sizeof SECRET, GK_ALG_HS256, &secret_key, &err));
    const gk_key *const keys[] = {secret_key};
    MUST(gk_key_set_new(keys, 1, &secret_keys, &err));
    of_active_users();
    of_nobody();
    settings();
    gk_key_set_free(secret_keys);
    gk_key_free(secret_key);
    end(&world);
    return passed("guard_former");
}
