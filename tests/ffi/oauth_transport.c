/* What needs the built-in transport: remote keys, an API's door and a token manager, against a
 * server of eighty lines in a thread. */
#define _DEFAULT_SOURCE
#include "door.h"
#include "oauth.h"
#include "server.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static gk_error err;

static gk_key *publish(void) {
    gk_key *key, *public_key;
    gk_buf jwk;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_public(key, &public_key, &err));
    MUST(gk_key_to_jwk(public_key, &jwk, &err));
    snprintf(published, sizeof published, "{\"keys\":[%s]}", jwk.data);
    gk_buf_free(&jwk);
    gk_key_free(public_key);
    return key;
}

static gk_buf token(const gk_key *key) {
    gk_signer_builder *builder;
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer *signer;
    gk_claims *claims = gk_claims_new();
    gk_buf signed_token;
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    gk_signer_builder_audience(builder, GK_TEXT("https://api.example"));
    gk_signer_builder_typ(builder, GK_TEXT("at+jwt"));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_claims_subject(claims, GK_TEXT("alice"));
    gk_claims_claim_str(claims, GK_TEXT("client_id"), GK_TEXT("app"));
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("read"));
    MUST(gk_signer_sign(signer, claims, &signed_token, &err));
    gk_claims_free(claims);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return signed_token;
}

static void at_the_door(const gk_http *http, unsigned port, const gk_key *key) {
    char url[64];
    gk_remote_key_set *keys, *silent;
    gk_operation *operation;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/keys", port);
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_remote_key_set_options_url(options, MINE(url));
    gk_remote_key_set_options_allow_loopback_http(options, true);
    MUST(gk_remote_key_set_new(options, http, &keys, &err));
    CHECK(gk_remote_key_set_wants_refresh(keys));
    MUST(gk_remote_key_set_new(options, NULL, &silent, &err));
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    gk_policy_expect_audience(policy, GK_TEXT("https://api.example"));
    gk_policy_expect_type(policy, GK_TEXT("at+jwt"));
    gk_verifier *verifier, *early;
    gk_verified *verified;
    gk_key_set *held;
    gk_buf access_token = token(key);
    // Without keys it is made all the same, and has them when they come.
    MUST(gk_verifier_following_remote(silent, policy, &early, &err));
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED, gk_remote_key_set_keys(silent, &held, &err));
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED,
          gk_verifier_verify(early, access_token.data, access_token.len, &verified, &err));
    MUST(gk_remote_key_set_refresh(silent, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    CHECK(!gk_remote_key_set_wants_refresh(silent));
    MUST(gk_remote_key_set_keys(silent, &held, &err));
    CHECK(gk_key_set_len(held) == 1 && gk_key_set_skipped(held) == 0);
    gk_key_set_free(held);
    MUST(gk_verifier_verify(early, access_token.data, access_token.len, &verified, &err));
    gk_verified_free(verified);
    gk_verifier_free(early);
    gk_remote_key_set *shared = gk_remote_key_set_clone(silent);
    gk_remote_key_set_free(silent);
    MUST(gk_verifier_following_remote(shared, policy, &verifier, &err));
    gk_remote_key_set_free(shared);
    gk_policy *several = gk_policy_new();
    gk_policy_expect_audience(several, GK_TEXT("https://api.example"));
    gk_policy_expect_type(several, GK_TEXT("at+jwt"));
    gk_issuer_rule *rule;
    gk_verifier *by_issuer;
    MUST(gk_issuer_rule_following_remote(GK_TEXT("https://auth.example"), keys, &rule, &err));
    const gk_issuer_rule *rules[] = {rule};
    MUST(gk_verifier_for_issuers(rules, 1, several, &by_issuer, &err));
    gk_issuer_rule_free(rule);
    gk_policy_free(several);
    gk_policy_free(policy);
    MUST(gk_verifier_verify(verifier, access_token.data, access_token.len, &verified, &err));
    CHECK(str_is(gk_verified_subject(verified), "alice"));
    gk_verified_free(verified);
    MUST(gk_verifier_verify(by_issuer, access_token.data, access_token.len, &verified, &err));
    gk_verified_free(verified);
    gk_verifier_free(by_issuer);
    gk_verifier_free(verifier);
    gk_remote_key_set_free(keys);
    gk_remote_key_set_options *http_only = gk_remote_key_set_options_new();
    gk_remote_key_set_options_json(http_only, GK_TEXT("{\"url\":\"http://h/\"}"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_remote_key_set_new(http_only, http, &keys, &err));
    gk_remote_key_set_options_free(http_only);
    MUST(gk_remote_key_set_new(options, http, &keys, &err));
    gk_remote_key_set_options_free(options);

    gk_oauth_client *asking = local_client("rs", "introspection_endpoint", port, "/introspect");
    gk_api_keys *api_keys;
    MUST(gk_api_keys_open(GK_TEXT("memory:"), NULL, &api_keys, &err));
    gk_revocations *revocations;
    MUST(gk_revocations_open(GK_TEXT("memory:"), NULL, &revocations, &err));
    gk_resource_server *server, *door;
    const char *json = "{\"audience\":\"https://api.example\",\"issuer\":\"https://auth.example\","
                       "\"metadata_url\":\"https://api.example/m\",\"scopes_supported\":[\"read\"],"
                       "\"introspection\":{\"ttl\":5,\"require_audience\":false}}";
    struct door_parts parts = {NULL, NULL, asking, http, api_keys, revocations};
    FAILS(GK_STATUS_INVALID_CONFIGURATION, open_door(json, parts, &server, &err));
    CHECK(strcmp(gk_error_claim(&err), "issuer") == 0); /* no keys */
    parts.keys = keys;
    MUST(open_door(json, parts, &server, &err));
    door = gk_resource_server_clone(server);
    gk_resource_server_free(server);
    gk_remote_key_set_free(keys);
    gk_oauth_client_free(asking);
    gk_api_keys_free(api_keys);

    gk_buf access, challenge;
    char header[2048];
    snprintf(header, sizeof header, "Bearer %s", access_token.data);
    gk_caller caller = {header, strlen(header), GK_TEXT("192.0.2.1"), NULL, 0};
    gk_demand *read = demanding("read", NULL, 0), *write = demanding("read write", NULL, 0);
    gk_demand *gold = demanding(NULL, "gold", 60), *wrong = demanding(NULL, NULL, 0);
    MUST(gk_resource_server_check(door, &caller, read, &access, &challenge, &err));
    CHECK(has(access, "\"kind\":\"jwt\",\"issuer\":\"https://auth.example\""));
    CHECK(has(access, "\"subject\":\"alice\",\"tenant\":null,\"client_id\":\"app\""));
    CHECK(challenge.data == NULL);
    gk_buf_free(&access);
    FAILS(GK_STATUS_INSUFFICIENT_SCOPE,
          gk_resource_server_check(door, &caller, write, &access, &challenge, &err));
    CHECK(access.data == NULL && has(challenge, "error=\"insufficient_scope\""));
    CHECK(has(challenge, "scope=\"read write\"") && gk_status_http(err.status) == 403);
    gk_buf_free(&challenge);
    FAILS(GK_STATUS_INSUFFICIENT_AUTHENTICATION,
          gk_resource_server_check(door, &caller, gold, &access, &challenge, &err));
    CHECK(has(challenge, "acr_values=\"gold\", max_age=\"60\""));
    gk_buf_free(&challenge);
    FAILS(GK_STATUS_MISSING_CREDENTIALS, knock_at(door, NULL, &access, &err));
    /* What a stranger writes is no mistake of the service. */
    FAILS(GK_STATUS_MISSING_CREDENTIALS, knock_at(door, "caf\xE9", &access, &err));
    caller = (gk_caller){NULL, 0, GK_TEXT("caf\xE9"), NULL, 0};
    FAILS(GK_STATUS_MISSING_CREDENTIALS,
          gk_resource_server_check(door, &caller, NULL, &access, NULL, &err));
    gk_demand_acr_value(wrong, NULL, 3);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_resource_server_check(door, &caller, wrong, &access, NULL, &err));
    caller = (gk_caller){GK_TEXT("Bearer good"), NULL, 0, NULL, 0};
    gk_demand_free(write);
    write = demanding("write", NULL, 0);
    MUST(gk_resource_server_check(door, &caller, write, &access, NULL, &err));
    CHECK(has(access, "\"kind\":\"opaque\",\"issuer\":null,\"subject\":\"bob\""));
    gk_buf_free(&access);
    FAILS(GK_STATUS_TOKEN_INACTIVE, knock_at(door, "Bearer bad", &access, &err));
    MUST(gk_revocations_revoke_subject(revocations, GK_TEXT("alice"), &err));
    FAILS(GK_STATUS_REVOKED_TOKEN, knock_at(door, header, &access, &err));
    gk_demand *all[] = {read, write, gold, wrong};
    for (size_t i = 0; i < 4; i++) gk_demand_free(all[i]);
    gk_buf metadata;
    MUST(gk_resource_server_metadata(door, &metadata, &err));
    CHECK(has(metadata, "\"resource\":\"https://api.example\""));
    gk_buf_free(&metadata);
    gk_resource_server_free(door);
    gk_revocations_free(revocations);
    gk_buf_free(&access_token);
}

static void managed(const gk_http *http, unsigned port, const char *folder) {
    gk_oauth_client *client = local_client("c", "token_endpoint", port, "/token");
    gk_token_manager *own, *manager;
    const uint8_t pepper[32] = {7};
    gk_token_grant *grant = granting("s", NULL);
    gk_token_manager_options *options = gk_token_manager_options_new();
    gk_token_manager_options_folder(options, MINE(folder));
    gk_token_manager_options_client_credentials(options, grant);
    gk_token_manager_options_pepper(options, 1, pepper, sizeof pepper);
    MUST(gk_token_manager_new(client, http, options, &own, &err));
    gk_token_manager_options_free(options);
    gk_token_grant_free(grant);
    manager = gk_token_manager_clone(own);
    gk_token_manager_free(own);
    gk_buf first, second;
    MUST(gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &first, &err));
    MUST(gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &second, &err));
    CHECK(strncmp(first.data, "at-", 3) == 0 && buf_is(second, first.data));
    gk_buf_free(&second);
    const gk_refused_token refused = {GK_TEXT("api"), first.data, first.len};
    MUST(gk_token_manager_replace(manager, &refused, &second, &err));
    CHECK(!buf_is(second, first.data));
    gk_buf_free(&first);
    gk_oauth_tokens *tokens, *none;
    MUST(gk_token_manager_tokens(manager, GK_TEXT("api"), 60, &tokens, &err));
    CHECK(str_is(gk_oauth_tokens_access_token(tokens), second.data));
    /* As operations, over the transport: what is good is known at once, the refused one is not. */
    gk_oauth_tokens *known;
    gk_operation *operation;
    MUST(gk_token_manager_known(manager, GK_TEXT("api"), 60, &known, &err));
    CHECK(str_is(gk_oauth_tokens_access_token(known), second.data));
    gk_oauth_tokens_free(known);
    MUST(gk_token_manager_renewal(manager, GK_TEXT("api"), 60, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    const gk_refused_token too = {GK_TEXT("api"), second.data, second.len};
    MUST(gk_token_manager_replacement(manager, &too, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    gk_buf_free(&second);
    MUST(gk_token_manager_put(manager, GK_TEXT("other"), tokens, &err));
    gk_oauth_tokens_free(tokens);
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_tokens_from_json(GK_TEXT("[]"), &none, &err));
    MUST(gk_token_manager_remove(manager, GK_TEXT("other"), &err));
    MUST(gk_token_manager_remove(manager, GK_TEXT("api"), &err));
    gk_token_manager_free(manager);
    MUST(gk_token_manager_new(client, http, NULL, &manager, &err));
    FAILS(GK_STATUS_OAUTH_NO_TOKEN,
          gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &first, &err));
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    static const char *const each[] = {
        "gk_http_new",           "gk_http_clone",           "gk_http_free",
        "gk_remote_key_set_new", "gk_remote_key_set_clone", "gk_remote_key_set_free",
        "gk_remote_key_set_w",   "gk_remote_key_set_r",     "gk_remote_key_set_keys",
        "gk_token_manager_new",  "gk_token_manager_c",      "gk_token_manager_f",
        "gk_token_manager_p",    "gk_token_manager_re",     "gk_token_manager_t",
        "gk_token_manager_a",    "gk_token_manager_k"};
    size_t called = 0;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        called += calls_all(argv[1], "oauth_transport.c", each[i]);
    CHECK(called == 20);

    gk_http *made, *http;
    gk_http_options *reach = gk_http_options_new();
    gk_http_options_json(reach, GK_TEXT("{\"x\":1}"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_http_new(reach, &made, &err));
    gk_http_options_free(reach);
    reach = gk_http_options_new();
    gk_http_options_json(reach, GK_TEXT("{\"allow_loopback_http\":true,\"deadline_ms\":5000}"));
    MUST(gk_http_new(reach, &made, &err));
    gk_http_options_free(reach);
    http = gk_http_clone(made);
    gk_http_free(made);
    unsigned port;
    int listener = listen_here(&port);
    pthread_t server;
    gk_key *key = publish();
    CHECK(pthread_create(&server, NULL, serve, &listener) == 0);
    at_the_door(http, port, key);
    char folder[] = "/tmp/gatekey-ffi-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    managed(http, port, folder);
    gk_key_free(key);
    gk_http_free(http);
    gk_http_free(NULL);
    gk_remote_key_set_free(NULL);
    gk_token_manager_free(NULL);
    gk_resource_server_free(NULL);
    shutdown(listener, SHUT_RDWR);
    close(listener);
    pthread_join(server, NULL);
    char remove_it[64];
    snprintf(remove_it, sizeof remove_it, "rm -r %s", folder);
    CHECK(system(remove_it) == 0);
    return passed("oauth_transport");
}
