/* Issue an API key, verify, rotate and revoke it. */
#include <gatekey.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///keys.sqlite";
    gk_error err;
    gk_api_keys *keys = NULL;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_check *check = gk_api_key_check_new();
    gk_buf first = {NULL, 0}, second = {NULL, 0};
    gk_api_key_result who, after;

    if (gk_api_keys_open(url, strlen(url), NULL, &keys, &err) ||
        gk_api_key_spec_owner(spec, GK_TEXT("acme"), &err) ||
        gk_api_key_spec_scope(spec, GK_TEXT("orders:read"), &err) ||
        gk_api_key_spec_rate(spec, 100, 60, &err) ||
        gk_api_keys_create(keys, spec, &first, NULL, &err) ||

        gk_api_key_check_scope(check, GK_TEXT("orders:read"), &err) ||
        gk_api_keys_verify(keys, first.data, first.len, check, NULL, 0, &who, &err) ||
        gk_api_keys_rotate(keys, who.key_id, strlen(who.key_id), 3600, &second, NULL, &err) ||
        gk_api_keys_revoke(keys, who.key_id, strlen(who.key_id), GK_TEXT("leaked"), &err)) {
        fprintf(stderr, "%s: %s\n", gk_status_name(err.status), err.message);
    } else {
        const gk_status refused =
            gk_api_keys_verify(keys, second.data, second.len, check, NULL, 0, &after, NULL);
        printf("show this once: %.20s...\n", first.data);
        printf("%s may read orders\n", who.owner);
        printf("after revoking: %s, HTTP %d\n", gk_status_name(refused), after.http_status);
    }

    gk_buf_free(&second);
    gk_buf_free(&first);
    gk_api_key_check_free(check);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
    return err.status != GK_STATUS_OK;
}
