/* Calls every function of the library with NULL and with wrong arguments. Fails when
 * tests/symbols.txt names a function that is not called here.
 *
 * usage: arguments ROOT, the directory of the repository */
#include "refuse.h"

#define BINARY raw, sizeof raw /* bytes, nothing wrong with them */

static gk_error err;
static const uint8_t raw[] = {1, 2, 3, 4};
static const gk_alg wrong_algs[] = {0, 19, -1, INT32_MAX, INT32_MIN};
static const gk_alg good_algs[] = {GK_ALG_ES256};

/* Handles with nothing wrong. */
static gk_key *key;
static gk_key_options *options;
static gk_key_set *key_set;
static gk_claims *claims;
static gk_signer_builder *builder;
static gk_signer *signer;
static gk_unsigned *prepared;
static gk_policy *policy;
static gk_issuer_rule *rule;
static gk_verifier *verifier;
static gk_verified *verified;
static gk_unverified *unverified;
static gk_key_ring *ring;
static gk_revocations *revocations;
static gk_buf token;

static void set_up(void) {
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    const gk_key *keys[] = {key};
    options = gk_key_options_new();
    MUST(CALL(gk_key_set_new)(keys, 1, &key_set, &err));
    claims = gk_claims_new();
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_prepare(signer, claims, &prepared, &err));
    MUST(gk_signer_sign(signer, claims, &token, &err));
    policy = gk_policy_new();
    MUST(gk_issuer_rule_new(TEXT, key_set, &rule, &err));
    MUST(gk_verifier_new(key_set, policy, &verifier, &err));
    MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    MUST(gk_danger_decode_unverified(token.data, token.len, &unverified, &err));
    MUST(gk_key_ring_open(GK_TEXT("memory:"), NULL, &ring, &err));
    MUST(gk_revocations_open(GK_TEXT("memory:"), NULL, &revocations, &err));
}

static void tear_down(void) {
    gk_revocations_free(revocations);
    gk_key_ring_free(ring);
    CALL(gk_unverified_free)(unverified);
    CALL(gk_verified_free)(verified);
    CALL(gk_verifier_free)(verifier);
    CALL(gk_issuer_rule_free)(rule);
    CALL(gk_policy_free)(policy);
    CALL(gk_buf_free)(&token);
    CALL(gk_unsigned_free)(prepared);
    CALL(gk_signer_free)(signer);
    CALL(gk_signer_builder_free)(builder);
    CALL(gk_claims_free)(claims);
    CALL(gk_key_set_free)(key_set);
    CALL(gk_key_options_free)(options);
    CALL(gk_key_free)(key);

    /* Freeing nothing is fine, and so is freeing a buffer twice. */
    gk_buf_free(&token);
    gk_buf_free(NULL);
    gk_unverified_free(NULL);
    gk_verified_free(NULL);
    gk_verifier_free(NULL);
    gk_issuer_rule_free(NULL);
    gk_policy_free(NULL);
    gk_unsigned_free(NULL);
    gk_signer_free(NULL);
    gk_signer_builder_free(NULL);
    gk_claims_free(NULL);
    gk_key_set_free(NULL);
    gk_key_options_free(NULL);
    gk_key_free(NULL);
}

static void clones(void) {
    CHECK(CALL(gk_key_clone)(NULL) == NULL);
    CHECK(CALL(gk_key_options_clone)(NULL) == NULL);
    CHECK(CALL(gk_key_set_clone)(NULL) == NULL);
    CHECK(CALL(gk_claims_clone)(NULL) == NULL);
    CHECK(CALL(gk_signer_builder_clone)(NULL) == NULL);
    CHECK(CALL(gk_signer_clone)(NULL) == NULL);
    CHECK(CALL(gk_policy_clone)(NULL) == NULL);
    CHECK(CALL(gk_issuer_rule_clone)(NULL) == NULL);
    CHECK(CALL(gk_verifier_clone)(NULL) == NULL);
    CHECK(CALL(gk_verified_clone)(NULL) == NULL);
}

static void versions_statuses_and_algorithms(void) {
    CHECK(CALL(gk_abi_version)() == GK_ABI_VERSION);
    CHECK(strcmp(CALL(gk_version)(), GK_VERSION) == 0);
    CHECK(strcmp(CALL(gk_status_name)(-7), "Unknown") == 0);
    CHECK(strcmp(gk_status_name(GK_STATUS_OK), "Ok") == 0);
    CHECK(strcmp(gk_status_name(GK_STATUS_TOO_OLD), "TooOld") == 0);
    CHECK(strcmp(CALL(gk_status_code)(-7), "unknown") == 0);
    CHECK(strcmp(gk_status_code(GK_STATUS_OK), "ok") == 0);
    CHECK(strcmp(gk_status_code(GK_STATUS_TOO_OLD), "too_old") == 0);
    CHECK(strlen(CALL(gk_status_public_message)(-7)) > 0);
    CHECK(gk_status_public_message(GK_STATUS_OK)[0] == 0);
    CHECK(strcmp(gk_status_public_message(GK_STATUS_EXPIRED),
                 gk_status_public_message(GK_STATUS_INVALID_SIGNATURE)) == 0);
    CHECK(strstr(CALL(gk_status_challenge)(GK_STATUS_EXPIRED), "Bearer error=\"invalid_token\""));
    CHECK(strcmp(gk_status_challenge(GK_STATUS_MISSING_CREDENTIALS), "Bearer") == 0);
    CHECK(gk_status_challenge(GK_STATUS_RATE_LIMITED)[0] == 0 && gk_status_challenge(-7)[0] == 0);
    CHECK(strlen(CALL(gk_status_summary)(INT32_MIN)) > 0);
    CHECK(strlen(gk_status_summary(GK_STATUS_OK)) > 0);
    CHECK(!CALL(gk_status_is_rejected)(99) && !gk_status_is_rejected(GK_STATUS_OK));
    CHECK(gk_status_is_rejected(GK_STATUS_EXPIRED));
    CHECK(CALL(gk_status_http)(-1) == 500 && gk_status_http(GK_STATUS_OK) == 200);
    CHECK(gk_status_http(GK_STATUS_RATE_LIMITED) == 429);
    CHECK(!CALL(gk_status_is_misuse)(-1) && gk_status_is_misuse(GK_STATUS_WEAK_KEY));
    CHECK(!CALL(gk_status_is_unavailable)(INT32_MAX));
    CHECK(gk_status_is_unavailable(GK_STATUS_RANDOM_UNAVAILABLE));
    CHECK(CALL(gk_error_claim)(NULL)[0] == 0);
    gk_error full;
    memset(&full, 'x', sizeof full);
    CHECK(gk_error_claim(&full)[0] == 0);
    CHECK(CALL(gk_error_remedy)(NULL)[0] == 0);
    CHECK(CALL(gk_error_api_key_id)(NULL)[0] == 0 && gk_error_api_key_id(&full)[0] == 0);

    gk_alg alg = 5;
    for (size_t i = 0; i < sizeof wrong_algs / sizeof *wrong_algs; i++) {
        CHECK(CALL(gk_alg_name)(wrong_algs[i])[0] == 0);
        CHECK(!CALL(gk_alg_is_symmetric)(wrong_algs[i]));
        CHECK(!CALL(gk_alg_same_algorithm)(wrong_algs[i], wrong_algs[i]));
    }
    CHECK(gk_alg_same_algorithm(GK_ALG_EDDSA, GK_ALG_ED25519));
    CHECK(!gk_alg_same_algorithm(GK_ALG_ES256, GK_ALG_ES384));
    REFUSED(gk_alg_from_name, NOTEXT, &alg);
    CHECK(alg == GK_ALG_ANY);
    REFUSED(gk_alg_from_name, TEXT, NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_alg_from_name(LATIN1, &alg, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_alg_from_name(GK_TEXT("none"), &alg, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_alg_from_name(NULL, 0, &alg, &err));
}

/* Builders that nothing was set of yet, and the calls that use what is built. */
static gk_key_options *fresh_gk_key_options(void) {
    gk_key_options *fresh = gk_key_options_new();
    gk_key_options_alg(fresh, GK_ALG_HS256);
    return fresh;
}
static gk_status use_gk_key_options(const gk_key_options *built, gk_error *why) {
    gk_key *made = NULL;
    const gk_status status = gk_key_options_generate(built, &made, why);
    gk_key_free(made);
    return status;
}
static gk_claims *fresh_gk_claims(void) { return gk_claims_new(); }
static gk_status use_gk_claims(const gk_claims *built, gk_error *why) {
    gk_buf made = {NULL, 0};
    const gk_status status = gk_signer_sign(signer, built, &made, why);
    gk_buf_free(&made);
    return status;
}
static gk_signer_builder *fresh_gk_signer_builder(void) {
    gk_signer_builder *fresh = NULL;
    MUST(gk_signer_builder_new(key, &fresh, &err));
    return fresh;
}
static gk_status use_gk_signer_builder(const gk_signer_builder *built, gk_error *why) {
    gk_signer *made = NULL;
    const gk_status status = gk_signer_builder_build(built, &made, why);
    gk_signer_free(made);
    return status;
}
static gk_policy *fresh_gk_policy(void) { return gk_policy_new(); }
static gk_status use_gk_policy(const gk_policy *built, gk_error *why) {
    gk_verifier *made = NULL;
    const gk_status status = gk_verifier_new(key_set, built, &made, why);
    gk_verifier_free(made);
    return status;
}
static gk_issuer_rule *fresh_gk_issuer_rule(void) {
    gk_issuer_rule *fresh = NULL;
    MUST(gk_issuer_rule_new(GK_TEXT("https://a.example"), key_set, &fresh, &err));
    return fresh;
}
static gk_status use_gk_issuer_rule(const gk_issuer_rule *built, gk_error *why) {
    gk_verifier *made = NULL;
    gk_policy *usual = gk_policy_new();
    gk_policy_ignore_audience(usual);
    const gk_issuer_rule *rules[] = {built};
    const gk_status status = gk_verifier_for_issuers(rules, 1, usual, &made, why);
    gk_policy_free(usual);
    gk_verifier_free(made);
    return status;
}

static void keys_in(void) {
    for (size_t i = 0; i < sizeof wrong_algs / sizeof *wrong_algs; i++) {
        const gk_alg wrong = wrong_algs[i];
        NO_HANDLE(gk_key, gk_key_generate, wrong);
        NO_HANDLE(gk_key, gk_key_generate_rsa, wrong, 2048);
        NO_HANDLE(gk_key, gk_key_from_secret, BINARY, wrong);
        STICKS(gk_key_options, gk_key_options_alg, wrong);
        if (wrong == GK_ALG_ANY) continue;
        NO_HANDLE(gk_key, gk_key_from_pem, TEXT, wrong);
        NO_HANDLE(gk_key, gk_key_from_der, BINARY, wrong);
        NO_HANDLE(gk_key, gk_key_from_jwk, TEXT, wrong);
        NO_HANDLE(gk_key_set, gk_key_set_from_jwks, TEXT, wrong);
        STICKS(gk_policy, gk_policy_algorithms, &wrong, 1);
        STICKS(gk_issuer_rule, gk_issuer_rule_algorithms, &wrong, 1);
    }
    REFUSED(gk_key_generate, GK_ALG_ES256, NULL);
    REFUSED(gk_key_generate_rsa, GK_ALG_RS256, 2048, NULL);
    NO_HANDLE(gk_key, gk_key_generate_rsa, GK_ALG_RS256, 2047);
    NO_HANDLE(gk_key, gk_key_generate_rsa, GK_ALG_RS256, SIZE_MAX);
    NO_HANDLE(gk_key, gk_key_generate_rsa, GK_ALG_ES256, 2048);
    NO_HANDLE(gk_key, gk_key_from_secret, NORAW, GK_ALG_HS256);
    NO_HANDLE(gk_key, gk_key_from_secret, raw, SIZE_MAX, GK_ALG_HS256);
    NO_HANDLE(gk_key, gk_key_from_secret, BINARY, GK_ALG_RS256);
    REFUSED(gk_key_from_secret, BINARY, GK_ALG_HS256, NULL);
    NO_HANDLE(gk_key, gk_key_from_pem, NOTEXT, GK_ALG_ANY);
    REFUSED(gk_key_from_pem, TEXT, GK_ALG_ANY, NULL);
    NO_HANDLE(gk_key, gk_key_from_der, NORAW, GK_ALG_ANY);
    REFUSED(gk_key_from_der, BINARY, GK_ALG_ANY, NULL);
    NO_HANDLE(gk_key, gk_key_from_jwk, NOTEXT, GK_ALG_ANY);
    REFUSED(gk_key_from_jwk, TEXT, GK_ALG_ANY, NULL);

    gk_key_options *more = CALL(gk_key_options_new)();
    CHECK(more != NULL);
    gk_key_options_free(more);
    IGNORED(gk_key_options_alg, NULL, GK_ALG_ES256);
    TEXT_SETTER(gk_key_options, gk_key_options_kid);
    IGNORED(gk_key_options_passphrase, NULL, TEXT);
    STICKS(gk_key_options, gk_key_options_passphrase, NOTEXT);
    IGNORED(gk_key_options_danger_allow_weak, NULL);
    NO_HANDLE(gk_key, gk_key_options_generate, NULL);
    REFUSED(gk_key_options_generate, options, NULL);
    NO_HANDLE(gk_key, gk_key_options_from_secret, NULL, BINARY);
    NO_HANDLE(gk_key, gk_key_options_from_secret, options, NORAW);
    REFUSED(gk_key_options_from_secret, options, BINARY, NULL);
    NO_HANDLE(gk_key, gk_key_options_from_pem, NULL, TEXT);
    NO_HANDLE(gk_key, gk_key_options_from_pem, options, NOTEXT);
    REFUSED(gk_key_options_from_pem, options, TEXT, NULL);
    NO_HANDLE(gk_key, gk_key_options_from_der, NULL, BINARY);
    NO_HANDLE(gk_key, gk_key_options_from_der, options, NORAW);
    REFUSED(gk_key_options_from_der, options, BINARY, NULL);
    NO_HANDLE(gk_key, gk_key_options_from_jwk, NULL, TEXT);
    NO_HANDLE(gk_key, gk_key_options_from_jwk, options, NOTEXT);
    REFUSED(gk_key_options_from_jwk, options, TEXT, NULL);
}

static void keys_out(void) {
    CHECK(CALL(gk_key_alg)(NULL) == GK_ALG_ANY);
    CHECK(CALL(gk_key_kid)(NULL).data == NULL && gk_key_kid(NULL).len == 0);
    CHECK(!CALL(gk_key_has_explicit_kid)(NULL));
    CHECK(!CALL(gk_key_is_private)(NULL));
    CHECK(!CALL(gk_key_is_symmetric)(NULL));
    CHECK(CALL(gk_key_use)(NULL).data == NULL);
    CHECK(!CALL(gk_key_may_sign)(NULL));
    CHECK(!CALL(gk_key_may_verify)(NULL));
    CHECK(CALL(gk_key_signature_len)(NULL) == 0);

    NO_HANDLE(gk_key, gk_key_with_callback, NULL, NULL);
    CHECK(!CALL(gk_key_signs_by_callback)(NULL));
    NO_HANDLE(gk_key, gk_key_with_kid, NULL, TEXT);
    NO_HANDLE(gk_key, gk_key_with_kid, key, NOTEXT);
    NO_HANDLE(gk_key, gk_key_with_kid, key, LATIN1);
    NO_HANDLE(gk_key, gk_key_with_kid, key, NULL, 0);
    REFUSED(gk_key_with_kid, key, TEXT, NULL);
    NO_HANDLE(gk_key, gk_key_public, NULL);
    REFUSED(gk_key_public, key, NULL);

    char thumbprint[GK_THUMBPRINT_SIZE], uri[GK_THUMBPRINT_URI_SIZE];
    memset(thumbprint, 'x', sizeof thumbprint);
    memset(uri, 'x', sizeof uri);
    REFUSED(gk_key_thumbprint, NULL, &thumbprint);
    REFUSED(gk_key_thumbprint, key, NULL);
    REFUSED(gk_key_thumbprint_uri, NULL, &uri);
    REFUSED(gk_key_thumbprint_uri, key, NULL);
    CHECK(thumbprint[0] == 0 && thumbprint[sizeof thumbprint - 1] == 0);
    CHECK(uri[0] == 0 && uri[sizeof uri - 1] == 0);

    NO_BUF(gk_key_to_jwk, NULL);
    REFUSED(gk_key_to_jwk, key, NULL);
    NO_BUF(gk_key_to_private_jwk, NULL);
    REFUSED(gk_key_to_private_jwk, key, NULL);
    NO_BUF(gk_key_to_pem, NULL);
    REFUSED(gk_key_to_pem, key, NULL);
    NO_BUF(gk_key_to_private_pem, NULL);
    REFUSED(gk_key_to_private_pem, key, NULL);
    NO_BUF(gk_key_sign, NULL, BINARY);
    NO_BUF(gk_key_sign, key, NORAW);
    REFUSED(gk_key_sign, key, BINARY, NULL);
    REFUSED(gk_key_verify_signature, NULL, BINARY, BINARY);
    REFUSED(gk_key_verify_signature, key, NORAW, BINARY);
    REFUSED(gk_key_verify_signature, key, BINARY, NORAW);
    FAILS(GK_STATUS_INVALID_SIGNATURE, gk_key_verify_signature(key, BINARY, NULL, 0, &err));
}

static void key_sets(void) {
    const gk_key *hole[] = {key, NULL};
    NO_HANDLE(gk_key_set, gk_key_set_new, NULL, 1);
    NO_HANDLE(gk_key_set, gk_key_set_new, hole, 2);
    REFUSED(gk_key_set_new, hole, 1, NULL);
    NO_HANDLE(gk_key_set, gk_key_set_from_jwks, NOTEXT, GK_ALG_ANY);
    REFUSED(gk_key_set_from_jwks, TEXT, GK_ALG_ANY, NULL);
    CHECK(CALL(gk_key_set_len)(NULL) == 0);
    CHECK(CALL(gk_key_set_skipped)(NULL) == 0);
    CHECK(CALL(gk_key_set_skipped_reason)(NULL, 0, NULL) == GK_STATUS_OK);
    CHECK(gk_key_set_skipped_reason(key_set, SIZE_MAX, NULL) == GK_STATUS_OK);
    CHECK(CALL(gk_key_set_skipped_kid)(NULL, 0).data == NULL);
    CHECK(gk_key_set_skipped_kid(key_set, SIZE_MAX).data == NULL);
    NO_HANDLE(gk_key, gk_key_set_at, NULL, 0);
    NO_HANDLE(gk_key, gk_key_set_at, key_set, 1);
    NO_HANDLE(gk_key, gk_key_set_at, key_set, SIZE_MAX);
    REFUSED(gk_key_set_at, key_set, 0, NULL);
    NO_HANDLE(gk_key, gk_key_set_by_kid, NULL, TEXT);
    NO_HANDLE(gk_key, gk_key_set_by_kid, key_set, NOTEXT);
    NO_HANDLE(gk_key, gk_key_set_by_kid, key_set, LATIN1);
    REFUSED(gk_key_set_by_kid, key_set, TEXT, NULL);
    NO_HANDLE(gk_key, gk_key_set_select, NULL, TEXT, GK_ALG_ES256);
    NO_HANDLE(gk_key, gk_key_set_select, key_set, NOTEXT, GK_ALG_ES256);
    NO_HANDLE(gk_key, gk_key_set_select, key_set, LATIN1, GK_ALG_ES256);
    NO_HANDLE(gk_key, gk_key_set_select, key_set, TEXT, GK_ALG_ANY);
    REFUSED(gk_key_set_select, key_set, TEXT, GK_ALG_ES256, NULL);
    NO_BUF(gk_key_set_to_jwks, NULL);
    REFUSED(gk_key_set_to_jwks, key_set, NULL);
    NO_BUF(gk_key_set_to_private_jwks, NULL);
    REFUSED(gk_key_set_to_private_jwks, key_set, NULL);
}

static void claims_and_signers(void) {
    gk_claims *more = CALL(gk_claims_new)();
    CHECK(more != NULL);
    gk_claims_free(more);
    NO_HANDLE(gk_claims, gk_claims_from_json, NOTEXT);
    NO_HANDLE(gk_claims, gk_claims_from_json, TEXT);
    NO_HANDLE(gk_claims, gk_claims_from_json, LATIN1);
    NO_HANDLE(gk_claims, gk_claims_from_json, NULL, 0);
    REFUSED(gk_claims_from_json, GK_TEXT("{}"), NULL);
    TEXT_SETTER(gk_claims, gk_claims_issuer);
    TEXT_SETTER(gk_claims, gk_claims_subject);
    TEXT_SETTER(gk_claims, gk_claims_audience);
    TEXT_SETTER(gk_claims, gk_claims_token_id);
    IGNORED(gk_claims_expires_at, NULL, 1);
    IGNORED(gk_claims_not_before, NULL, 1);
    IGNORED(gk_claims_issued_at, NULL, 1);
    IGNORED(gk_claims_claim_str, NULL, TEXT, TEXT);
    STICKS(gk_claims, gk_claims_claim_str, NOTEXT, TEXT);
    STICKS(gk_claims, gk_claims_claim_str, TEXT, NOTEXT);
    STICKS(gk_claims, gk_claims_claim_str, TEXT, LATIN1);
    IGNORED(gk_claims_claim_i64, NULL, TEXT, 1);
    STICKS(gk_claims, gk_claims_claim_i64, NOTEXT, 1);
    IGNORED(gk_claims_claim_bool, NULL, TEXT, true);
    STICKS(gk_claims, gk_claims_claim_bool, LATIN1, true);
    IGNORED(gk_claims_claim_json, NULL, TEXT, GK_TEXT("1"));
    STICKS(gk_claims, gk_claims_claim_json, NOTEXT, GK_TEXT("1"));
    STICKS(gk_claims, gk_claims_claim_json, TEXT, NOTEXT);
    STICKS(gk_claims, gk_claims_claim_json, TEXT, GK_TEXT("{"));
    STICKS(gk_claims, gk_claims_claim_json, TEXT, GK_TEXT("1,\"admin\":true"));
    NO_BUF(gk_claims_to_json, NULL);
    REFUSED(gk_claims_to_json, claims, NULL);

    NO_HANDLE(gk_signer_builder, gk_signer_builder_new, NULL);
    REFUSED(gk_signer_builder_new, key, NULL);
    NO_HANDLE(gk_signer_builder, gk_signer_builder_following, NULL);
    REFUSED(gk_signer_builder_following, ring, NULL);
    TEXT_SETTER(gk_signer_builder, gk_signer_builder_issuer);
    TEXT_SETTER(gk_signer_builder, gk_signer_builder_audience);
    TEXT_SETTER(gk_signer_builder, gk_signer_builder_typ);
    IGNORED(gk_signer_builder_header, NULL, TEXT, GK_TEXT("1"));
    STICKS(gk_signer_builder, gk_signer_builder_header, NOTEXT, GK_TEXT("1"));
    STICKS(gk_signer_builder, gk_signer_builder_header, TEXT, NOTEXT);
    IGNORED(gk_signer_builder_ttl, NULL, 1);
    IGNORED(gk_signer_builder_no_ttl, NULL);
    IGNORED(gk_signer_builder_no_typ, NULL);
    IGNORED(gk_signer_builder_kid, NULL, true);
    IGNORED(gk_signer_builder_token_ids, NULL, true);
    IGNORED(gk_signer_builder_allow_missing_exp, NULL);
    STICKS(gk_signer_builder, gk_signer_builder_clock, NULL, NULL, NULL);
    STICKS(gk_signer_builder, gk_signer_builder_random, NULL, NULL, NULL);
    NO_HANDLE(gk_signer, gk_signer_builder_build, NULL);
    REFUSED(gk_signer_builder_build, builder, NULL);
    NO_HANDLE(gk_key, gk_signer_key, NULL);
    REFUSED(gk_signer_key, signer, NULL);
    NO_BUF(gk_signer_sign, NULL, claims);
    NO_BUF(gk_signer_sign, signer, NULL);
    REFUSED(gk_signer_sign, signer, claims, NULL);
    NO_BUF(gk_signer_sign_json, NULL, GK_TEXT("{}"));
    NO_BUF(gk_signer_sign_json, signer, NOTEXT);
    NO_BUF(gk_signer_sign_json, signer, TEXT);
    NO_BUF(gk_signer_sign_json, signer, NULL, 0);
    REFUSED(gk_signer_sign_json, signer, GK_TEXT("{}"), NULL);
    NO_HANDLE(gk_unsigned, gk_signer_prepare, NULL, claims);
    NO_HANDLE(gk_unsigned, gk_signer_prepare, signer, NULL);
    REFUSED(gk_signer_prepare, signer, claims, NULL);
    NO_HANDLE(gk_unsigned, gk_signer_prepare_json, NULL, GK_TEXT("{}"));
    NO_HANDLE(gk_unsigned, gk_signer_prepare_json, signer, NOTEXT);
    REFUSED(gk_signer_prepare_json, signer, GK_TEXT("{}"), NULL);
    CHECK(CALL(gk_unsigned_signing_input)(NULL).data == NULL);
    NO_BUF(gk_unsigned_attach, NULL, BINARY);
    NO_BUF(gk_unsigned_attach, prepared, NORAW);
    REFUSED(gk_unsigned_attach, prepared, BINARY, NULL);
}

static void policies_and_verifiers(void) {
    gk_policy *more = CALL(gk_policy_new)();
    CHECK(more != NULL);
    gk_policy_free(more);
    TEXT_SETTER(gk_policy, gk_policy_expect_issuer);
    TEXT_SETTER(gk_policy, gk_policy_expect_audience);
    TEXT_SETTER(gk_policy, gk_policy_expect_type);
    TEXT_SETTER(gk_policy, gk_policy_expect_subject);
    TEXT_SETTER(gk_policy, gk_policy_require_claim);
    IGNORED(gk_policy_ignore_issuer, NULL);
    IGNORED(gk_policy_ignore_audience, NULL);
    IGNORED(gk_policy_ignore_type, NULL);
    IGNORED(gk_policy_allow_numeric_subject, NULL);
    IGNORED(gk_policy_expect_numeric_subject, NULL, 7);
    IGNORED(gk_policy_allow_padding, NULL);
    IGNORED(gk_policy_expect_claim, NULL, TEXT, GK_TEXT("1"));
    STICKS(gk_policy, gk_policy_expect_claim, NOTEXT, GK_TEXT("1"));
    STICKS(gk_policy, gk_policy_expect_claim, TEXT, NOTEXT);
    gk_policy *unquoted = CALL(gk_policy_new)();
    gk_policy_expect_claim(unquoted, GK_TEXT("token_type"), GK_TEXT("access"));
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_policy(unquoted, &err));
    CHECK(strcmp(gk_error_claim(&err), "token_type") == 0);
    gk_policy_free(unquoted);
    IGNORED(gk_policy_max_age, NULL, 1);
    IGNORED(gk_policy_leeway, NULL, 1);
    IGNORED(gk_policy_allow_missing_exp, NULL);
    IGNORED(gk_policy_algorithms, NULL, good_algs, 1);
    STICKS(gk_policy, gk_policy_algorithms, NULL, 1);
    STICKS(gk_policy, gk_policy_algorithms, good_algs, SIZE_MAX);
    IGNORED(gk_policy_max_token_bytes, NULL, 1);
    IGNORED(gk_policy_max_header_bytes, NULL, 1);
    STICKS(gk_policy, gk_policy_clock, NULL, NULL, NULL);
    IGNORED(gk_policy_revocations, NULL, revocations);
    STICKS(gk_policy, gk_policy_revocations, NULL);
    IGNORED(gk_policy_try_keys_without_kid, NULL);

    const gk_issuer_rule *hole[] = {rule, NULL};
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_new, NOTEXT, key_set);
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_new, LATIN1, key_set);
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_new, TEXT, NULL);
    REFUSED(gk_issuer_rule_new, TEXT, key_set, NULL);
    TEXT_SETTER(gk_issuer_rule, gk_issuer_rule_expect_audience);
    IGNORED(gk_issuer_rule_ignore_audience, NULL);
    IGNORED(gk_issuer_rule_algorithms, NULL, good_algs, 1);
    STICKS(gk_issuer_rule, gk_issuer_rule_algorithms, NULL, 1);

    NO_HANDLE(gk_verifier, gk_verifier_new, NULL, policy);
    NO_HANDLE(gk_verifier, gk_verifier_new, key_set, NULL);
    REFUSED(gk_verifier_new, key_set, policy, NULL);
    NO_HANDLE(gk_verifier, gk_verifier_with_key, NULL, policy);
    NO_HANDLE(gk_verifier, gk_verifier_with_key, key, NULL);
    REFUSED(gk_verifier_with_key, key, policy, NULL);
    NO_HANDLE(gk_verifier, gk_verifier_following, NULL, policy);
    NO_HANDLE(gk_verifier, gk_verifier_following, ring, NULL);
    REFUSED(gk_verifier_following, ring, policy, NULL);
    NO_HANDLE(gk_verifier, gk_verifier_for_issuers, NULL, 1, policy);
    NO_HANDLE(gk_verifier, gk_verifier_for_issuers, hole, 2, policy);
    NO_HANDLE(gk_verifier, gk_verifier_for_issuers, hole, 1, NULL);
    REFUSED(gk_verifier_for_issuers, hole, 1, policy, NULL);
    CHECK(!CALL(gk_verifier_is_symmetric)(NULL));
    NO_HANDLE(gk_verified, gk_verifier_verify, NULL, token.data, token.len);
    NO_HANDLE(gk_verified, gk_verifier_verify, verifier, NOTEXT);
    NO_HANDLE(gk_verified, gk_verifier_verify, verifier, token.data, SIZE_MAX);
    REFUSED(gk_verifier_verify, verifier, token.data, token.len, NULL);
    NO_HANDLE(gk_unverified, gk_danger_decode_unverified, NOTEXT);
    REFUSED(gk_danger_decode_unverified, token.data, token.len, NULL);
    CHECK(CALL(gk_unverified_header_json)(NULL).data == NULL);
    CHECK(CALL(gk_unverified_claims_json)(NULL).data == NULL);

    /* What is not a token is refused as that, NULL of no length included. */
    gk_verified *none = verified;
    /* A request without a token is not one with an empty one. */
    FAILS(GK_STATUS_MISSING_CREDENTIALS, gk_verifier_verify(verifier, NULL, 0, &none, &err));
    FAILS(GK_STATUS_MALFORMED_TOKEN, gk_verifier_verify(verifier, "", 0, &none, &err));
    CHECK(none == NULL);
    FAILS(GK_STATUS_MALFORMED_TOKEN, gk_verifier_verify(verifier, LATIN1, &none, &err));
    FAILS(GK_STATUS_MALFORMED_TOKEN, gk_verifier_verify(verifier, TEXT, &none, &err));
}

static void what_was_verified(void) {
    CHECK(CALL(gk_verified_claims_json)(NULL).data == NULL);
    NO_BUF(gk_verified_header_json, NULL);
    REFUSED(gk_verified_header_json, verified, NULL);
    CHECK(CALL(gk_verified_alg)(NULL) == GK_ALG_ANY);
    CHECK(CALL(gk_verified_key_id)(NULL).data == NULL);
    CHECK(CALL(gk_verified_issuer)(NULL).data == NULL);
    CHECK(CALL(gk_verified_subject)(NULL).data == NULL);
    CHECK(CALL(gk_verified_token_id)(NULL).data == NULL);
    CHECK(CALL(gk_verified_audience_len)(NULL) == 0);
    CHECK(CALL(gk_verified_audience_at)(NULL, 0).data == NULL);
    CHECK(gk_verified_audience_at(verified, SIZE_MAX).data == NULL);
    int64_t seconds = 9;
    CHECK(!CALL(gk_verified_numeric_subject)(NULL, &seconds) && seconds == 0);
    CHECK(!gk_verified_numeric_subject(verified, NULL));
    CHECK(!CALL(gk_verified_expires_at)(NULL, &seconds) && seconds == 0);
    CHECK(gk_verified_expires_at(verified, NULL));
    seconds = 9;
    CHECK(!CALL(gk_verified_not_before)(NULL, &seconds) && seconds == 0);
    seconds = 9;
    CHECK(!CALL(gk_verified_issued_at)(NULL, &seconds) && seconds == 0);
    CHECK(CALL(gk_verified_claim_json)(NULL, TEXT).data == NULL);
    CHECK(gk_verified_claim_json(verified, NOTEXT).data == NULL);
    CHECK(gk_verified_claim_json(verified, LATIN1).data == NULL);
    CHECK(gk_verified_claim_json(verified, NULL, 0).data == NULL);
    NO_BUF(gk_verified_claim_str, NULL, TEXT);
    NO_BUF(gk_verified_claim_str, verified, NOTEXT);
    NO_BUF(gk_verified_claim_str, verified, LATIN1);
    REFUSED(gk_verified_claim_str, verified, TEXT, NULL);
    int64_t number = 9;
    REFUSED(gk_verified_claim_i64, NULL, TEXT, &number);
    CHECK(number == 0);
    REFUSED(gk_verified_claim_i64, verified, NOTEXT, &number);
    REFUSED(gk_verified_claim_i64, verified, TEXT, NULL);
    bool truth = true;
    REFUSED(gk_verified_claim_bool, NULL, TEXT, &truth);
    CHECK(!truth);
    REFUSED(gk_verified_claim_bool, verified, NOTEXT, &truth);
    REFUSED(gk_verified_claim_bool, verified, TEXT, NULL);
}

/* What other programs call: apikeys, session, sessions, revocations, json, keyring,
 * kms, oauth_arguments, oauth_setters, guard_arguments. */
static const char *const ELSEWHERE[] = {"gk_api_key",
                                        "gk_issued_api_key",
                                        "gk_filter_",
                                        "gk_scan_rule",
                                        "gk_cookie_",
                                        "gk_csrf_",
                                        "gk_session",
                                        "gk_store_",
                                        "gk_revocation",
                                        "gk_json_",
                                        "gk_key_ring_",
                                        "gk_key_callback_",
                                        "gk_oauth_",
                                        "gk_login_options_",
                                        "gk_logout_options_",
                                        "gk_token_grant_",
                                        "gk_token_exchange_",
                                        "gk_operation_",
                                        "gk_http_",
                                        "gk_remote_key_set_",
                                        "gk_token_manager_",
                                        "gk_resource_server_",
                                        "gk_demand_",
                                        "gk_door_rule_",
                                        "gk_former_",
                                        "gk_guard_",
                                        "gk_access_",
                                        "gk_verifier_following_remote",
                                        "gk_issuer_rule_following_remote"};

int main(int argc, char **argv) {
    CHECK(argc == 2);
    set_up();
    clones();
    versions_statuses_and_algorithms();
    keys_in();
    keys_out();
    key_sets();
    claims_and_signers();
    policies_and_verifiers();
    what_was_verified();
    tear_down();
    CHECK(all_called(argv[1], ELSEWHERE, sizeof ELSEWHERE / sizeof *ELSEWHERE, false) > 100);
    return passed("arguments");
}
