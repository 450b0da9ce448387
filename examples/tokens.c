/* Sign and verify tokens, refuse others, and verify what PyJWT has made: tokens-c JWKS TOKEN, both
 * of which examples/mint_with_pyjwt.py writes down. */
#include "must.h"

/* Claims are built member by member, so that nothing in them can be mistaken for JSON. */
static gk_buf sign(const gk_key *key, const char *audience, int64_t expires_at) {
    gk_signer_builder *builder;
    gk_signer *signer;
    gk_buf token;
    must(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    gk_signer_builder_audience(builder, audience, strlen(audience));
    must(gk_signer_builder_build(builder, &signer, &err));
    gk_claims *claims = gk_claims_new();
    gk_claims_subject(claims, GK_TEXT("alice"));
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("orders:read"));
    if (expires_at) gk_claims_expires_at(claims, expires_at);
    must(gk_signer_sign(signer, claims, &token, &err));
    gk_claims_free(claims);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return token;
}

/* Says who a token is about, or why it is refused; what is not as it should be ends the program. */
static void show(const gk_verifier *verifier, const char *token, size_t len, gk_status wanted) {
    gk_verified *claims;
    const gk_status status = gk_verifier_verify(verifier, token, len, &claims, &err);
    const gk_str subject = gk_verified_subject(claims);
    if (status == GK_STATUS_OK)
        printf("verified: sub %.*s\n", (int)subject.len, subject.data);
    else
        printf("refused: %s: %s\n", gk_status_name(status), err.message);
    if (status != wanted) exit(EXIT_FAILURE);
    gk_verified_free(claims);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: tokens-c JWKS TOKEN\n"), EXIT_FAILURE;
    gk_key *key, *public_key;
    gk_key_set *keys;
    gk_verifier *verifier, *theirs;

    must(gk_key_generate(GK_ALG_ES256, &key, &err));
    must(gk_key_public(key, &public_key, &err));
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    gk_policy_expect_audience(policy, GK_TEXT("orders"));
    must(gk_verifier_with_key(public_key, policy, &verifier, &err));
    gk_buf good = sign(key, "orders", 0), expired = sign(key, "orders", 1700000000),
           elsewhere = sign(key, "billing", 0);
    show(verifier, good.data, good.len, GK_STATUS_OK);
    show(verifier, expired.data, expired.len, GK_STATUS_EXPIRED);
    show(verifier, elsewhere.data, elsewhere.len, GK_STATUS_INVALID_AUDIENCE);
    char *letter = strrchr(good.data, '.') - 4; /* of the claims */
    *letter = *letter == 'A' ? 'B' : 'A';
    show(verifier, good.data, good.len, GK_STATUS_INVALID_SIGNATURE);

    gk_policy *their_policy = gk_policy_new();
    gk_policy_expect_issuer(their_policy, GK_TEXT("https://pyjwt.example"));
    gk_policy_expect_audience(their_policy, GK_TEXT("gatekey-demo"));
    must(gk_key_set_from_jwks(argv[1], strlen(argv[1]), GK_ALG_ANY, &keys, &err));
    must(gk_verifier_new(keys, their_policy, &theirs, &err));
    show(theirs, argv[2], strlen(argv[2]), GK_STATUS_OK);

    gk_verifier_free(theirs);
    gk_key_set_free(keys);
    gk_policy_free(their_policy);
    gk_buf_free(&elsewhere);
    gk_buf_free(&expired);
    gk_buf_free(&good);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_key_free(public_key);
    gk_key_free(key);
}
