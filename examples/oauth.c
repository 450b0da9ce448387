/* Sign in with another server, and accept its tokens at an API: oauth-c ISSUER BROWSER. BROWSER is
 * a command that signs in like a person; a web service sends the user's own browser instead. */
#define _DEFAULT_SOURCE
#include "must.h"

#define API GK_TEXT("https://api.example.test")
#define MEMBER(json, name) gk_json_text(gk_json_member(json, GK_TEXT(name)))
#define LENT(text) (int)(text).len, (text).data

/* Does what an operation asks for, and gives what it ends with. */
static gk_json *run(gk_operation *operation, const gk_http *http) {
    gk_json *json;
    must(gk_operation_run(operation, http, &err));
    must(gk_operation_json(operation, &json, &err));
    gk_operation_free(operation);
    return json;
}

/* GET /orders: who may see them, or how to do better. */
static void orders(const gk_resource_server *api, const gk_demand *demand, const char *header) {
    const gk_caller caller = {header, strlen(header), NULL, 0, NULL, 0};
    gk_buf access, challenge;
    if (gk_resource_server_check(api, &caller, demand, &access, &challenge, &err))
        printf("%d, WWW-Authenticate: %s\n", (int)gk_status_http(err.status),
               challenge.data ? challenge.data : "");
    else
        printf("200, the orders of %s\n", access.data);
    gk_buf_free(&access);
    gk_buf_free(&challenge);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: oauth-c ISSUER BROWSER\n"), 2;
    gk_http *http;
    gk_oauth_client *client;
    gk_operation *operation;
    gk_remote_key_set *keys;
    gk_resource_server *api;
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
    gk_login_options *options = gk_login_options_new();
    gk_login_options_resource(options, API);
    gk_login_options_prompt(options, GK_TEXT("consent"));
    must(gk_oauth_client_begin(client, options, NULL, 0, &operation, &err));
    gk_json *begun = run(operation, http);

    /* What the browser comes back with: the callback, and the cookie that it was given. */
    char command[8192], callback[8192], header[4096];
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

    gk_remote_key_set_options *where = gk_remote_key_set_options_new();
    gk_remote_key_set_options_issuer(where, argv[1], strlen(argv[1]));
    gk_remote_key_set_options_allow_loopback_http(where, true);
    must(gk_remote_key_set_new(where, http, &keys, &err));
    gk_resource_server_builder *builder = gk_resource_server_builder_new(API);
    gk_resource_server_builder_issuer(builder, argv[1], strlen(argv[1]));
    gk_resource_server_builder_keys(builder, keys);
    must(gk_resource_server_builder_build(builder, &api, &err));
    gk_demand *demand = gk_demand_new();
    gk_demand_scope(demand, GK_TEXT("api:read"));
    const gk_json *tokens = gk_json_member(login, GK_TEXT("tokens"));
    snprintf(header, sizeof header, "Bearer %.*s", LENT(MEMBER(tokens, "access_token")));
    orders(api, demand, header);
    orders(api, demand, "");

    gk_demand_free(demand);
    gk_resource_server_free(api);
    gk_resource_server_builder_free(builder);
    gk_remote_key_set_free(keys);
    gk_remote_key_set_options_free(where);
    gk_json_free(login);
    gk_json_free(begun);
    gk_login_options_free(options);
    gk_oauth_client_free(client);
    gk_oauth_config_free(config);
    gk_http_free(http);
    gk_http_options_free(local);
}
