/* Sign a token and verify it. */
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>

static gk_error err;

static void must(gk_status status) {
    if (status) fprintf(stderr, "%s: %s\n", gk_status_name(status), err.message), exit(1);
}

int main(void) {
    gk_key *key;
    gk_signer_builder *builder;
    gk_signer *signer;
    gk_verifier *verifier;
    gk_verified *claims;
    gk_buf token;

    must(gk_key_generate(GK_ALG_ES256, &key, &err));
    must(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    gk_signer_builder_audience(builder, GK_TEXT("orders"));
    must(gk_signer_builder_build(builder, &signer, &err));
    must(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));

    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    gk_policy_expect_audience(policy, GK_TEXT("orders"));
    must(gk_verifier_with_key(key, policy, &verifier, &err));
    must(gk_verifier_verify(verifier, token.data, token.len, &claims, &err));
    const gk_str subject = gk_verified_subject(claims);
    printf("%.*s may come in\n", (int)subject.len, subject.data);

    gk_verified_free(claims);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_buf_free(&token);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_free(key);
}
