/* Issue an API key, verify, rotate and revoke it. */
#include "must.h"

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///keys.sqlite";
    gk_api_keys *keys;
    gk_issued_api_key first, second;
    gk_api_key_result who, after;

    must(gk_api_keys_open(url, strlen(url), NULL, &keys, &err));
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    gk_api_key_spec_scope(spec, GK_TEXT("orders:read"));
    gk_api_key_spec_rate(spec, 100, 60);
    must(gk_api_keys_create(keys, spec, &first, &err));
    printf("show this once: %.20s...\n", first.secret.data);

    gk_api_key_check *check = gk_api_key_check_new();
    gk_api_key_check_scope(check, GK_TEXT("orders:read"));
    gk_api_key_request request = {{first.secret.data, first.secret.len}, {GK_TEXT("192.0.2.7")}};
    must(gk_api_keys_verify(keys, &request, check, &who, &err));
    printf("%s may read orders\n", who.owner);

    must(gk_api_keys_rotate(keys, who.key_id, strlen(who.key_id), 3600, &second, &err));
    must(gk_api_keys_revoke(keys, who.key_id, strlen(who.key_id), GK_TEXT("leaked"), &err));
    request.key.data = second.secret.data;
    const gk_status refused = gk_api_keys_verify(keys, &request, check, &after, NULL);
    printf("after revoking: %s, HTTP %d\n", gk_status_name(refused), after.http_status);

    gk_issued_api_key_free(&second);
    gk_issued_api_key_free(&first);
    gk_api_key_check_free(check);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}
