/* The main job in C: sign, verify, refuse, and verify what others made. Run by `make demo-c`.
 *
 * usage: tokens JWKS TOKEN, two files that examples/mint_with_pyjwt.py has written */
#include "rfc7515.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "https://auth.example"
#define AUDIENCE "orders"

/* Ends the demo if a call that must succeed has failed. */
static void must(gk_status status, const gk_error *err) {
    if (status == GK_STATUS_OK) return;
    fprintf(stderr, "%s: %s\n", gk_status_name(status), err->message);
    exit(EXIT_FAILURE);
}

static void show(const char *what, const char *text) { printf("  %-15s %s\n", what, text); }

/* Shows why a token is refused; one that is accepted here ends the demo. */
static void show_refusal(const char *what, const gk_verifier *verifier, const char *token,
                         size_t token_len, const char *remark) {
    gk_error err;
    gk_verified *claims = NULL;
    char text[512];
    if (gk_verifier_verify(verifier, token, token_len, &claims, &err) == GK_STATUS_OK) {
        fprintf(stderr, "%s: this token must not be accepted\n", what);
        exit(EXIT_FAILURE);
    }
    snprintf(text, sizeof text, "refused, %s (%" PRId32 "): %s", gk_status_name(err.status),
             err.status, remark ? remark : err.message);
    show(what, text);
}

static gk_signer *new_signer(const gk_key *key, const char *audience) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    must(gk_signer_builder_new(key, &builder, &err), &err);
    gk_signer_builder_issuer(builder, GK_TEXT(ISSUER));
    gk_signer_builder_audience(builder, audience, strlen(audience));
    gk_signer_builder_ttl(builder, 300);
    must(gk_signer_builder_build(builder, &signer, &err), &err);
    gk_signer_builder_free(builder);
    return signer;
}

/* Claims are built member by member, so that nothing in them can be mistaken for JSON. */
static gk_buf sign(const gk_signer *signer, int64_t expires_at) {
    gk_error err;
    gk_claims *claims = gk_claims_new();
    gk_buf token = {NULL, 0};
    gk_claims_subject(claims, GK_TEXT("alice"));
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("orders:read"));
    if (expires_at) gk_claims_expires_at(claims, expires_at);
    must(gk_signer_sign(signer, claims, &token, &err), &err);
    gk_claims_free(claims);
    return token;
}

/* Generates a key, signs with it and verifies with its public half. */
static void sign_and_verify(void) {
    gk_error err;
    gk_key *key = NULL, *public_key = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *claims = NULL;
    gk_buf scope = {NULL, 0};
    char text[512];

    must(gk_key_generate(GK_ALG_ES256, &key, &err), &err);
    gk_signer *signer = new_signer(key, AUDIENCE);
    gk_buf token = sign(signer, 0);
    snprintf(text, sizeof text, "%s, %zu bytes, kid %.10s...", gk_alg_name(gk_key_alg(key)),
             token.len, gk_key_kid(key).data);
    show("signed", text);

    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT(ISSUER));
    gk_policy_expect_audience(policy, GK_TEXT(AUDIENCE));
    must(gk_key_public(key, &public_key, &err), &err);
    must(gk_verifier_with_key(public_key, policy, &verifier, &err), &err);
    must(gk_verifier_verify(verifier, token.data, token.len, &claims, &err), &err);

    int64_t expires_at = 0;
    gk_str subject = gk_verified_subject(claims);
    must(gk_verified_claim_str(claims, GK_TEXT("scope"), &scope, &err), &err);
    gk_verified_expires_at(claims, &expires_at);
    snprintf(text, sizeof text, "sub %.*s, scope %s, exp %" PRId64, (int)subject.len, subject.data,
             scope.data, expires_at);
    show("verified", text);

    gk_buf expired = sign(signer, 1700000000);
    show_refusal("expired", verifier, expired.data, expired.len, NULL);

    char *flipped = strrchr(token.data, '.') - 4;
    *flipped = *flipped == 'A' ? 'B' : 'A';
    show_refusal("tampered", verifier, token.data, token.len, NULL);

    gk_signer *other = new_signer(key, "billing");
    gk_buf elsewhere = sign(other, 0);
    show_refusal("wrong audience", verifier, elsewhere.data, elsewhere.len, NULL);

    gk_buf_free(&elsewhere);
    gk_signer_free(other);
    gk_buf_free(&expired);
    gk_buf_free(&scope);
    gk_verified_free(claims);
    gk_verifier_free(verifier);
    gk_key_free(public_key);
    gk_policy_free(policy);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_key_free(key);
}

static uint64_t stopped_clock(void *user) { return *(const uint64_t *)user; }

/* Verifies the tokens that RFC 7515 prints, at a moment when they were good. */
static void verify_rfc_tokens(void) {
    static uint64_t then = RFC7515_EXPIRY - 1;
    gk_error err;
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("joe"));
    gk_policy_clock(policy, stopped_clock, &then, NULL);

    for (size_t i = 0; i < RFC7515_TOKENS; i++) {
        const struct rfc7515_token *row = &rfc7515_tokens[i];
        gk_key *key = NULL;
        gk_verifier *verifier = NULL;
        gk_verified *claims = NULL;
        must(gk_key_from_jwk(row->jwk, strlen(row->jwk), row->alg, &key, &err), &err);
        must(gk_verifier_with_key(key, policy, &verifier, &err), &err);
        if (i == RFC7515_TOKENS - 1) {
            show_refusal(row->name, verifier, row->token, strlen(row->token),
                         "not a JWT: its payload is a word");
        } else {
            bool is_root = false;
            char text[512];
            must(gk_verifier_verify(verifier, row->token, strlen(row->token), &claims, &err), &err);
            must(gk_verified_claim_bool(claims, GK_TEXT("http://example.com/is_root"), &is_root,
                                        &err),
                 &err);
            gk_str issuer = gk_verified_issuer(claims);
            snprintf(text, sizeof text, "%s, iss %.*s, is_root %s", gk_alg_name(row->alg),
                     (int)issuer.len, issuer.data, is_root ? "true" : "false");
            show(row->name, text);
        }
        gk_verified_free(claims);
        gk_verifier_free(verifier);
        gk_key_free(key);
    }
    gk_policy_free(policy);
}

static size_t read_file(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    const size_t len = fread(text, 1, size, file);
    fclose(file);
    return len;
}

/* Verifies what PyJWT has minted, knowing only its published key set. */
static void verify_pyjwt_token(const char *jwks_path, const char *token_path) {
    gk_error err;
    gk_key_set *keys = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *claims = NULL;
    char jwks[4096], token[4096], text[512];
    const size_t jwks_len = read_file(jwks_path, jwks, sizeof jwks);
    const size_t token_len = read_file(token_path, token, sizeof token);

    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://pyjwt.example"));
    gk_policy_expect_audience(policy, GK_TEXT("gatekey-demo"));
    must(gk_key_set_from_jwks(jwks, jwks_len, GK_ALG_ANY, &keys, &err), &err);
    must(gk_verifier_new(keys, policy, &verifier, &err), &err);
    must(gk_verifier_verify(verifier, token, token_len, &claims, &err), &err);

    gk_str issuer = gk_verified_issuer(claims), subject = gk_verified_subject(claims);
    gk_str kid = gk_verified_key_id(claims);
    snprintf(text, sizeof text, "%s, iss %.*s, sub %.*s, kid %.*s",
             gk_alg_name(gk_verified_alg(claims)), (int)issuer.len, issuer.data, (int)subject.len,
             subject.data, (int)kid.len, kid.data);
    show("PyJWT", text);

    gk_verified_free(claims);
    gk_verifier_free(verifier);
    gk_key_set_free(keys);
    gk_policy_free(policy);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s JWKS TOKEN\n", argv[0]);
        return EXIT_FAILURE;
    }
    printf("gatekey %s from C\n", gk_version());
    sign_and_verify();
    verify_rfc_tokens();
    verify_pyjwt_token(argv[1], argv[2]);
    return EXIT_SUCCESS;
}
