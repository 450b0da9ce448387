/* Sign in with another server: oauth-c ISSUER BROWSER. BROWSER is a command that signs in like a
 * person; a web service sends the user's own browser instead. */
#define _DEFAULT_SOURCE
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER(json, name) gk_json_text(gk_json_member(json, GK_TEXT(name)))
#define LENT(text) (int)(text).len, (text).data

static gk_error err;

static void must(gk_status status) {
    if (status == GK_STATUS_OK) return;
    fprintf(stderr, "%s: %s\n", gk_status_name(status), err.message);
    exit(EXIT_FAILURE);
}

/* Does what an operation asks for, and gives what it ends with. */
static gk_json *run(gk_operation *operation, const gk_http *http) {
    gk_json *json;
    must(gk_operation_run(operation, http, &err));
    must(gk_operation_json(operation, &json, &err));
    gk_operation_free(operation);
    return json;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: oauth-c ISSUER BROWSER\n"), 2;
    gk_http *http;
    gk_oauth_client *client;
    gk_operation *operation;
    gk_http_options *local = gk_http_options_new();
    gk_http_options_allow_loopback_http(local, true);
    must(gk_http_new(local, &http, &err));
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_issuer(config, argv[1], strlen(argv[1]));
    gk_oauth_config_client_id(config, GK_TEXT("web-basic"));
    gk_oauth_config_client_secret(config, GK_TEXT("a-secret-of-the-tests-0123456789abcdef"));
    gk_oauth_config_redirect_uri(config, GK_TEXT("http://127.0.0.1:9999/cb"));
    gk_oauth_config_scopes(config, GK_TEXT("openid api:read"));
    gk_oauth_config_allow_loopback_http(config, true);
    must(gk_oauth_client_new(config, &client, &err));
    must(gk_oauth_client_begin(client, NULL, NULL, 0, &operation, &err));
    gk_json *begun = run(operation, http);

    /* What the browser comes back with: the callback, and the cookie that it was given. */
    char command[8192], callback[8192];
    snprintf(command, sizeof command, "%s login '%.*s' http://127.0.0.1:9999/cb", argv[2],
             LENT(MEMBER(begun, "url")));
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(callback, sizeof callback, pipe) == NULL) return EXIT_FAILURE;
    pclose(pipe);
    const gk_json *cookies = gk_json_member(begun, GK_TEXT("set_cookies"));
    const char *cookie = gk_json_text(gk_json_at(cookies, 0)).data;
    const gk_login_callback back = {callback, strcspn(callback, "\n"), cookie,
                                    strcspn(cookie, ";")};
    must(gk_oauth_client_finish(client, &back, &operation, &err));
    gk_json *login = run(operation, http);
    printf("%.*s signed in\n", LENT(MEMBER(login, "subject")));

    gk_json_free(login);
    gk_json_free(begun);
    gk_oauth_client_free(client);
    gk_oauth_config_free(config);
    gk_http_free(http);
    gk_http_options_free(local);
}
