/* Sign in with another server, and call an API with its token: oauth-c ISSUER BROWSER. BROWSER is a
 * command that signs in like a person; a web service sends the user's own browser instead. */
#define _DEFAULT_SOURCE
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "https://api.example.test"
#define MEMBER(json, name) gk_json_text(gk_json_member(json, GK_TEXT(name)))
#define LENT(text) (int)(text).len, (text).data

static gk_error err;

static void must(gk_status status) {
    if (status == GK_STATUS_OK) return;
    fprintf(stderr, "%s: %s\n", gk_status_name(status), err.message);
    exit(EXIT_FAILURE);
}

/* Does what an operation asks for, and reads what it ends with. */
static gk_json *done(gk_operation *operation, const gk_http *http) {
    gk_buf result;
    gk_json *json;
    must(gk_operation_run(operation, http, &err));
    must(gk_operation_result(operation, &result, &err));
    must(gk_json_parse(result.data, result.len, &json, &err));
    gk_buf_free(&result);
    gk_operation_free(operation);
    return json;
}

/* What the browser ends up with: the address of the callback. */
static void browse(const char *browser, gk_str url, char *callback, int size) {
    char command[8192];
    snprintf(command, sizeof command, "%s login '%.*s' http://127.0.0.1:9999/cb", browser,
             LENT(url));
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(callback, size, pipe) == NULL) exit(EXIT_FAILURE);
    pclose(pipe);
    callback[strcspn(callback, "\n")] = 0;
}

/* The API: who may see the orders. */
static void orders(const gk_resource_server *api, const gk_demand *demand, const char *header) {
    const gk_caller caller = {header, strlen(header), NULL, 0};
    gk_buf access, challenge;
    gk_json *who;
    if (gk_resource_server_check(api, &caller, demand, &access, &challenge, &err)) {
        printf("GET /orders: %d, WWW-Authenticate: %s\n", (int)gk_status_http(err.status),
               challenge.data ? challenge.data : "");
    } else {
        must(gk_json_parse(access.data, access.len, &who, &err));
        printf("GET /orders: 200, the orders of %.*s\n", LENT(MEMBER(who, "subject")));
        gk_json_free(who);
    }
    gk_buf_free(&access);
    gk_buf_free(&challenge);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: oauth-c ISSUER BROWSER\n"), 2;
    char config[1024], options[512], callback[8192], header[4096];
    snprintf(config, sizeof config,
             "{\"issuer\":\"%s\",\"client_id\":\"web-basic\",\"allow_loopback_http\":true,"
             "\"client_secret\":\"a-secret-of-the-tests-0123456789abcdef\","
             "\"redirect_uri\":\"http://127.0.0.1:9999/cb\",\"scopes\":[\"openid\",\"api:read\"]}",
             argv[1]);
    snprintf(options, sizeof options, "{\"issuer\":\"%s\",\"allow_loopback_http\":true}", argv[1]);
    gk_http *http;
    gk_oauth_client *client;
    gk_operation *operation;
    must(gk_http_new(GK_TEXT("{\"allow_loopback_http\":true}"), &http, &err));
    must(gk_oauth_client_new(config, strlen(config), &client, &err));
    must(gk_oauth_client_begin(client,
                               GK_TEXT("{\"resources\":[\"" API "\"],\"prompt\":\"consent\"}"),
                               NULL, 0, &operation, &err));
    gk_json *begun = done(operation, http);
    const gk_str cookie =
        gk_json_text(gk_json_at(gk_json_member(begun, GK_TEXT("set_cookies")), 0));
    browse(argv[2], MEMBER(begun, "url"), callback, sizeof callback);
    must(gk_oauth_client_finish(client, callback, strlen(callback), cookie.data,
                                strcspn(cookie.data, ";"), &operation,
                                &err)); /* as a browser sends it */
    gk_json *login = done(operation, http);
    printf("%.*s signed in\n", LENT(MEMBER(login, "subject")));

    gk_remote_key_set *keys;
    gk_resource_server *api;
    must(gk_remote_key_set_new(options, strlen(options), http, &keys, &err));
    gk_resource_server_builder *door = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer(door, argv[1], strlen(argv[1]));
    gk_resource_server_builder_keys(door, keys);
    must(gk_resource_server_builder_build(door, &api, &err));
    gk_demand *demand = gk_demand_new();
    gk_demand_scope(demand, GK_TEXT("api:read"));
    const gk_json *tokens = gk_json_member(login, GK_TEXT("tokens"));
    snprintf(header, sizeof header, "Bearer %.*s", LENT(MEMBER(tokens, "access_token")));
    orders(api, demand, header);
    orders(api, demand, "");

    gk_demand_free(demand);
    gk_resource_server_free(api);
    gk_resource_server_builder_free(door);
    gk_remote_key_set_free(keys);
    gk_json_free(login);
    gk_json_free(begun);
    gk_oauth_client_free(client);
    gk_http_free(http);
}
