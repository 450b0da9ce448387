/* Calls every function around OAuth but setters with NULL and with wrong arguments. Fails when
 * tests/symbols.txt names one that is not called here. Setters are called in oauth_setters.c. What
 * they do with right arguments is in oauth.c.
 *
 * usage: oauth_arguments ROOT, the directory of the repository */
#include "refuse.h"

#include "oauth.h"

#define KEPT                                                                                       \
    GK_TEXT("{\"issuer\":\"i\",\"access_token\":\"a\",\"refresh_token\":\"r\",\"scopes\":[]}")
#define SERVER GK_TEXT("{\"audience\":\"https://api.example\",\"introspection\":{\"ttl\":5}}")

/* The call must be refused as a configuration that is not one, and make no handle. */
#define MISCONFIGURED(type, function, ...)                                                         \
    do {                                                                                           \
        type *out = (type *)&err;                                                                  \
        FAILS(GK_STATUS_INVALID_CONFIGURATION, CALL(function)(__VA_ARGS__, &out, &err));           \
        CHECK(out == NULL);                                                                        \
    } while (0)

/* A call that begins an operation with one text that must be there. */
#define BEGINS_WITH_TEXT(function)                                                                 \
    do {                                                                                           \
        NO_HANDLE(gk_operation, function, NULL, TEXT);                                             \
        NO_HANDLE(gk_operation, function, client, NOTEXT);                                         \
        NO_HANDLE(gk_operation, function, client, LATIN1);                                         \
        REFUSED(function, client, TEXT, NULL);                                                     \
    } while (0)

/* A call that begins an operation with a grant that may be left out. */
#define BEGINS_WITH_GRANT(function, ...)                                                           \
    do {                                                                                           \
        gk_token_grant *good = granting("read", NULL), *wrong = gk_token_grant_new();              \
        REFUSED(function, __VA_ARGS__, good, NULL);                                                \
        REFUSED(function, __VA_ARGS__, NULL, NULL);                                                \
        gk_token_grant_scopes(good, NOTEXT);                                                       \
        NO_HANDLE(gk_operation, function, __VA_ARGS__, good);                                      \
        gk_token_grant_json(wrong, GK_TEXT("{"));                                                  \
        MISCONFIGURED(gk_operation, function, __VA_ARGS__, wrong);                                 \
        gk_token_grant_free(good);                                                                 \
        gk_token_grant_free(wrong);                                                                \
    } while (0)

static gk_error err;
static gk_oauth_client *client;
static gk_http *http;
static gk_remote_key_set *keys;
static gk_token_manager *manager;
static gk_resource_server *server;
static gk_operation *operation;
static gk_oauth_tokens *tokens;

/* A door that asks, and the call that opens it. */
static gk_resource_server_builder *fresh_gk_resource_server_builder(void) {
    gk_resource_server_builder *fresh;
    MUST(gk_resource_server_builder_from_json(SERVER, &fresh, &err));
    gk_resource_server_builder_introspection(fresh, client, http);
    return fresh;
}
static gk_status use_gk_resource_server_builder(const gk_resource_server_builder *built,
                                                gk_error *why) {
    gk_resource_server *made = NULL;
    const gk_status status = gk_resource_server_builder_build(built, &made, why);
    CHECK((made != NULL) == (status == GK_STATUS_OK));
    gk_resource_server_free(made);
    return status;
}

static gk_door_rule *fresh_gk_door_rule(void) { return gk_door_rule_new(); }
static gk_status use_gk_door_rule(const gk_door_rule *built, gk_error *why) {
    gk_resource_server_builder *builder = gk_resource_server_builder_new(TEXT);
    gk_resource_server_builder_issuer_keys(builder, TEXT, keys);
    gk_resource_server_builder_issuer_rule(builder, TEXT, built);
    const gk_status status = use_gk_resource_server_builder(builder, why);
    gk_resource_server_builder_free(builder);
    return status;
}

/* A demand, and the call that uses it: of a caller whom any demand lets in would need a token, so
 * that the answer for a demand that is fine is that there is none. */
static gk_status used(const gk_demand *demand, gk_error *why) {
    gk_buf access;
    const gk_caller nobody = {NULL, 0, NULL, 0, NULL, 0};
    return gk_resource_server_check(server, &nobody, demand, &access, NULL, why);
}

static void set_up(void) {
    gk_oauth_config *config = gk_oauth_config_new();
    gk_remote_key_set_options *where = gk_remote_key_set_options_new();
    gk_oauth_config_client_id(config, GK_TEXT("c"));
    gk_oauth_config_endpoint(config, GK_TEXT("token_endpoint"), GK_TEXT("https://auth.example/t"));
    gk_remote_key_set_options_url(where, GK_TEXT("https://auth.example/k"));
    MUST(client_of(config, &client, &err));
    MUST(gk_http_new(NULL, &http, &err));
    MUST(gk_remote_key_set_new(where, NULL, &keys, &err));
    gk_remote_key_set_options_free(where);
    MUST(gk_token_manager_new(client, http, NULL, &manager, &err));
    MUST(gk_oauth_tokens_from_json(KEPT, &tokens, &err));
    gk_resource_server_builder *builder = fresh_gk_resource_server_builder();
    MUST(gk_resource_server_builder_build(builder, &server, &err));
    gk_resource_server_builder_free(builder);
    MUST(gk_oauth_client_client_credentials(client, NULL, &operation, &err));
}

static void tear_down(void) {
    CALL(gk_operation_free)(operation);
    CALL(gk_resource_server_free)(server);
    CALL(gk_token_manager_free)(manager);
    CALL(gk_remote_key_set_free)(keys);
    CALL(gk_http_free)(http);
    CALL(gk_oauth_client_free)(client);
    CALL(gk_oauth_tokens_free)(tokens);
    gk_oauth_tokens_free(NULL);
    gk_operation_free(NULL);
    gk_resource_server_free(NULL);
    gk_token_manager_free(NULL);
    gk_remote_key_set_free(NULL);
    gk_http_free(NULL);
    gk_oauth_client_free(NULL);
}

static void clients(void) {
    gk_oauth_config *config = gk_oauth_config_new();
    NO_HANDLE(gk_oauth_client, gk_oauth_client_new, NULL);
    gk_oauth_config_client_id(config, GK_TEXT("c"));
    MISCONFIGURED(gk_oauth_client, gk_oauth_client_new, config); /* no server */
    gk_oauth_config_issuer(config, GK_TEXT("https://auth.example"));
    REFUSED(gk_oauth_client_new, config, NULL);
    gk_oauth_config_scopes(config, LATIN1);
    NO_HANDLE(gk_oauth_client, gk_oauth_client_new, config);
    gk_oauth_config_free(config);
    CHECK(CALL(gk_oauth_client_clone)(NULL) == NULL);

    gk_login_options *good = gk_login_options_new(), *wrong = gk_login_options_new();
    NO_HANDLE(gk_operation, gk_oauth_client_begin, NULL, good, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, NULL, NOTEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, NULL, LATIN1);
    MISCONFIGURED(gk_operation, gk_oauth_client_begin, client, good, NULL, 0); /* no redirect URI */
    REFUSED(gk_oauth_client_begin, client, NULL, NULL, 0, NULL);
    gk_login_options_json(wrong, LATIN1);
    MISCONFIGURED(gk_operation, gk_oauth_client_begin, client, wrong, NULL, 0);
    gk_login_options_prompt(good, NOTEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, good, NULL, 0);
    gk_login_options_free(good);
    gk_login_options_free(wrong);

    const gk_login_callback back = {TEXT, TEXT}, no_query = {NOTEXT, TEXT},
                            latin_query = {LATIN1, TEXT};
    const gk_login_callback no_cookies = {TEXT, NOTEXT}, latin_cookies = {TEXT, LATIN1};
    NO_HANDLE(gk_operation, gk_oauth_client_finish, NULL, &back);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, &no_query);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, &latin_query);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, &no_cookies);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, &latin_cookies);
    REFUSED(gk_oauth_client_finish, client, &back, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_finish_with, NULL, &back, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_finish_with, client, NULL, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_finish_with, client, &latin_query, NULL);
    REFUSED(gk_oauth_client_finish_with, client, &back, NULL, NULL);
    NO_BUF(gk_oauth_client_end_login, NULL, TEXT);
    NO_BUF(gk_oauth_client_end_login, client, NOTEXT);
    NO_BUF(gk_oauth_client_end_login, client, LATIN1);
    REFUSED(gk_oauth_client_end_login, client, TEXT, NULL);
    gk_logout_options *leaving = gk_logout_options_new();
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, NULL, leaving);
    REFUSED(gk_oauth_client_logout_url, client, leaving, NULL);
    REFUSED(gk_oauth_client_logout_url, client, NULL, NULL);
    gk_logout_options_state(leaving, LATIN1);
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, client, leaving);
    gk_logout_options_free(leaving);
    BEGINS_WITH_TEXT(gk_oauth_client_logout_notice);
}

static void grants(void) {
    NO_HANDLE(gk_operation, gk_oauth_client_client_credentials, NULL, NULL);
    BEGINS_WITH_GRANT(gk_oauth_client_client_credentials, client);
    NO_HANDLE(gk_operation, gk_oauth_client_device_codes, NULL, NULL);
    BEGINS_WITH_GRANT(gk_oauth_client_device_codes, client);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, NULL, TEXT, NULL);
    BEGINS_WITH_GRANT(gk_oauth_client_jwt_bearer, client, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, client, NOTEXT, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, client, LATIN1, NULL);
    gk_token_exchange *exchange = gk_token_exchange_new();
    NO_HANDLE(gk_operation, gk_oauth_client_token_exchange, NULL, exchange);
    NO_HANDLE(gk_operation, gk_oauth_client_token_exchange, client, NULL);
    MISCONFIGURED(gk_operation, gk_oauth_client_token_exchange, client, exchange);
    CHECK(strcmp(gk_error_claim(&err), "subject_token") == 0);
    REFUSED(gk_oauth_client_token_exchange, client, exchange, NULL);
    gk_token_exchange_subject(exchange, LATIN1, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_token_exchange, client, exchange);
    gk_token_exchange_free(exchange);
    BEGINS_WITH_TEXT(gk_oauth_client_introspect);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, NULL, TEXT, true);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, client, NOTEXT, true);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, client, LATIN1, false);
    REFUSED(gk_oauth_client_revoke, client, TEXT, true, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh, NULL, tokens);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh, client, NULL);
    REFUSED(gk_oauth_client_refresh, client, tokens, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_userinfo, NULL, tokens);
    NO_HANDLE(gk_operation, gk_oauth_client_userinfo, client, NULL);
    REFUSED(gk_oauth_client_userinfo, client, tokens, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, NULL, operation);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, client, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, client, operation);
    REFUSED(gk_oauth_client_poll, client, operation, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll_with, NULL, operation, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll_with, client, operation, NULL);
    REFUSED(gk_oauth_client_poll_with, client, operation, NULL, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_metadata, NULL);
    REFUSED(gk_oauth_client_metadata, client, NULL);
    BEGINS_WITH_TEXT(gk_oauth_client_userinfo_by_token);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh_with, NULL, tokens, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh_with, client, NULL, NULL);
    BEGINS_WITH_GRANT(gk_oauth_client_refresh_with, client, tokens);
    NO_HANDLE(gk_operation, gk_oauth_client_introspect_with, NULL, TEXT, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_introspect_with, client, NOTEXT, NULL);
    BEGINS_WITH_GRANT(gk_oauth_client_introspect_with, client, TEXT);
}

static void token_sets(void) {
    gk_oauth_tokens *none = tokens;
    uint64_t when = 7;
    NO_HANDLE(gk_oauth_tokens, gk_oauth_tokens_from_json, NOTEXT);
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_tokens_from_json(LATIN1, &none, &err));
    CHECK(none == NULL);
    none = tokens;
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_tokens_from_json(TEXT, &none, &err));
    CHECK(none == NULL);
    REFUSED(gk_oauth_tokens_from_json, KEPT, NULL);
    NO_BUF(gk_oauth_tokens_to_json, NULL);
    REFUSED(gk_oauth_tokens_to_json, tokens, NULL);
    CHECK(CALL(gk_oauth_tokens_clone)(NULL) == NULL);
    CHECK(CALL(gk_oauth_tokens_issuer)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_access_token)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_refresh_token)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_id_token)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_claims_json)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_subject)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_verified_email)(NULL).data == NULL);
    CHECK(CALL(gk_oauth_tokens_resources_len)(NULL) == 0);
    CHECK(CALL(gk_oauth_tokens_resource_at)(NULL, 0).data == NULL);
    CHECK(gk_oauth_tokens_resource_at(tokens, 0).data == NULL);
    NO_HANDLE(gk_oauth_tokens, gk_oauth_tokens_from_refresh_token, NOTEXT, TEXT);
    NO_HANDLE(gk_oauth_tokens, gk_oauth_tokens_from_refresh_token, TEXT, LATIN1);
    NO_HANDLE(gk_oauth_tokens, gk_oauth_tokens_from_refresh_token, TEXT, GK_TEXT("a\nb"));
    NO_HANDLE(gk_oauth_tokens, gk_oauth_tokens_from_refresh_token, GK_TEXT(""), TEXT);
    REFUSED(gk_oauth_tokens_from_refresh_token, TEXT, TEXT, NULL);
    MUST(gk_oauth_tokens_from_refresh_token(GK_TEXT("https://i"), GK_TEXT("r"), &none, &err));
    CHECK(gk_oauth_tokens_expires_at(none, &when) && when == 0);
    CHECK(gk_oauth_tokens_access_token(none).len == 0);
    gk_oauth_tokens_free(none);
    when = 7;
    CHECK(CALL(gk_oauth_tokens_issued_token_type)(NULL).data == NULL);
    CHECK(!CALL(gk_oauth_tokens_expires_at)(NULL, &when) && when == 7);
    CHECK(!gk_oauth_tokens_expires_at(tokens, &when) && when == 7);
    CHECK(CALL(gk_oauth_tokens_scopes_len)(NULL) == 0);
    CHECK(CALL(gk_oauth_tokens_scope_at)(NULL, 0).data == NULL);
    CHECK(gk_oauth_tokens_scope_at(tokens, SIZE_MAX).data == NULL);
}

static void operations(void) {
    gk_step step;
    gk_request request;
    const gk_header hole = {{NULL, 3}, {NULL, 3}};
    REFUSED(gk_operation_next, NULL, &step);
    REFUSED(gk_operation_next, operation, NULL);
    REFUSED(gk_operation_request, NULL, &request);
    CHECK(request.url.data == NULL && request.headers == 0);
    REFUSED(gk_operation_request, operation, NULL);
    CHECK(CALL(gk_operation_header)(NULL, 0).name.data == NULL);
    CHECK(gk_operation_header(operation, SIZE_MAX).name.data == NULL);
    CHECK(CALL(gk_operation_peer_code)(NULL).data == NULL);
    CHECK(gk_operation_peer_code(operation).data == NULL);
    CHECK(CALL(gk_operation_retry_after)(NULL) == 0);
    CHECK(gk_operation_retry_after(operation) == 0);
    NO_BUF(gk_operation_result, NULL);
    NO_BUF(gk_operation_result, operation);
    REFUSED(gk_operation_result, operation, NULL);
    NO_HANDLE(gk_json, gk_operation_json, NULL);
    NO_HANDLE(gk_json, gk_operation_json, operation);
    REFUSED(gk_operation_json, operation, NULL);
    NO_HANDLE(gk_oauth_tokens, gk_operation_tokens, NULL);
    NO_HANDLE(gk_oauth_tokens, gk_operation_tokens, operation);
    REFUSED(gk_operation_tokens, operation, NULL);
    const gk_response good = {200, NULL, 0, NULL, 0}, no_headers = {200, NULL, 1, NULL, 0};
    const gk_response no_header = {200, &hole, 1, NULL, 0}, no_body = {200, NULL, 0, NOTEXT};
    REFUSED(gk_operation_feed, NULL, &good);
    REFUSED(gk_operation_feed, operation, &good);
    REFUSED(gk_operation_feed, operation, NULL);
    REFUSED(gk_operation_fail, NULL, GK_STATUS_CONNECTION_FAILED);
    REFUSED(gk_operation_fail, operation, GK_STATUS_CONNECTION_FAILED);
    REFUSED(gk_operation_run, NULL, http);
    REFUSED(gk_operation_run, operation, NULL);

    /* With a request out, wrong arguments leave it out. */
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_REQUEST);
    REFUSED(gk_operation_feed, operation, &no_headers);
    REFUSED(gk_operation_feed, operation, &no_header);
    REFUSED(gk_operation_feed, operation, &no_body);
    REFUSED(gk_operation_feed, operation, NULL);
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.url, "https://auth.example/t"));
}

static void transports_and_keys(void) {
    gk_http_options *how = gk_http_options_new();
    gk_remote_key_set_options *where = gk_remote_key_set_options_new();
    REFUSED(gk_http_new, NULL, NULL);
    REFUSED(gk_http_new, how, NULL);
    gk_http_options_json(how, LATIN1);
    MISCONFIGURED(gk_http, gk_http_new, how);
    gk_http_options_free(how);
    CHECK(CALL(gk_http_clone)(NULL) == NULL);
    MISCONFIGURED(gk_remote_key_set, gk_remote_key_set_new, where, http);
    NO_HANDLE(gk_remote_key_set, gk_remote_key_set_new, NULL, http);
    gk_remote_key_set_options_url(where, GK_TEXT("https://auth.example/k"));
    REFUSED(gk_remote_key_set_new, where, http, NULL);
    gk_remote_key_set_options_issuer(where, NOTEXT);
    NO_HANDLE(gk_remote_key_set, gk_remote_key_set_new, where, http);
    gk_remote_key_set_options_free(where);
    CHECK(CALL(gk_remote_key_set_clone)(NULL) == NULL);
    CHECK(!CALL(gk_remote_key_set_wants_refresh)(NULL));
    NO_HANDLE(gk_operation, gk_remote_key_set_refresh, NULL);
    REFUSED(gk_remote_key_set_refresh, keys, NULL);
    gk_policy *policy = gk_policy_new();
    NO_HANDLE(gk_verifier, gk_verifier_following_remote, NULL, policy);
    NO_HANDLE(gk_verifier, gk_verifier_following_remote, keys, NULL);
    REFUSED(gk_verifier_following_remote, keys, policy, NULL);
    gk_policy_free(policy);
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_following_remote, TEXT, NULL);
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_following_remote, NOTEXT, keys);
    NO_HANDLE(gk_issuer_rule, gk_issuer_rule_following_remote, LATIN1, keys);
    REFUSED(gk_issuer_rule_following_remote, TEXT, keys, NULL);
}

static void managers(void) {
    gk_token_manager_options *options = gk_token_manager_options_new();
    NO_HANDLE(gk_token_manager, gk_token_manager_new, NULL, http, options);
    gk_token_manager *driven; /* without a transport */
    MUST(gk_token_manager_new(client, NULL, options, &driven, &err));
    gk_token_manager_free(driven);
    REFUSED(gk_token_manager_new, client, http, options, NULL);
    REFUSED(gk_token_manager_new, client, http, NULL, NULL);
    gk_token_manager_options_folder(options, NOTEXT);
    NO_HANDLE(gk_token_manager, gk_token_manager_new, client, http, options);
    gk_token_manager_options_free(options);
    CHECK(CALL(gk_token_manager_clone)(NULL) == NULL);
    NO_BUF(gk_token_manager_access_token, NULL, TEXT, 60);
    NO_BUF(gk_token_manager_access_token, manager, NULL, 0, 60);
    NO_BUF(gk_token_manager_access_token, manager, NOTEXT, 60);
    NO_BUF(gk_token_manager_access_token, manager, LATIN1, 60);
    REFUSED(gk_token_manager_access_token, manager, TEXT, 60, NULL);
    NO_HANDLE(gk_oauth_tokens, gk_token_manager_tokens, NULL, TEXT, 60);
    NO_HANDLE(gk_oauth_tokens, gk_token_manager_tokens, manager, NOTEXT, 60);
    REFUSED(gk_token_manager_tokens, manager, TEXT, 60, NULL);
    const gk_refused_token good = {TEXT, TEXT}, no_name = {NOTEXT, TEXT}, no_token = {TEXT, NOTEXT};
    NO_BUF(gk_token_manager_replace, NULL, &good);
    NO_BUF(gk_token_manager_replace, manager, NULL);
    NO_BUF(gk_token_manager_replace, manager, &no_name);
    NO_BUF(gk_token_manager_replace, manager, &no_token);
    REFUSED(gk_token_manager_replace, manager, &good, NULL);
    NO_HANDLE(gk_oauth_tokens, gk_token_manager_known, NULL, TEXT, 60);
    NO_HANDLE(gk_oauth_tokens, gk_token_manager_known, manager, NOTEXT, 60);
    NO_HANDLE(gk_oauth_tokens, gk_token_manager_known, manager, LATIN1, 60);
    REFUSED(gk_token_manager_known, manager, TEXT, 60, NULL);
    NO_HANDLE(gk_operation, gk_token_manager_renewal, NULL, TEXT, 60);
    NO_HANDLE(gk_operation, gk_token_manager_renewal, manager, NULL, 0, 60);
    NO_HANDLE(gk_operation, gk_token_manager_renewal, manager, NOTEXT, 60);
    NO_HANDLE(gk_operation, gk_token_manager_renewal, manager, LATIN1, 60);
    REFUSED(gk_token_manager_renewal, manager, TEXT, 60, NULL);
    NO_HANDLE(gk_operation, gk_token_manager_replacement, NULL, &good);
    NO_HANDLE(gk_operation, gk_token_manager_replacement, manager, NULL);
    NO_HANDLE(gk_operation, gk_token_manager_replacement, manager, &no_name);
    NO_HANDLE(gk_operation, gk_token_manager_replacement, manager, &no_token);
    REFUSED(gk_token_manager_replacement, manager, &good, NULL);
    REFUSED(gk_token_manager_put, NULL, TEXT, tokens);
    REFUSED(gk_token_manager_put, manager, NOTEXT, tokens);
    REFUSED(gk_token_manager_put, manager, TEXT, NULL);
    REFUSED(gk_token_manager_remove, NULL, TEXT);
    REFUSED(gk_token_manager_remove, manager, NOTEXT);
    REFUSED(gk_token_manager_remove, manager, LATIN1);
}

static void doors(void) {
    NO_HANDLE(gk_resource_server_builder, gk_resource_server_builder_from_json, NOTEXT);
    MISCONFIGURED(gk_resource_server_builder, gk_resource_server_builder_from_json, LATIN1);
    REFUSED(gk_resource_server_builder_from_json, SERVER, NULL);
    gk_resource_server_builder *more = CALL(gk_resource_server_builder_new)(TEXT);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_resource_server_builder(more, &err));
    CALL(gk_resource_server_builder_free)(more);
    more = gk_resource_server_builder_new(LATIN1);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_resource_server_builder(more, &err));
    gk_resource_server_builder_free(more);
    gk_resource_server_builder_free(NULL);
    NO_HANDLE(gk_resource_server, gk_resource_server_builder_build, NULL);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_issuer);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_token_type);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_metadata_url);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_scopes_supported);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_client);
    TEXT_SETTER(gk_resource_server_builder, gk_resource_server_builder_tenant_claim);
    IGNORED(gk_resource_server_builder_claim, NULL, TEXT, TEXT);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_claim, NOTEXT, TEXT);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_claim, TEXT, LATIN1);
    IGNORED(gk_resource_server_builder_any_audience, NULL);
    IGNORED(gk_resource_server_builder_allow_missing_type, NULL);
    IGNORED(gk_resource_server_builder_issuer_keys, NULL, TEXT, keys);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_keys, TEXT, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_keys, NOTEXT, keys);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_keys, LATIN1, keys);
    IGNORED(gk_resource_server_builder_issuer_key_ring, NULL, TEXT, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_key_ring, TEXT, NULL);
    IGNORED(gk_resource_server_builder_issuer_key_set, NULL, TEXT, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_key_set, TEXT, NULL);
    IGNORED(gk_resource_server_builder_keys, NULL, keys);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_keys, NULL);
    IGNORED(gk_resource_server_builder_key_ring, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_key_ring, NULL);
    IGNORED(gk_resource_server_builder_algorithms, NULL, NULL, 0);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_algorithms, NULL, 1);
    const gk_alg none = 99;
    STICKS(gk_resource_server_builder, gk_resource_server_builder_algorithms, &none, 1);
    IGNORED(gk_resource_server_builder_leeway, NULL, 1);
    gk_door_rule *rule = CALL(gk_door_rule_new)();
    IGNORED(gk_resource_server_builder_issuer_rule, NULL, TEXT, rule);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_rule, TEXT, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_issuer_rule, NOTEXT, rule);
    CALL(gk_door_rule_free)(rule);
    gk_door_rule_free(NULL);
    TEXT_SETTER(gk_door_rule, gk_door_rule_audience);
    TEXT_SETTER(gk_door_rule, gk_door_rule_client);
    TEXT_SETTER(gk_door_rule, gk_door_rule_token_type);
    TEXT_SETTER(gk_door_rule, gk_door_rule_tenant_claim);
    IGNORED(gk_door_rule_claim, NULL, TEXT, TEXT);
    STICKS(gk_door_rule, gk_door_rule_claim, NOTEXT, TEXT);
    STICKS(gk_door_rule, gk_door_rule_claim, TEXT, LATIN1);
    IGNORED(gk_door_rule_any_audience, NULL);
    IGNORED(gk_door_rule_allow_missing_type, NULL);
    IGNORED(gk_door_rule_algorithms, NULL, NULL, 0);
    STICKS(gk_door_rule, gk_door_rule_algorithms, NULL, 1);
    STICKS(gk_door_rule, gk_door_rule_algorithms, &none, 1);
    IGNORED(gk_door_rule_leeway, NULL, 1);
    IGNORED(gk_resource_server_builder_revocations, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_revocations, NULL);
    IGNORED(gk_resource_server_builder_api_keys, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_api_keys, NULL);
    IGNORED(gk_resource_server_builder_introspection, NULL, client, http);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_introspection, NULL, http);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_introspection, client, NULL);
    IGNORED(gk_resource_server_builder_introspection_ttl, NULL, 1, 1);
    IGNORED(gk_resource_server_builder_unknown_tokens, NULL, 1);
    IGNORED(gk_resource_server_builder_require_audience, NULL, true);
    IGNORED(gk_resource_server_builder_clock, NULL, NULL, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_clock, NULL, NULL, NULL);
    /* What asks about tokens, and nobody who asks. */
    more = gk_resource_server_builder_new(TEXT);
    gk_resource_server_builder_introspection_ttl(more, 1, 1);
    gk_resource_server_builder_keys(more, keys);
    gk_resource_server_builder_issuer(more, GK_TEXT("https://auth.example"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_resource_server_builder(more, &err));
    CHECK(strcmp(gk_error_claim(&err), "introspection") == 0);
    gk_resource_server_builder_free(more);

    CHECK(CALL(gk_resource_server_clone)(NULL) == NULL);
    NO_BUF(gk_resource_server_metadata, NULL);
    REFUSED(gk_resource_server_metadata, server, NULL);

    /* Both buffers are emptied, and a challenge is not made of a mistake. */
    gk_buf access = {(char *)&err, 7}, challenge = access;
    const gk_caller someone = {GK_TEXT("Bearer x"), NULL, 0, NULL, 0};
    const gk_caller no_header = {NOTEXT, NULL, 0, NULL, 0}, no_key = {NULL, 0, NULL, 0, NOTEXT};
    const gk_caller no_address = {GK_TEXT("Bearer x"), NOTEXT, NULL, 0};
    REFUSED(gk_resource_server_check, NULL, &someone, NULL, &access, &challenge);
    CHECK(access.data == NULL && challenge.data == NULL);
    REFUSED(gk_resource_server_check, server, &someone, NULL, NULL, &challenge);
    CHECK(challenge.data == NULL);
    REFUSED(gk_resource_server_check, server, NULL, NULL, &access, NULL);
    REFUSED(gk_resource_server_check, server, &no_header, NULL, &access, NULL);
    REFUSED(gk_resource_server_check, server, &no_address, NULL, &access, NULL);
    REFUSED(gk_resource_server_check, server, &no_key, NULL, &access, NULL);

    gk_demand *demand = CALL(gk_demand_new)();
    IGNORED(gk_demand_scope, NULL, TEXT);
    IGNORED(gk_demand_acr_value, NULL, TEXT);
    IGNORED(gk_demand_max_age, NULL, 1);
    IGNORED(gk_demand_tenant, NULL, TEXT);
    IGNORED(gk_demand_decided_by, NULL, GK_CREDENTIAL_API_KEY);
    gk_demand_max_age(demand, 60);
    FAILS(GK_STATUS_MISSING_CREDENTIALS, used(demand, &err));
    gk_demand_scope(demand, LATIN1);
    FAILS(GK_STATUS_INVALID_ARGUMENT, used(demand, &err));
    CALL(gk_demand_free)(demand);
    gk_demand_free(NULL);
    demand = gk_demand_new();
    gk_demand_acr_value(demand, NOTEXT);
    FAILS(GK_STATUS_INVALID_ARGUMENT, used(demand, &err));
    gk_demand_free(demand);
}

int main(int argc, char **argv) {
    static const char *const HERE[] = {"gk_oauth_client_",
                                       "gk_oauth_tokens_",
                                       "gk_operation_",
                                       "gk_http_new",
                                       "gk_http_clone",
                                       "gk_http_free",
                                       "gk_remote_key_set_new",
                                       "gk_remote_key_set_clone",
                                       "gk_remote_key_set_free",
                                       "gk_remote_key_set_wants_refresh",
                                       "gk_remote_key_set_refresh",
                                       "gk_token_manager_new",
                                       "gk_token_manager_clone",
                                       "gk_token_manager_free",
                                       "gk_token_manager_put",
                                       "gk_token_manager_remove",
                                       "gk_token_manager_access_token",
                                       "gk_token_manager_known",
                                       "gk_token_manager_renewal",
                                       "gk_token_manager_replace",
                                       "gk_token_manager_replacement",
                                       "gk_token_manager_tokens",
                                       "gk_resource_server_",
                                       "gk_demand_",
                                       "gk_door_rule_",
                                       "gk_verifier_following_remote",
                                       "gk_issuer_rule_following_remote"};
    CHECK(argc == 2);
    set_up();
    clients();
    grants();
    token_sets();
    operations();
    transports_and_keys();
    managers();
    doors();
    tear_down();
    CHECK(all_called(argv[1], HERE, sizeof HERE / sizeof *HERE, true) >= 50);
    return passed("oauth_arguments");
}
