/* What the programs around OAuth put together in one call each. */
#ifndef GATEKEY_TESTS_OAUTH_H
#define GATEKEY_TESTS_OAUTH_H

#include "check.h"

/* A text that ends with a NUL as the two arguments of a call. */
#define MINE(text) (text), strlen(text)

/* A transport that reaches this very machine without TLS, too. */
static inline gk_http *local_http(void) {
    gk_error err;
    gk_http *http;
    gk_http_options *options = gk_http_options_new();
    gk_http_options_allow_loopback_http(options, true);
    MUST(gk_http_new(options, &http, &err));
    gk_http_options_free(options);
    return http;
}

/* A client of a configuration, which is freed. */
static inline gk_status client_of(gk_oauth_config *config, gk_oauth_client **client,
                                  gk_error *err) {
    const gk_status status = gk_oauth_client_new(config, client, err);
    gk_oauth_config_free(config);
    return status;
}

/* A client of a configuration in JSON. */
static inline gk_status client_of_json(const char *json, gk_oauth_client **client, gk_error *err) {
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_json(config, MINE(json));
    return client_of(config, client, err);
}

/* A client without a secret and with one endpoint, of this very machine. */
static inline gk_oauth_client *local_client(const char *id, const char *endpoint, unsigned port,
                                            const char *path) {
    gk_error err;
    char url[256];
    gk_oauth_client *client;
    gk_oauth_config *config = gk_oauth_config_new();
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    gk_oauth_config_client_id(config, MINE(id));
    gk_oauth_config_endpoint(config, MINE(endpoint), MINE(url));
    gk_oauth_config_allow_loopback_http(config, true);
    MUST(client_of(config, &client, &err));
    return client;
}

/* A grant of scopes and of an API, or NULL. */
static inline gk_token_grant *granting(const char *scopes, const char *resource) {
    gk_token_grant *grant = gk_token_grant_new();
    if (scopes != NULL) gk_token_grant_scopes(grant, MINE(scopes));
    if (resource != NULL) gk_token_grant_resource(grant, MINE(resource));
    return grant;
}

/* The answer to a request, with one header. */
static inline gk_status answer_with(gk_operation *operation, uint16_t status, gk_header header,
                                    const char *body, gk_error *err) {
    const gk_response response = {status, &header, 1, MINE(body)};
    return gk_operation_feed(operation, &response, err);
}

/* A string member of an object, which must be there. */
static inline gk_str member_of(const gk_json *json, const char *name) {
    const gk_str text = gk_json_text(gk_json_member(json, MINE(name)));
    CHECK(text.data != NULL);
    return text;
}

/* A buffer with this text in it. */
static inline bool has(gk_buf buf, const char *part) {
    return buf.data != NULL && strstr(buf.data, part) != NULL;
}

/* What an operation has ended with, which is freed. */
static inline gk_json *result_of(gk_operation *operation) {
    gk_error err;
    gk_json *json;
    MUST(gk_operation_json(operation, &json, &err));
    gk_operation_free(operation);
    return json;
}

#endif /* GATEKEY_TESTS_OAUTH_H */
