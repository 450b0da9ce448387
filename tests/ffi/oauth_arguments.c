/* Calls every function around OAuth with NULL and with wrong arguments. Fails when
 * tests/symbols.txt names one that is not called here. What they do with right ones is in oauth.c.
 *
 * usage: oauth_arguments ROOT, the directory of the repository */
#include "refuse.h"

#define CLIENT GK_TEXT("{\"client_id\":\"c\",\"token_endpoint\":\"https://auth.example/t\"}")
#define EXCHANGE GK_TEXT("{\"subject_token\":\"t\"}")
#define KEYS GK_TEXT("{\"url\":\"https://auth.example/k\"}")
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

/* A call that begins an operation with one JSON object that may be left out. */
#define BEGINS_WITH_JSON(function)                                                                 \
    do {                                                                                           \
        NO_HANDLE(gk_operation, function, NULL, GK_TEXT("{}"));                                    \
        NO_HANDLE(gk_operation, function, client, NOTEXT);                                         \
        MISCONFIGURED(gk_operation, function, client, LATIN1);                                     \
        MISCONFIGURED(gk_operation, function, client, GK_TEXT("{"));                               \
        REFUSED(function, client, GK_TEXT("{}"), NULL);                                            \
    } while (0)

static gk_error err;
static gk_oauth_client *client;
static gk_http *http;
static gk_remote_key_set *keys;
static gk_token_manager *manager;
static gk_resource_server *server;
static gk_operation *operation;

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

/* A demand, and the call that uses it: of a caller whom any demand lets in would need a token, so
 * that the answer for a demand that is fine is that there is none. */
static gk_status used(const gk_demand *demand, gk_error *why) {
    gk_buf access;
    const gk_caller nobody = {NULL, 0, NULL, 0};
    return gk_resource_server_check(server, &nobody, demand, &access, NULL, why);
}

static void set_up(void) {
    MUST(gk_oauth_client_new(CLIENT, &client, &err));
    MUST(gk_http_new(NULL, 0, &http, &err));
    MUST(gk_remote_key_set_new(KEYS, NULL, &keys, &err));
    MUST(gk_token_manager_new(client, http, NULL, 0, NULL, 0, NULL, 0, &manager, &err));
    gk_resource_server_builder *builder = fresh_gk_resource_server_builder();
    MUST(gk_resource_server_builder_build(builder, &server, &err));
    gk_resource_server_builder_free(builder);
    MUST(gk_oauth_client_client_credentials(client, NULL, 0, &operation, &err));
}

static void tear_down(void) {
    CALL(gk_operation_free)(operation);
    CALL(gk_resource_server_free)(server);
    CALL(gk_token_manager_free)(manager);
    CALL(gk_remote_key_set_free)(keys);
    CALL(gk_http_free)(http);
    CALL(gk_oauth_client_free)(client);
    gk_operation_free(NULL);
    gk_resource_server_free(NULL);
    gk_token_manager_free(NULL);
    gk_remote_key_set_free(NULL);
    gk_http_free(NULL);
    gk_oauth_client_free(NULL);
}

static void clients(void) {
    NO_HANDLE(gk_oauth_client, gk_oauth_client_new, NOTEXT);
    MISCONFIGURED(gk_oauth_client, gk_oauth_client_new, NULL, 0);
    MISCONFIGURED(gk_oauth_client, gk_oauth_client_new, LATIN1);
    REFUSED(gk_oauth_client_new, CLIENT, NULL);
    CHECK(CALL(gk_oauth_client_clone)(NULL) == NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, NULL, GK_TEXT("{}"), NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, NOTEXT, NULL, 0);
    MISCONFIGURED(gk_operation, gk_oauth_client_begin, client, LATIN1, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, NULL, 0, NOTEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_begin, client, NULL, 0, LATIN1);
    REFUSED(gk_oauth_client_begin, client, NULL, 0, NULL, 0, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, NULL, TEXT, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, NOTEXT, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, LATIN1, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, TEXT, NOTEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_finish, client, TEXT, LATIN1);
    REFUSED(gk_oauth_client_finish, client, TEXT, TEXT, NULL);
    NO_BUF(gk_oauth_client_end_login, NULL, TEXT);
    NO_BUF(gk_oauth_client_end_login, client, NOTEXT);
    NO_BUF(gk_oauth_client_end_login, client, LATIN1);
    REFUSED(gk_oauth_client_end_login, client, TEXT, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, NULL, TEXT, TEXT, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, client, NOTEXT, TEXT, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, client, TEXT, LATIN1, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_logout_url, client, TEXT, TEXT, NOTEXT);
    REFUSED(gk_oauth_client_logout_url, client, NULL, 0, NULL, 0, NULL, 0, NULL);
    BEGINS_WITH_TEXT(gk_oauth_client_logout_notice);
}

static void grants(void) {
    gk_operation *none = operation;
    BEGINS_WITH_JSON(gk_oauth_client_client_credentials);
    BEGINS_WITH_JSON(gk_oauth_client_device_codes);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, NULL, TEXT, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, client, NOTEXT, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, client, LATIN1, NULL, 0);
    NO_HANDLE(gk_operation, gk_oauth_client_jwt_bearer, client, TEXT, NOTEXT);
    REFUSED(gk_oauth_client_jwt_bearer, client, TEXT, NULL, 0, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_token_exchange, NULL, EXCHANGE);
    NO_HANDLE(gk_operation, gk_oauth_client_token_exchange, client, NOTEXT);
    MISCONFIGURED(gk_operation, gk_oauth_client_token_exchange, client, NULL, 0);
    MISCONFIGURED(gk_operation, gk_oauth_client_token_exchange, client, LATIN1);
    REFUSED(gk_oauth_client_token_exchange, client, EXCHANGE, NULL);
    BEGINS_WITH_TEXT(gk_oauth_client_introspect);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, NULL, TEXT, true);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, client, NOTEXT, true);
    NO_HANDLE(gk_operation, gk_oauth_client_revoke, client, LATIN1, false);
    REFUSED(gk_oauth_client_revoke, client, TEXT, true, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh, NULL, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_refresh, client, NOTEXT);
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_client_refresh(client, LATIN1, &none, &err));
    CHECK(none == NULL);
    REFUSED(gk_oauth_client_refresh, client, TEXT, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_userinfo, NULL, TEXT);
    NO_HANDLE(gk_operation, gk_oauth_client_userinfo, client, NOTEXT);
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_client_userinfo(client, LATIN1, &none, &err));
    CHECK(none == NULL);
    REFUSED(gk_oauth_client_userinfo, client, TEXT, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, NULL, operation);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, client, NULL);
    NO_HANDLE(gk_operation, gk_oauth_client_poll, client, operation);
    REFUSED(gk_oauth_client_poll, client, operation, NULL);
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
    REFUSED(gk_operation_feed, NULL, 200, NULL, 0, NULL, 0);
    REFUSED(gk_operation_feed, operation, 200, NULL, 0, NULL, 0);
    REFUSED(gk_operation_fail, NULL, GK_STATUS_CONNECTION_FAILED);
    REFUSED(gk_operation_fail, operation, GK_STATUS_CONNECTION_FAILED);
    REFUSED(gk_operation_run, NULL, http);
    REFUSED(gk_operation_run, operation, NULL);

    /* With a request out, wrong arguments leave it out. */
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_REQUEST);
    REFUSED(gk_operation_feed, operation, 200, NULL, 1, NULL, 0);
    REFUSED(gk_operation_feed, operation, 200, &hole, 1, NULL, 0);
    REFUSED(gk_operation_feed, operation, 200, NULL, 0, NOTEXT);
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.url, "https://auth.example/t"));
}

static void transports_and_keys(void) {
    NO_HANDLE(gk_http, gk_http_new, NOTEXT);
    MISCONFIGURED(gk_http, gk_http_new, LATIN1);
    REFUSED(gk_http_new, NULL, 0, NULL);
    CHECK(CALL(gk_http_clone)(NULL) == NULL);
    MISCONFIGURED(gk_remote_key_set, gk_remote_key_set_new, NULL, 0, http);
    NO_HANDLE(gk_remote_key_set, gk_remote_key_set_new, NOTEXT, http);
    MISCONFIGURED(gk_remote_key_set, gk_remote_key_set_new, LATIN1, http);
    REFUSED(gk_remote_key_set_new, KEYS, http, NULL);
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
    const uint8_t seal[16] = {1};
    NO_HANDLE(gk_token_manager, gk_token_manager_new, NULL, http, NULL, 0, NULL, 0, NULL, 0);
    NO_HANDLE(gk_token_manager, gk_token_manager_new, client, NULL, NULL, 0, NULL, 0, NULL, 0);
    NO_HANDLE(gk_token_manager, gk_token_manager_new, client, http, NOTEXT, NULL, 0, NULL, 0);
    MISCONFIGURED(gk_token_manager, gk_token_manager_new, client, http, NULL, 0, LATIN1, NULL, 0);
    NO_HANDLE(gk_token_manager, gk_token_manager_new, client, http, NULL, 0, NULL, 0, NORAW);
    REFUSED(gk_token_manager_new, client, http, NULL, 0, NULL, 0, seal, sizeof seal, NULL);
    CHECK(CALL(gk_token_manager_clone)(NULL) == NULL);
    NO_BUF(gk_token_manager_access_token, NULL, TEXT, 60);
    NO_BUF(gk_token_manager_access_token, manager, NULL, 0, 60);
    NO_BUF(gk_token_manager_access_token, manager, NOTEXT, 60);
    NO_BUF(gk_token_manager_access_token, manager, LATIN1, 60);
    REFUSED(gk_token_manager_access_token, manager, TEXT, 60, NULL);
    NO_BUF(gk_token_manager_tokens, NULL, TEXT, 60);
    NO_BUF(gk_token_manager_tokens, manager, NOTEXT, 60);
    REFUSED(gk_token_manager_tokens, manager, TEXT, 60, NULL);
    NO_BUF(gk_token_manager_replace, NULL, TEXT, TEXT);
    NO_BUF(gk_token_manager_replace, manager, NOTEXT, TEXT);
    NO_BUF(gk_token_manager_replace, manager, TEXT, NOTEXT);
    REFUSED(gk_token_manager_replace, manager, TEXT, TEXT, NULL);
    REFUSED(gk_token_manager_put, NULL, TEXT, GK_TEXT("{}"));
    REFUSED(gk_token_manager_put, manager, NOTEXT, GK_TEXT("{}"));
    REFUSED(gk_token_manager_put, manager, TEXT, NOTEXT);
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
    IGNORED(gk_resource_server_builder_keys, NULL, keys);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_keys, NULL);
    IGNORED(gk_resource_server_builder_key_ring, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_key_ring, NULL);
    IGNORED(gk_resource_server_builder_algorithms, NULL, NULL, 0);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_algorithms, NULL, 1);
    const gk_alg none = 99;
    STICKS(gk_resource_server_builder, gk_resource_server_builder_algorithms, &none, 1);
    IGNORED(gk_resource_server_builder_leeway, NULL, 1);
    IGNORED(gk_resource_server_builder_revocations, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_revocations, NULL);
    IGNORED(gk_resource_server_builder_api_keys, NULL, NULL);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_api_keys, NULL);
    IGNORED(gk_resource_server_builder_introspection, NULL, client, http);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_introspection, NULL, http);
    STICKS(gk_resource_server_builder, gk_resource_server_builder_introspection, client, NULL);
    IGNORED(gk_resource_server_builder_introspection_ttl, NULL, 1, 1);
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
    const gk_caller someone = {GK_TEXT("Bearer x"), NULL, 0}, no_header = {NOTEXT, NULL, 0};
    const gk_caller no_address = {GK_TEXT("Bearer x"), NOTEXT};
    REFUSED(gk_resource_server_check, NULL, &someone, NULL, &access, &challenge);
    CHECK(access.data == NULL && challenge.data == NULL);
    REFUSED(gk_resource_server_check, server, &someone, NULL, NULL, &challenge);
    CHECK(challenge.data == NULL);
    REFUSED(gk_resource_server_check, server, NULL, NULL, &access, NULL);
    REFUSED(gk_resource_server_check, server, &no_header, NULL, &access, NULL);
    REFUSED(gk_resource_server_check, server, &no_address, NULL, &access, NULL);

    gk_demand *demand = CALL(gk_demand_new)();
    IGNORED(gk_demand_scope, NULL, TEXT);
    IGNORED(gk_demand_acr_value, NULL, TEXT);
    IGNORED(gk_demand_max_age, NULL, 1);
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
                                       "gk_operation_",
                                       "gk_http_",
                                       "gk_remote_key_set_",
                                       "gk_token_manager_",
                                       "gk_resource_server_",
                                       "gk_demand_",
                                       "gk_verifier_following_remote",
                                       "gk_issuer_rule_following_remote"};
    CHECK(argc == 2);
    set_up();
    clients();
    grants();
    operations();
    transports_and_keys();
    managers();
    doors();
    tear_down();
    CHECK(all_called(argv[1], HERE, sizeof HERE / sizeof *HERE, true) >= 50);
    return passed("oauth_arguments");
}
