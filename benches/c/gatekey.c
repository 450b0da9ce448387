/* gatekey through its C ABI: one verifier and one signer, made once and shared. */
#include "serve.h"

#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    gk_verifier *verifier;
    gk_signer *signer;
    gk_claims *claims;
};

static void must(gk_status status, const gk_error *err) {
    if (status != GK_STATUS_OK) {
        fprintf(stderr, "gatekey: %s\n", err->message);
        exit(1);
    }
}

static int verify(void *state, const char *token, size_t token_len) {
    const struct state *s = state;
    gk_verified *verified;
    gk_error err;
    if (gk_verifier_verify(s->verifier, token, token_len, &verified, &err) != GK_STATUS_OK) return 0;
    int readable = gk_verified_claims_json(verified).len > 0;
    gk_verified_free(verified);
    return readable;
}

static void sign(void *state, char **copy) {
    const struct state *s = state;
    gk_buf token;
    gk_error err;
    must(gk_signer_sign(s->signer, s->claims, &token, &err), &err);
    if (copy) {
        *copy = malloc(token.len + 1);
        if (!*copy) abort();
        memcpy(*copy, token.data, token.len + 1);
    }
    gk_buf_free(&token);
}

static gk_key *load(gk_alg alg, const char *data, size_t len) {
    gk_key *key;
    gk_error err;
    gk_status status = alg == GK_ALG_HS256 ? gk_key_from_secret((const uint8_t *)data, len, alg, &key, &err)
                                           : gk_key_from_pem(data, len, alg, &key, &err);
    must(status, &err);
    return key;
}

static int setup(const struct bench_fixtures *f, struct bench_contender *out) {
    struct state *s = calloc(1, sizeof *s);
    if (!s) abort();
    gk_error err;
    gk_alg alg;
    must(gk_alg_from_name(f->alg, strlen(f->alg), &alg, &err), &err);
    gk_key *public_key = load(alg, f->public_key, f->public_len);
    gk_key *private_key = load(alg, f->private_key, f->private_len);

    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, ISSUER, strlen(ISSUER));
    gk_policy_expect_audience(policy, AUDIENCE, strlen(AUDIENCE));
    must(gk_verifier_with_key(public_key, policy, &s->verifier, &err), &err);

    gk_signer_builder *builder;
    must(gk_signer_builder_new(private_key, &builder, &err), &err);
    gk_signer_builder_no_ttl(builder);
    gk_signer_builder_kid(builder, false);
    gk_signer_builder_token_ids(builder, false);
    must(gk_signer_builder_build(builder, &s->signer, &err), &err);
    must(gk_claims_from_json(f->payload, strlen(f->payload), &s->claims, &err), &err);

    gk_signer_builder_free(builder);
    gk_policy_free(policy);
    gk_key_free(public_key);
    gk_key_free(private_key);
    *out = (struct bench_contender){"gatekey (C)", verify, sign, s};
    return 1;
}

int main(int argc, char **argv) {
    return bench_main(argc, argv, "gatekey", gk_version(), setup);
}
