/* An API that accepts another server's tokens: resource_server-c ISSUER BROWSER. The caller here is
 * a machine, whose tokens are kept and refreshed. */
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API GK_TEXT("https://api.example.test")

static gk_error err;

static void must(gk_status status) {
    if (status == GK_STATUS_OK) return;
    fprintf(stderr, "%s: %s\n", gk_status_name(status), err.message);
    exit(EXIT_FAILURE);
}

static gk_token_manager *caller(const gk_http *http, const char *issuer) {
    gk_oauth_client *client;
    gk_token_manager *tokens;
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_issuer(config, issuer, strlen(issuer));
    gk_oauth_config_client_id(config, GK_TEXT("m2m"));
    gk_oauth_config_client_secret(config, GK_TEXT("a-secret-of-the-tests-0123456789abcdef"));
    gk_oauth_config_allow_loopback_http(config, true);
    must(gk_oauth_client_new(config, &client, &err));
    gk_token_grant *grant = gk_token_grant_new();
    gk_token_grant_scopes(grant, GK_TEXT("api:read"));
    gk_token_grant_resource(grant, API);
    gk_token_manager_options *options = gk_token_manager_options_new();
    gk_token_manager_options_client_credentials(options, grant);
    must(gk_token_manager_new(client, http, options, &tokens, &err));
    gk_token_manager_options_free(options);
    gk_token_grant_free(grant);
    gk_oauth_config_free(config);
    gk_oauth_client_free(client);
    return tokens;
}

static gk_resource_server *door(const gk_http *http, const char *issuer) {
    gk_remote_key_set *keys;
    gk_resource_server *api;
    gk_remote_key_set_options *where = gk_remote_key_set_options_new();
    gk_remote_key_set_options_issuer(where, issuer, strlen(issuer));
    gk_remote_key_set_options_allow_loopback_http(where, true);
    must(gk_remote_key_set_new(where, http, &keys, &err));
    gk_resource_server_builder *builder = gk_resource_server_builder_new(API);
    gk_resource_server_builder_issuer(builder, issuer, strlen(issuer));
    gk_resource_server_builder_keys(builder, keys);
    must(gk_resource_server_builder_build(builder, &api, &err));
    gk_resource_server_builder_free(builder);
    gk_remote_key_set_free(keys);
    gk_remote_key_set_options_free(where);
    return api;
}

/* Who may see the orders. */
static void orders(const gk_resource_server *api, const gk_demand *demand, const char *header) {
    const gk_caller request = {header, strlen(header), NULL, 0};
    gk_buf access, challenge;
    gk_json *who;
    if (gk_resource_server_check(api, &request, demand, &access, &challenge, &err)) {
        printf("GET /orders: %d, WWW-Authenticate: %s\n", (int)gk_status_http(err.status),
               challenge.data ? challenge.data : "");
    } else {
        must(gk_json_parse(access.data, access.len, &who, &err));
        const gk_str subject = gk_json_text(gk_json_member(who, GK_TEXT("subject")));
        printf("GET /orders: 200, the orders of %.*s\n", (int)subject.len, subject.data);
        gk_json_free(who);
    }
    gk_buf_free(&access);
    gk_buf_free(&challenge);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: resource_server-c ISSUER BROWSER\n"), 2;
    gk_http *http;
    gk_buf token;
    char header[4096];
    gk_http_options *local = gk_http_options_new();
    gk_http_options_allow_loopback_http(local, true);
    must(gk_http_new(local, &http, &err));
    gk_token_manager *tokens = caller(http, argv[1]);
    gk_resource_server *api = door(http, argv[1]);
    gk_demand *demand = gk_demand_new();
    gk_demand_scope(demand, GK_TEXT("api:read"));
    must(gk_token_manager_access_token(tokens, GK_TEXT("orders"), 60, &token, &err));
    snprintf(header, sizeof header, "Bearer %s", token.data);
    orders(api, demand, header);
    orders(api, demand, "");

    gk_buf_free(&token);
    gk_demand_free(demand);
    gk_resource_server_free(api);
    gk_token_manager_free(tokens);
    gk_http_free(http);
    gk_http_options_free(local);
}
