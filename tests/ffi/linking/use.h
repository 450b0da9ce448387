/* What the programs here do with gatekey: its cryptography, and its SQLite. */
#ifndef GATEKEY_TESTS_USE_H
#define GATEKEY_TESTS_USE_H

#include "../check.h"

/* A key made and dropped, a token signed and verified. */
static inline void use_keys(void) {
    gk_error err;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_policy *policy = gk_policy_new();
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    gk_buf token = {NULL, 0};
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    MUST(gk_verifier_verify(verifier, token.data, token.len, &verified, &err));
    CHECK(str_is(gk_verified_subject(verified), "alice"));
    gk_verified_free(verified);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_free(key);
}

/* An API key issued and verified, in the store of this URL. */
static inline void use_store(const char *url) {
    gk_error err;
    gk_api_keys *keys = NULL;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_result who;
    gk_issued_api_key key;
    MUST(gk_api_keys_open(url, strlen(url), NULL, &keys, &err));
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    MUST(gk_api_keys_create(keys, spec, &key, &err));
    const gk_api_key_request request = {{LENT(key.secret)}, {NULL, 0}};
    MUST(gk_api_keys_verify(keys, &request, NULL, &who, &err));
    CHECK(strcmp(who.owner, "acme") == 0);
    gk_issued_api_key_free(&key);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}

#endif /* GATEKEY_TESTS_USE_H */
