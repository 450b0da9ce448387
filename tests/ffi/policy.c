/* Every knob of policies, signers and issuer rules, the clock and the random number callback. */
#include "check.h"

#define NOW 1795000000

static gk_error err;
static gk_key *key;

/* A clock that can be set, and counts how often it was released. */
struct test_clock {
    uint64_t now;
    int released;
};

static uint64_t read_clock(void *user) { return ((const struct test_clock *)user)->now; }

static void release_clock(void *user) { ((struct test_clock *)user)->released++; }

static struct test_clock stopped = {NOW, 0};

/* A policy that says nothing but what time it is. */
static gk_policy *new_policy(void) {
    gk_policy *policy = gk_policy_new();
    gk_policy_clock(policy, read_clock, &stopped, NULL);
    return policy;
}

/* Consumes the policy: what it makes of a token with these claims and this type. */
static gk_status judge_typ(gk_policy *policy, const char *json, const char *typ) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_no_ttl(builder);
    gk_signer_builder_allow_missing_exp(builder);
    gk_signer_builder_token_ids(builder, false);
    gk_signer_builder_clock(builder, read_clock, &stopped, NULL);
    if (typ == NULL) {
        gk_signer_builder_no_typ(builder);
    } else {
        gk_signer_builder_typ(builder, typ, strlen(typ));
    }
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, json, strlen(json), &token, &err));
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    const gk_status status = gk_verifier_verify(verifier, token.data, token.len, &verified, &err);
    CHECK((verified != NULL) == (status == GK_STATUS_OK) && err.status == status);
    gk_verified_free(verified);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return status;
}

static gk_status judge(gk_policy *policy, const char *json) {
    return judge_typ(policy, json, "JWT");
}

static gk_policy *with_issuer(const char *issuer) {
    gk_policy *policy = new_policy();
    gk_policy_expect_issuer(policy, issuer, strlen(issuer));
    return policy;
}

static gk_policy *with_audience(const char *audience) {
    gk_policy *policy = new_policy();
    gk_policy_expect_audience(policy, audience, strlen(audience));
    return policy;
}

static void issuer_and_audience(void) {
    gk_policy *policy;
    CHECK(judge(new_policy(), "{\"exp\":1795000001}") == GK_STATUS_OK);
    CHECK(judge(new_policy(), "{\"exp\":1795000001,\"iss\":\"a\"}") == GK_STATUS_INVALID_ISSUER);
    CHECK(judge(new_policy(), "{\"exp\":1795000001,\"aud\":\"a\"}") == GK_STATUS_INVALID_AUDIENCE);
    CHECK(judge(with_issuer("a"), "{\"exp\":1795000001,\"iss\":\"a\"}") == GK_STATUS_OK);
    CHECK(judge(with_issuer("b"), "{\"exp\":1795000001,\"iss\":\"a\"}") ==
          GK_STATUS_INVALID_ISSUER);
    CHECK(judge(with_issuer("a"), "{\"exp\":1795000001}") == GK_STATUS_MISSING_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "iss") == 0);
    policy = with_issuer("b");
    gk_policy_expect_issuer(policy, GK_TEXT("a"));
    CHECK(judge(policy, "{\"exp\":1795000001,\"iss\":\"a\"}") == GK_STATUS_OK);
    policy = new_policy();
    gk_policy_ignore_issuer(policy);
    CHECK(judge(policy, "{\"exp\":1795000001,\"iss\":\"a\"}") == GK_STATUS_OK);

    CHECK(judge(with_audience("a"), "{\"exp\":1795000001,\"aud\":[\"b\",\"a\"]}") == GK_STATUS_OK);
    CHECK(judge(with_audience("a"), "{\"exp\":1795000001,\"aud\":\"b\"}") ==
          GK_STATUS_INVALID_AUDIENCE);
    CHECK(judge(with_audience("a"), "{\"exp\":1795000001}") == GK_STATUS_MISSING_CLAIM);
    policy = new_policy();
    gk_policy_ignore_audience(policy);
    CHECK(judge(policy, "{\"exp\":1795000001,\"aud\":\"a\"}") == GK_STATUS_OK);
}

static void types_subjects_and_required_claims(void) {
    gk_policy *policy;
    CHECK(judge_typ(new_policy(), "{\"exp\":1795000001}", NULL) == GK_STATUS_OK);
    CHECK(judge_typ(new_policy(), "{\"exp\":1795000001}", "at+jwt") == GK_STATUS_INVALID_TYPE);
    policy = new_policy();
    gk_policy_expect_type(policy, GK_TEXT("at+jwt"));
    gk_policy *copy = gk_policy_clone(policy);
    CHECK(judge_typ(policy, "{\"exp\":1795000001}", "application/AT+JWT") == GK_STATUS_OK);
    CHECK(judge_typ(copy, "{\"exp\":1795000001}", NULL) == GK_STATUS_INVALID_TYPE);
    policy = new_policy();
    gk_policy_ignore_type(policy);
    CHECK(judge_typ(policy, "{\"exp\":1795000001}", "anything") == GK_STATUS_OK);

    policy = new_policy();
    gk_policy_expect_subject(policy, GK_TEXT("alice"));
    copy = gk_policy_clone(policy);
    CHECK(judge(policy, "{\"exp\":1795000001,\"sub\":\"alice\"}") == GK_STATUS_OK);
    CHECK(judge(copy, "{\"exp\":1795000001,\"sub\":\"bob\"}") == GK_STATUS_INVALID_SUBJECT);

    policy = new_policy();
    gk_policy_expect_claim(policy, GK_TEXT("token_type"), GK_TEXT("\"access\""));
    copy = gk_policy_clone(policy);
    CHECK(judge(policy, "{\"exp\":1795000001,\"token_type\":\"access\"}") == GK_STATUS_OK);
    CHECK(judge(copy, "{\"exp\":1795000001,\"token_type\":\"refresh\"}") ==
          GK_STATUS_INVALID_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "token_type") == 0);

    policy = new_policy();
    gk_policy_require_claim(policy, GK_TEXT("https://example.com/tenant"));
    copy = gk_policy_clone(policy);
    CHECK(judge(policy, "{\"exp\":1795000001,\"https://example.com/tenant\":null}") ==
          GK_STATUS_OK);
    CHECK(judge(copy, "{\"exp\":1795000001}") == GK_STATUS_MISSING_CLAIM);
    CHECK(strcmp(gk_error_claim(&err), "https://example.com/tenant") == 0);
}

/* AWS's padded parts, and a subject that is a number, signed by another program. */
static void what_others_write(void) {
    /* {"alg":"HS256"} and {"exp":1795000001,"iat":1794999999,"sub":7}, encoded with padding and
     * signed so. */
    gk_key *own = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    int64_t number = -1;
    MUST(gk_key_from_secret((const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkX", 32, GK_ALG_HS256,
                            &own, &err));
    static const char padded[] = "eyJhbGciOiJIUzI1NiJ9."
                                 "eyJleHAiOjE3OTUwMDAwMDEsImlhdCI6MTc5NDk5OTk5OSwic3ViIjo3fQ=="
                                 ".SYst6duRNNHd_crkoPIuegk_nXo-wFdH-y4n8p7dmw8=";
    gk_policy *policy = new_policy();
    MUST(gk_verifier_with_key(own, policy, &verifier, &err));
    FAILS(GK_STATUS_MALFORMED_TOKEN,
          gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    gk_verifier_free(verifier);
    gk_policy_allow_padding(policy);
    MUST(gk_verifier_with_key(own, policy, &verifier, &err));
    FAILS(GK_STATUS_INVALID_CLAIM,
          gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    CHECK(strcmp(gk_error_claim(&err), "sub") == 0);
    gk_verifier_free(verifier);
    gk_policy_allow_numeric_subject(policy);
    MUST(gk_verifier_with_key(own, policy, &verifier, &err));
    MUST(gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    CHECK(gk_verified_numeric_subject(verified, &number) && number == 7);
    CHECK(gk_verified_subject(verified).data == NULL);
    gk_verified_free(verified);
    gk_verifier_free(verifier);
    /* Revoked by its number, and not by its text. */
    gk_revocations *list = NULL;
    gk_revoke_scope scope = {{GK_TEXT("7")}, {NULL, 0}, NULL};
    gk_revocation_options *options = gk_revocation_options_new();
    gk_revocation_options_clock(options, read_clock, &stopped, NULL);
    MUST(gk_revocations_open(GK_TEXT("memory:"), options, &list, &err));
    gk_revocation_options_free(options);
    gk_policy_revocations(policy, list);
    MUST(gk_verifier_with_key(own, policy, &verifier, &err));
    MUST(gk_revocations_revoke_before(list, 1795000000, &scope, &err));
    MUST(gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    gk_verified_free(verified);
    scope = (gk_revoke_scope){{NULL, 0}, {NULL, 0}, &number};
    MUST(gk_revocations_revoke_before(list, 1795000000, &scope, &err));
    FAILS(GK_STATUS_REVOKED_TOKEN,
          gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    gk_revocations_free(list);
    gk_verifier_free(verifier);
    gk_policy_expect_numeric_subject(policy, 8);
    MUST(gk_verifier_with_key(own, policy, &verifier, &err));
    FAILS(GK_STATUS_INVALID_SUBJECT,
          gk_verifier_verify(verifier, padded, strlen(padded), &verified, &err));
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_key_free(own);
}

/* Members of the header, and dates that nobody means. */
static void what_a_signer_says(void) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_unverified *seen = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_header(builder, GK_TEXT("cty"), GK_TEXT("\"JWT\""));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
    MUST(gk_danger_decode_unverified(token.data, token.len, &seen, &err));
    const gk_str header = gk_unverified_header_json(seen);
    CHECK(header.len > 12 && strstr(header.data, "\"cty\":\"JWT\"") != NULL);
    gk_unverified_free(seen);
    gk_buf_free(&token);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_signer_sign_json(signer, GK_TEXT("{\"exp\":1795000000000}"), &token, &err));
    CHECK(strstr(err.message, "milliseconds") != NULL);
    CHECK(strcmp(gk_error_claim(&err), "exp") == 0);
    gk_signer_free(signer);
    gk_signer_builder_header(builder, GK_TEXT("jku"), GK_TEXT("\"https://a.example\""));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_signer_builder_build(builder, &signer, &err));
    CHECK(strcmp(gk_error_claim(&err), "jku") == 0);
    gk_signer_builder_free(builder);
}

static void times(void) {
    gk_policy *policy;
    CHECK(judge(new_policy(), "{\"exp\":1795000000}") == GK_STATUS_EXPIRED);
    CHECK(judge(new_policy(), "{\"exp\":1795000009,\"nbf\":1795000001}") ==
          GK_STATUS_NOT_YET_VALID);
    CHECK(judge(new_policy(), "{\"exp\":1795000009,\"iat\":1795000001}") ==
          GK_STATUS_ISSUED_IN_FUTURE);
    CHECK(judge(new_policy(), "{}") == GK_STATUS_MISSING_CLAIM);
    policy = new_policy();
    gk_policy_allow_missing_exp(policy);
    CHECK(judge(policy, "{}") == GK_STATUS_OK);
    policy = new_policy();
    gk_policy_leeway(policy, 5);
    gk_policy *copy = gk_policy_clone(policy);
    CHECK(judge(policy, "{\"exp\":1794999996,\"nbf\":1795000005}") == GK_STATUS_OK);
    CHECK(judge(copy, "{\"exp\":1794999995}") == GK_STATUS_EXPIRED);
    policy = new_policy();
    gk_policy_max_age(policy, 60);
    copy = gk_policy_clone(policy);
    CHECK(judge(policy, "{\"exp\":1795000009,\"iat\":1794999940}") == GK_STATUS_OK);
    CHECK(judge(copy, "{\"exp\":1795000009,\"iat\":1794999939}") == GK_STATUS_TOO_OLD);

    CHECK(judge(new_policy(), "{\"exp\":1795000001,\"x\":[[[]]]}") == GK_STATUS_OK);
    policy = new_policy();
    gk_policy_max_token_bytes(policy, 80);
    CHECK(judge(policy, "{\"exp\":1795000001}") == GK_STATUS_TOKEN_TOO_LARGE);
    policy = new_policy();
    gk_policy_max_header_bytes(policy, 20);
    CHECK(judge(policy, "{\"exp\":1795000001}") == GK_STATUS_TOKEN_TOO_LARGE);
}

static void contradictions(void) {
    gk_verifier *verifier = NULL;
    const gk_alg others[] = {GK_ALG_ES384, GK_ALG_RS256}, ours[] = {GK_ALG_HS256, GK_ALG_ES256};
    gk_policy *policy = with_issuer("a");
    gk_policy_ignore_issuer(policy);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    policy = new_policy();
    gk_policy_leeway(policy, 601);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    policy = new_policy();
    gk_policy_algorithms(policy, others, 2);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    policy = new_policy();
    gk_policy_algorithms(policy, NULL, 0);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_verifier_with_key(key, policy, &verifier, &err));
    CHECK(verifier == NULL);
    gk_policy_free(policy);
    policy = new_policy();
    gk_policy_algorithms(policy, ours, 2);
    CHECK(judge(policy, "{\"exp\":1795000001}") == GK_STATUS_OK);
}

static void several_keys_without_kid(void) {
    gk_key_set *set = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_key *second = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_key_generate(GK_ALG_HS256, &second, &err));
    const gk_key *keys[] = {key, second};
    MUST(gk_key_set_new(keys, 2, &set, &err));
    MUST(gk_signer_builder_new(second, &builder, &err));
    gk_signer_builder_kid(builder, false);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));

    gk_policy *policy = gk_policy_new();
    MUST(gk_verifier_new(set, policy, &verifier, &err));
    FAILS(GK_STATUS_AMBIGUOUS_KEY,
          gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    gk_verifier_free(verifier);
    gk_policy_try_keys_without_kid(policy);
    MUST(gk_verifier_new(set, policy, &verifier, &err));
    MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    CHECK(gk_verified_key_id(verified).len == gk_key_kid(second).len);
    gk_verified_free(verified);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_set_free(set);
    gk_key_free(second);
}

static gk_buf token_from(const gk_key *signing_key, const char *issuer, const char *audience) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_builder_new(signing_key, &builder, &err));
    gk_signer_builder_issuer(builder, issuer, strlen(issuer));
    if (audience) gk_signer_builder_audience(builder, audience, strlen(audience));
    gk_signer_builder_ttl(builder, 60);
    gk_signer_builder *copy = gk_signer_builder_clone(builder);
    gk_signer_builder_free(builder);
    MUST(gk_signer_builder_build(copy, &signer, &err));
    gk_signer_builder_free(copy);
    gk_signer *shared = gk_signer_clone(signer);
    gk_signer_free(signer);
    MUST(gk_signer_sign_json(shared, GK_TEXT("{}"), &token, &err));
    gk_signer_free(shared);
    return token;
}

/* A key of one issuer never verifies a token of another. */
static void several_issuers(void) {
    static const char *const names[2] = {"https://one.example", "https://two.example"};
    const gk_alg algs[] = {GK_ALG_EDDSA};
    gk_key *keys[2] = {NULL, NULL};
    gk_issuer_rule *rules[2] = {NULL, NULL};
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    for (int i = 0; i < 2; i++) {
        gk_key_set *set = NULL;
        MUST(gk_key_generate(GK_ALG_EDDSA, &keys[i], &err));
        const gk_key *one[] = {keys[i]};
        MUST(gk_key_set_new(one, 1, &set, &err));
        gk_issuer_rule *rule = NULL;
        MUST(gk_issuer_rule_new(names[i], strlen(names[i]), set, &rule, &err));
        gk_issuer_rule_algorithms(rule, algs, 1);
        if (i == 1) gk_issuer_rule_expect_audience(rule, GK_TEXT("api"));
        rules[i] = gk_issuer_rule_clone(rule);
        gk_issuer_rule_free(rule);
        gk_key_set_free(set);
    }
    gk_policy *policy = gk_policy_new();
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_verifier_for_issuers(NULL, 0, policy, &verifier, &err));
    gk_issuer_rule *any = gk_issuer_rule_clone(rules[1]);
    gk_issuer_rule_ignore_audience(any);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, /* expects one, too */
          gk_verifier_for_issuers((const gk_issuer_rule *const *)&any, 1, policy, &verifier, &err));
    gk_issuer_rule_free(any);
    MUST(gk_verifier_for_issuers((const gk_issuer_rule *const *)rules, 2, policy, &verifier, &err));

    const struct {
        int key, issuer;
        const char *audience;
        gk_status status;
    } rows[] = {{0, 0, NULL, GK_STATUS_OK},
                {1, 1, "api", GK_STATUS_OK},
                {1, 1, NULL, GK_STATUS_MISSING_CLAIM},
                {0, 0, "api", GK_STATUS_INVALID_AUDIENCE},
                {0, 1, "api", GK_STATUS_KEY_NOT_FOUND}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gk_buf token = token_from(keys[rows[i].key], names[rows[i].issuer], rows[i].audience);
        const gk_status status =
            gk_verifier_verify(verifier, token.data, token.len, &verified, &err);
        CHECK(status == rows[i].status);
        gk_verified_free(verified);
        gk_buf_free(&token);
    }
    gk_buf token = token_from(keys[0], "https://three.example", NULL);
    FAILS(GK_STATUS_INVALID_ISSUER,
          gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    gk_buf_free(&token);
    for (int i = 0; i < 2; i++) {
        gk_issuer_rule_free(rules[i]);
        gk_key_free(keys[i]);
    }
    gk_policy_free(policy);
    gk_verifier_free(verifier);
}

/* The clock is asked at every call, and released once, when nothing uses it any more. */
static void clocks(void) {
    struct test_clock clock = {NOW, 0};
    gk_policy *policy = gk_policy_new(), *copy;
    gk_verifier *verifier = NULL, *shared;
    gk_verified *verified = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_clock(builder, read_clock, &clock, release_clock);
    gk_signer_builder_ttl(builder, 10);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
    CHECK(clock.released == 0);
    gk_signer_free(signer);
    CHECK(clock.released == 1);

    gk_policy *none = gk_policy_new();
    gk_policy_clock(none, NULL, &clock, release_clock);
    CHECK(clock.released == 2);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_verifier_with_key(key, none, &verifier, &err));
    gk_policy_free(none);
    clock.released = 1;
    gk_policy_clock(policy, read_clock, &clock, release_clock);
    copy = gk_policy_clone(policy);
    MUST(gk_verifier_with_key(key, copy, &verifier, &err));
    shared = gk_verifier_clone(verifier);
    MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    int64_t expires = 0;
    CHECK(gk_verified_expires_at(verified, &expires) && expires == NOW + 10);
    gk_verified_free(verified);
    clock.now += 10;
    FAILS(GK_STATUS_EXPIRED, gk_verifier_verify(shared, token.data, token.len, &verified, &err));
    gk_policy_free(policy);
    gk_policy_free(copy);
    gk_verifier_free(verifier);
    CHECK(clock.released == 1);
    gk_verifier_free(shared);
    CHECK(clock.released == 2);
    gk_buf_free(&token);

    /* Another clock replaces the first. */
    policy = gk_policy_new();
    gk_policy_clock(policy, read_clock, &clock, release_clock);
    gk_policy_clock(policy, read_clock, &stopped, NULL);
    CHECK(clock.released == 3);
    gk_policy_free(policy);
    CHECK(clock.released == 3);
}

static bool fill_with_sevens(void *user, uint8_t *out, size_t len) {
    memset(out, 7, len);
    ++*(int *)user;
    return true;
}

static bool fill_nothing(void *user, uint8_t *out, size_t len) {
    (void)user, (void)out, (void)len;
    return false;
}

static void randomness(void) {
    int drawn = 0;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_unverified *token = NULL;
    gk_buf text = {NULL, 0};
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_random(builder, fill_with_sevens, &drawn, NULL);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &text, &err));
    CHECK(drawn == 1);
    MUST(gk_danger_decode_unverified(text.data, text.len, &token, &err));
    const gk_str json = gk_unverified_claims_json(token);
    char claims[256];
    CHECK(json.len < sizeof claims);
    memcpy(claims, json.data, json.len);
    claims[json.len] = 0;
    CHECK(strstr(claims, "\"jti\":\"BwcHBwcHBwcHBwcHBwcHBw\"") != NULL);
    gk_unverified_free(token);
    gk_buf_free(&text);
    gk_signer_free(signer);

    gk_signer_builder_random(builder, fill_nothing, NULL, NULL);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    FAILS(GK_STATUS_RANDOM_UNAVAILABLE, gk_signer_sign_json(signer, GK_TEXT("{}"), &text, &err));
    CHECK(text.data == NULL);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
}

static void claims_that_a_signer_refuses(void) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_claims *claims = NULL;
    gk_buf token = {NULL, 0}, json = {NULL, 0};
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("a"));
    gk_signer_builder_no_ttl(builder);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
    CHECK(strcmp(gk_error_claim(&err), "exp") == 0);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_signer_sign_json(signer, GK_TEXT("{\"exp\":1,\"iss\":\"b\"}"), &token, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_claims_from_json(GK_TEXT("{\"exp\":\"soon\"}"), &claims, &err));
    MUST(gk_claims_from_json(GK_TEXT("{\"b\": 1.0, \"exp\": 2e9}"), &claims, &err));
    gk_claims_issuer(claims, GK_TEXT("a"));
    gk_claims_audience(claims, GK_TEXT("x"));
    gk_claims_audience(claims, GK_TEXT("y"));
    gk_claims_expires_at(claims, 2000000000);
    gk_claims_issued_at(claims, NOW);
    gk_claims *copy = gk_claims_clone(claims);
    gk_claims_free(claims);
    MUST(gk_claims_to_json(copy, &json, &err));
    CHECK(buf_is(json, "{\"b\":1.0,\"exp\":2000000000,\"iss\":\"a\",\"aud\":[\"x\",\"y\"],"
                       "\"iat\":1795000000}"));
    MUST(gk_signer_sign(signer, copy, &token, &err));
    gk_claims_free(copy);
    gk_buf_free(&json);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_signer_builder_ttl(builder, 0);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
}

int main(void) {
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    issuer_and_audience();
    types_subjects_and_required_claims();
    what_others_write();
    what_a_signer_says();
    times();
    contradictions();
    several_keys_without_kid();
    several_issuers();
    clocks();
    randomness();
    claims_that_a_signer_refuses();
    gk_key_free(key);
    return passed("policy");
}
