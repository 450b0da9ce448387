/* Tokens of every algorithm: signed, verified, read, tampered with, and signed in two steps.
 *
 * usage: roundtrip ROOT, the directory of the repository */
#include "rfc7515.h"
#include "vectors.h"

static gk_error err;

static gk_verifier *verifier_for(const gk_key *key) {
    gk_verifier *verifier = NULL;
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://issuer.example"));
    gk_policy_expect_audience(policy, GK_TEXT("api"));
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    return verifier;
}

static gk_signer *signer_for(const gk_key *key) {
    gk_signer *signer = NULL;
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://issuer.example"));
    gk_signer_builder_audience(builder, GK_TEXT("api"));
    gk_signer_builder_audience(builder, GK_TEXT("web"));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    return signer;
}

static gk_claims *new_claims(void) {
    gk_claims *claims = gk_claims_new();
    gk_claims_subject(claims, GK_TEXT("quote \" backslash \\ line\n"));
    gk_claims_token_id(claims, GK_TEXT("id-1"));
    gk_claims_not_before(claims, 1700000000);
    gk_claims_claim_str(claims, GK_TEXT("name"), GK_TEXT("Zo\xC3\xAB \0 end"));
    gk_claims_claim_i64(claims, GK_TEXT("least"), INT64_MIN);
    gk_claims_claim_bool(claims, GK_TEXT("admin"), true);
    gk_claims_claim_json(claims, GK_TEXT("list"), GK_TEXT("[1, {\"a\": 2.50}]"));
    return claims;
}

static void read_back(const gk_verified *token, const gk_key *key) {
    int64_t issued = 0, expires = 0, before = 0, least = 0;
    bool admin = false;
    gk_buf text = {NULL, 0};

    CHECK(gk_verified_alg(token) == gk_key_alg(key));
    CHECK(gk_verified_key_id(token).len == gk_key_kid(key).len);
    CHECK(str_is(gk_verified_issuer(token), "https://issuer.example"));
    CHECK(str_is(gk_verified_subject(token), "quote \" backslash \\ line\n"));
    CHECK(gk_verified_subject(token).data == gk_verified_subject(token).data);
    CHECK(str_is(gk_verified_token_id(token), "id-1"));
    CHECK(gk_verified_audience_len(token) == 2);
    CHECK(str_is(gk_verified_audience_at(token, 0), "api"));
    CHECK(str_is(gk_verified_audience_at(token, 1), "web"));
    CHECK(gk_verified_audience_at(token, 2).data == NULL);
    CHECK(gk_verified_expires_at(token, &expires) && gk_verified_issued_at(token, &issued));
    CHECK(expires == issued + 900 && issued > 1700000000);
    CHECK(gk_verified_not_before(token, &before) && before == 1700000000);

    MUST(gk_verified_claim_str(token, GK_TEXT("name"), &text, &err));
    CHECK(text.len == 10 && memcmp(text.data, "Zo\xC3\xAB \0 end", 11) == 0);
    gk_buf_free(&text);
    MUST(gk_verified_claim_i64(token, GK_TEXT("least"), &least, &err));
    CHECK(least == INT64_MIN);
    MUST(gk_verified_claim_bool(token, GK_TEXT("admin"), &admin, &err));
    CHECK(admin);
    CHECK(str_is(gk_verified_claim_json(token, GK_TEXT("list")), "[1, {\"a\": 2.50}]"));
    CHECK(str_is(gk_verified_claim_json(token, GK_TEXT("jti")), "\"id-1\""));
    CHECK(gk_verified_claim_json(token, GK_TEXT("a")).data == NULL);
    FAILS(GK_STATUS_MISSING_CLAIM, gk_verified_claim_str(token, GK_TEXT("a"), &text, &err));
    FAILS(GK_STATUS_INVALID_CLAIM, gk_verified_claim_str(token, GK_TEXT("admin"), &text, &err));
    FAILS(GK_STATUS_INVALID_CLAIM, gk_verified_claim_i64(token, GK_TEXT("name"), &least, &err));
    FAILS(GK_STATUS_INVALID_CLAIM, gk_verified_claim_bool(token, GK_TEXT("least"), &admin, &err));

    MUST(gk_verified_header_json(token, &text, &err));
    CHECK(strstr(text.data, gk_alg_name(gk_key_alg(key))) != NULL);
    CHECK(strstr(text.data, "\"typ\":\"JWT\"") != NULL);
    gk_buf_free(&text);

    /* A copy lives on its own. */
    gk_verified *copy = gk_verified_clone(token);
    const gk_str claims = gk_verified_claims_json(token), same = gk_verified_claims_json(copy);
    CHECK(claims.len == same.len && memcmp(claims.data, same.data, claims.len) == 0);
    CHECK(claims.data != same.data && claims.data[0] == '{');
    gk_verified_free(copy);
}

static void refuse_tampered(const gk_verifier *verifier, const gk_buf *token) {
    gk_verified *verified = NULL;
    char *dot = strchr(token->data, '.');
    size_t places[] = {(size_t)(dot - token->data) + 3, token->len - 8};
    for (size_t i = 0; i < 2; i++) {
        char *place = token->data + places[i], was = *place;
        *place = was == 'A' ? 'B' : 'A';
        FAILS(GK_STATUS_INVALID_SIGNATURE,
              gk_verifier_verify(verifier, token->data, token->len, &verified, &err));
        CHECK(verified == NULL);
        *place = was;
    }
    FAILS(GK_STATUS_INVALID_SIGNATURE,
          gk_verifier_verify(verifier, token->data,
                             (size_t)(strrchr(token->data, '.') + 1 - token->data), &verified,
                             &err));
}

static void two_steps(const gk_key *key, const gk_key *half, const gk_verifier *verifier,
                      const gk_claims *claims) {
    gk_signer *signer = signer_for(half);
    gk_unsigned *prepared = NULL;
    gk_verified *verified = NULL;
    gk_buf json = {NULL, 0}, signature = {NULL, 0}, token = {NULL, 0};
    MUST(gk_claims_to_json(claims, &json, &err));
    if (!gk_key_is_private(half)) {
        FAILS(GK_STATUS_KEY_USAGE, gk_signer_sign(signer, claims, &token, &err));
    }
    for (int from_json = 0; from_json < 2; from_json++) {
        if (from_json) {
            MUST(gk_signer_prepare_json(signer, json.data, json.len, &prepared, &err));
        } else {
            MUST(gk_signer_prepare(signer, claims, &prepared, &err));
        }
        const gk_str input = gk_unsigned_signing_input(prepared);
        MUST(gk_key_sign(key, (const uint8_t *)input.data, input.len, &signature, &err));
        signature.data[0] ^= 1;
        FAILS(GK_STATUS_INVALID_SIGNATURE,
              gk_unsigned_attach(prepared, BYTES(signature), &token, &err));
        CHECK(token.data == NULL);
        signature.data[0] ^= 1;
        MUST(gk_unsigned_attach(prepared, BYTES(signature), &token, &err));
        CHECK(strncmp(token.data, input.data, input.len) == 0 && token.data[input.len] == '.');
        MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
        read_back(verified, key);
        gk_verified_free(verified);
        gk_buf_free(&token);
        gk_buf_free(&signature);
        gk_unsigned_free(prepared);
    }
    gk_buf_free(&json);
    gk_signer_free(signer);
}

static void round_trip(const gk_key *key) {
    gk_key *half = NULL, *signing = NULL;
    gk_buf token = {NULL, 0}, other = {NULL, 0}, json = {NULL, 0};
    gk_verified *verified = NULL;
    gk_unverified *unverified = NULL;
    if (gk_key_is_symmetric(key)) {
        half = gk_key_clone(key);
    } else {
        MUST(gk_key_public(key, &half, &err));
    }
    gk_signer *signer = signer_for(key);
    gk_verifier *verifier = verifier_for(half);
    gk_claims *claims = new_claims();
    CHECK(gk_verifier_is_symmetric(verifier) == gk_key_is_symmetric(key));
    MUST(gk_signer_key(signer, &signing, &err));
    CHECK(gk_key_alg(signing) == gk_key_alg(key));
    gk_key_free(signing);

    MUST(gk_signer_sign(signer, claims, &token, &err));
    CHECK(token.data[token.len] == 0 && strlen(token.data) == token.len);
    MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    read_back(verified, key);
    MUST(gk_danger_decode_unverified(token.data, token.len, &unverified, &err));
    CHECK(gk_unverified_claims_json(unverified).len == gk_verified_claims_json(verified).len);
    CHECK(gk_unverified_header_json(unverified).data[0] == '{');
    gk_unverified_free(unverified);
    refuse_tampered(verifier, &token);

    MUST(gk_claims_to_json(claims, &json, &err));
    MUST(gk_signer_sign_json(signer, json.data, json.len, &other, &err));
    gk_verified_free(verified);
    MUST(gk_verifier_verify(verifier, other.data, other.len, &verified, &err));
    read_back(verified, key);
    two_steps(key, half, verifier, claims);

    gk_verified_free(verified);
    gk_buf_free(&json);
    gk_buf_free(&other);
    gk_buf_free(&token);
    gk_claims_free(claims);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_free(half);
}

/* A stranger's key of the same algorithm verifies nothing. */
static void strangers(const gk_key *key, const gk_key *stranger) {
    gk_signer *signer = signer_for(stranger);
    gk_verifier *verifier = verifier_for(key);
    gk_verified *verified = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
    FAILS(GK_STATUS_INVALID_SIGNATURE,
          gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    gk_buf_free(&token);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
}

static uint64_t then_seconds;

static uint64_t then(void *user) {
    (void)user;
    return then_seconds;
}

/* The tokens that RFC 7515 prints, while they were good and afterwards. */
static void printed_tokens(void) {
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("joe"));
    gk_policy_clock(policy, then, NULL, NULL);
    for (size_t i = 0; i < RFC7515_TOKENS; i++) {
        const struct rfc7515_token *row = &rfc7515_tokens[i];
        const size_t len = strlen(row->token);
        gk_key *key = NULL;
        gk_verifier *verifier = NULL;
        gk_verified *claims = NULL;
        bool is_root = false;
        MUST(gk_key_from_jwk(row->jwk, strlen(row->jwk), row->alg, &key, &err));
        MUST(gk_verifier_with_key(key, policy, &verifier, &err));
        then_seconds = RFC7515_EXPIRY - 1;
        if (i == RFC7515_TOKENS - 1) { /* its payload is a word */
            FAILS(GK_STATUS_MALFORMED_TOKEN,
                  gk_verifier_verify(verifier, row->token, len, &claims, &err));
        } else {
            MUST(gk_verifier_verify(verifier, row->token, len, &claims, &err));
            MUST(gk_verified_claim_bool(claims, GK_TEXT("http://example.com/is_root"), &is_root,
                                        &err));
            CHECK(is_root && str_is(gk_verified_issuer(claims), "joe"));
            gk_verified_free(claims);
            then_seconds = RFC7515_EXPIRY;
            FAILS(GK_STATUS_EXPIRED, gk_verifier_verify(verifier, row->token, len, &claims, &err));
        }
        gk_verifier_free(verifier);
        gk_key_free(key);
    }
    gk_policy_free(policy);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    char *text = read_vectors(argv[1], "keys.txt"), *rest = text;
    gk_key *keys[GK_ALG_ML_DSA_87 + 1] = {NULL};
    const char *name = NULL, *jwk = NULL;
    gk_alg alg = GK_ALG_ANY;
    while (next_key(&rest, &name, &alg, &jwk)) {
        gk_key *key = NULL;
        if (is_left_out(alg)) continue;
        MUST(gk_key_from_jwk(jwk, strlen(jwk), alg, &key, &err));
        if (strncmp(name, "other-", 6) == 0) {
            strangers(keys[alg], key);
            gk_key_free(key);
        } else {
            round_trip(key);
            keys[alg] = key;
        }
    }
    for (alg = GK_ALG_HS256; alg <= GK_ALG_ML_DSA_87; alg++) {
        CHECK((keys[alg] != NULL) == !is_left_out(alg));
        gk_key_free(keys[alg]);
    }
    free(text);
    printed_tokens();
    return passed("roundtrip");
}
