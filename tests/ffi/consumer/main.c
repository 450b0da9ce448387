/* A program of someone else's, which includes what was installed. */
#include <gatekey.h>
#include <stdio.h>

int main(void) {
    gk_error err;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_policy *policy = gk_policy_new();
    gk_verifier *verifier = NULL;
    gk_verified *claims = NULL;
    gk_buf token = {NULL, 0};
    if (gk_abi_version() != GK_ABI_VERSION) return 2;
    if (gk_key_generate(GK_ALG_HS256, &key, &err) || gk_signer_builder_new(key, &builder, &err) ||
        gk_signer_builder_build(builder, &signer, &err) ||
        gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err) ||
        gk_verifier_with_key(key, policy, &verifier, &err) ||
        gk_verifier_verify(verifier, token.data, token.len, &claims, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    gk_str subject = gk_verified_subject(claims);
    printf("%.*s may come in\n", (int)subject.len, subject.data);
    gk_buf_free(&token);
    gk_verified_free(claims);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_free(key);
    return 0;
}
