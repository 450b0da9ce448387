/* What the tokens of another issuer add: at most 12 statements, which a test counts. Its keys are a
 * JWK Set in a file; its tokens name this API as `<our address>/api`. */
#ifndef PARTNER_H
#define PARTNER_H

#include "../must.h"

static gk_resource_server_builder *tokens_of(const char *issuer, const char *file_name,
                                             const char *origin) {
    char audience[512], jwks[65536];
    gk_key_set *keys;
    FILE *file = fopen(file_name, "rb");
    const size_t size = file == NULL ? 0 : fread(jwks, 1, sizeof jwks, file);
    if (file == NULL || ferror(file) || fclose(file)) perror(file_name), exit(2);
    must(gk_key_set_from_jwks(jwks, size, GK_ALG_ANY, &keys, &err));
    snprintf(audience, sizeof audience, "%s/api", origin);
    gk_resource_server_builder *tokens = gk_resource_server_builder_new(audience, strlen(audience));
    gk_resource_server_builder_issuer_key_set(tokens, issuer, strlen(issuer), keys);
    gk_key_set_free(keys);
    return tokens;
}

#endif
