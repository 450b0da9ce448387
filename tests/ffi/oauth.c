/* gk_oauth_client and its neighbours: operations driven by hand with answers of this program's own,
 * and run over the built-in transport against a server of eighty lines in a thread. */
#define _DEFAULT_SOURCE
#include "oauth.h"
#include "door.h"
#include "server.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define METADATA                                                                                   \
    "{\"issuer\":\"https://auth.example\",\"authorization_endpoint\":\"https://auth.example/a\","  \
    "\"token_endpoint\":\"https://auth.example/t\",\"userinfo_endpoint\":\"https://auth.example/"  \
    "u\","                                                                                         \
    "\"jwks_uri\":\"https://auth.example/k\",\"introspection_endpoint\":\"https://auth.example/"   \
    "i\","                                                                                         \
    "\"revocation_endpoint\":\"https://auth.example/r\","                                          \
    "\"device_authorization_endpoint\":\"https://auth.example/d\","                                \
    "\"end_session_endpoint\":\"https://auth.example/e\"}"
#define TOKENS                                                                                     \
    "{\"access_token\":\"at-1\",\"token_type\":\"Bearer\",\"expires_in\":300,"                     \
    "\"refresh_token\":\"rt-1\"}"

static gk_error err;

static bool has(gk_buf buf, const char *part) {
    return buf.data != NULL && strstr(buf.data, part) != NULL;
}

static void feed(gk_operation *operation, uint16_t status, const char *body) {
    const gk_header header = {{GK_TEXT("Content-Type")}, {GK_TEXT("application/json")}};
    MUST(answer_with(operation, status, header, body, &err));
}

/* Asks for the next request, whose purpose and address it must be. */
static void wants(gk_operation *operation, const char *purpose, const char *url) {
    gk_step step;
    gk_request request;
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_REQUEST);
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.purpose, purpose) && str_is(request.url, url));
    CHECK(request.deadline_ms == 10000 && request.max_body > 0);
}

/* Takes an operation to its end with these answers, one of them for the metadata. */
static gk_buf ends(gk_operation *operation, const char *purpose, const char *url,
                   const char *answer) {
    gk_step step;
    gk_buf json;
    gk_json *value;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_result(operation, &json, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_json(operation, &value, &err));
    wants(operation, purpose, url);
    feed(operation, 200, answer);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_result(operation, &json, &err));
    return json;
}

/* The value of a parameter of an address, and what stands before it in the address. */
static gk_str parameter(gk_str url, const char *name) {
    const char *start = strstr(url.data, name) + strlen(name);
    return (gk_str){start, strcspn(start, "&\"")};
}

static gk_json *log_in(const gk_oauth_client *client, char *callback, size_t size) {
    gk_operation *operation;
    gk_step step;
    gk_buf json;
    gk_login_options *options = gk_login_options_new();
    gk_login_options_return_to(options, GK_TEXT("/orders"));
    MUST(gk_oauth_client_begin(client, options, NULL, 0, &operation, &err));
    gk_login_options_free(options);
    MUST(gk_operation_next(operation, &step, &err));
    if (step.kind == GK_STEP_REQUEST) feed(operation, 200, METADATA);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_result(operation, &json, &err));
    CHECK(has(json, "https://auth.example/a?response_type=code&client_id=c&"));
    CHECK(has(json, "code_challenge_method=S256") && has(json, "__Host-gk_flow_"));
    gk_buf_free(&json);
    gk_oauth_tokens *none;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_tokens(operation, &none, &err));
    CHECK(none == NULL);
    gk_json *begun = result_of(operation);
    const gk_str state = parameter(member_of(begun, "url"), "state=");
    snprintf(callback, size, "https://app.example/cb?code=a-code&state=%.*s", (int)state.len,
             state.data);
    return begun;
}

static void signing_in(const gk_oauth_client *client) {
    char query[2048];
    gk_operation *operation;
    gk_json *begun = log_in(client, query, sizeof query);
    const char *cookie =
        gk_json_text(gk_json_at(gk_json_member(begun, GK_TEXT("set_cookies")), 0)).data;
    CHECK(strncmp(cookie, "__Host-gk_flow_", 15) == 0);
    gk_login_callback callback = {MINE(query), NULL, 0};
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH,
          gk_oauth_client_finish(client, &callback, &operation, &err));
    CHECK(operation == NULL);
    callback = (gk_login_callback){GK_TEXT("code=x"), cookie, strcspn(cookie, ";")};
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH,
          gk_oauth_client_finish(client, &callback, &operation, &err));

    callback = (gk_login_callback){MINE(query), cookie, strcspn(cookie, ";")};
    MUST(gk_oauth_client_finish_with(client, &callback, NULL, &operation, &err));
    gk_json_free(begun);
    gk_step step;
    gk_request request;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_request(operation, &request, &err));
    CHECK(request.url.data == NULL && request.headers == 0);
    MUST(gk_operation_next(operation, &step, &err));
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.method, "POST") && str_is(request.purpose, "token"));
    CHECK(request.headers == 4 && request.body.len > 0);
    bool authorized = false;
    for (size_t i = 0; i < request.headers; i++) {
        const gk_header header = gk_operation_header(operation, i);
        authorized |= str_is(header.name, "authorization") && header.value.len > 10;
    }
    CHECK(authorized && gk_operation_header(operation, 4).name.data == NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_next(operation, &step, &err));
    feed(operation, 200, TOKENS);
    const gk_response nothing = {200, NULL, 0, NULL, 0};
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_feed(operation, &nothing, &err));
    MUST(gk_operation_next(operation, &step, &err));
    gk_oauth_tokens *tokens;
    MUST(gk_operation_tokens(operation, &tokens, &err));
    CHECK(str_is(gk_oauth_tokens_access_token(tokens), "at-1"));
    gk_oauth_tokens_free(tokens);
    gk_json *json = result_of(operation);
    CHECK(step.kind == GK_STEP_DONE && str_is(member_of(json, "return_to"), "/orders"));
    CHECK(str_is(member_of(gk_json_member(json, GK_TEXT("tokens")), "access_token"), "at-1"));
    gk_json_free(json);

    gk_buf ended;
    MUST(gk_oauth_client_end_login(client, query, strlen(query), &ended, &err));
    CHECK(has(ended, "Max-Age=0"));
    gk_buf_free(&ended);
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH,
          gk_oauth_client_end_login(client, GK_TEXT("x"), &ended, &err));
}

static void refusals(const gk_oauth_client *client) {
    gk_operation *operation;
    gk_step step;
    gk_token_grant *grant = granting("read", NULL);
    MUST(gk_oauth_client_client_credentials(client, grant, &operation, &err));
    gk_token_grant_free(grant);
    CHECK(gk_operation_peer_code(operation).data == NULL);
    wants(operation, "token", "https://auth.example/t");
    const gk_header wait = {{GK_TEXT("Retry-After")}, {GK_TEXT("7")}};
    MUST(answer_with(operation, 503, wait, "", &err));
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED, gk_operation_next(operation, &step, &err));
    CHECK(step.kind == 0 && gk_operation_retry_after(operation) == 7000);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_next(operation, &step, &err));
    gk_operation_free(operation);

    MUST(gk_oauth_client_client_credentials(client, NULL, &operation, &err));
    wants(operation, "token", "https://auth.example/t");
    feed(operation, 400, "{\"error\":\"invalid_scope\",\"error_description\":\"<b>\"}");
    FAILS(GK_STATUS_OAUTH_REFUSED, gk_operation_next(operation, &step, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_scope"));
    CHECK(gk_operation_retry_after(operation) == 0 && strchr(err.message, '<') == NULL);
    gk_operation_free(operation);

    MUST(gk_oauth_client_client_credentials(client, NULL, &operation, &err));
    wants(operation, "token", "https://auth.example/t");
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_operation_fail(operation, GK_STATUS_INVALID_SIGNATURE, &err));
    MUST(gk_operation_fail(operation, GK_STATUS_TLS_FAILED, &err));
    FAILS(GK_STATUS_TLS_FAILED, gk_operation_next(operation, &step, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_fail(operation, GK_STATUS_TLS_FAILED, &err));
    gk_operation_free(operation);
    grant = gk_token_grant_new();
    gk_token_grant_json(grant, GK_TEXT("{\"scope\":\"x\"}"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_oauth_client_client_credentials(client, grant, &operation, &err));
    gk_token_grant_free(grant);
    CHECK(operation == NULL && strcmp(gk_error_claim(&err), "scope") == 0);
}

static void every_grant(const gk_oauth_client *client) {
    const char *kept = "{\"issuer\":\"https://auth.example\",\"access_token\":\"at-1\","
                       "\"refresh_token\":\"rt-1\",\"scopes\":[\"read\"]}";
    const char *t = "https://auth.example/t";
    gk_operation *operation;
    gk_buf json;
    gk_oauth_tokens *tokens, *none;
    MUST(gk_oauth_tokens_from_json(kept, strlen(kept), &tokens, &err));
    MUST(gk_oauth_client_refresh(client, tokens, &operation, &err));
    json = ends(operation, "token", t, "{\"access_token\":\"at-2\",\"token_type\":\"bearer\"}");
    CHECK(has(json, "at-2") && has(json, "rt-1"));
    gk_buf_free(&json);
    gk_operation_free(operation);
    FAILS(GK_STATUS_STORE_CORRUPT, gk_oauth_tokens_from_json(GK_TEXT("{}"), &none, &err));
    gk_json *metadata;
    MUST(gk_oauth_client_metadata(client, &operation, &err));
    gk_step over;
    MUST(gk_operation_next(operation, &over, &err));
    MUST(gk_operation_json(operation, &metadata, &err));
    CHECK(str_is(gk_json_text(gk_json_member(metadata, GK_TEXT("token_endpoint"))), t));
    gk_json_free(metadata);
    gk_operation_free(operation);
    MUST(gk_oauth_client_userinfo_by_token(client, GK_TEXT("at"), &operation, &err));
    wants(operation, "userinfo", "https://auth.example/u");
    gk_operation_free(operation);
    MUST(gk_oauth_client_introspect_with(client, GK_TEXT("at"), NULL, &operation, &err));
    wants(operation, "introspection", "https://auth.example/i");
    gk_operation_free(operation);

    /* A new refresh token is left to be kept, whatever else is wrong; without one nothing is. */
    const char *const odd[] = {"{\"access_token\":\"at-2\",\"refresh_token\":\"rt-2\"}",
                               "{\"access_token\":\"at-2\"}"};
    for (size_t i = 0; i < 2; i++) {
        gk_step step;
        gk_oauth_tokens *left;
        MUST(gk_oauth_client_refresh_with(client, tokens, NULL, &operation, &err));
        wants(operation, "token", t);
        feed(operation, 200, odd[i]);
        FAILS(GK_STATUS_OAUTH_MALFORMED_RESPONSE, gk_operation_next(operation, &step, &err));
        CHECK(strcmp(gk_error_claim(&err), "token_type") == 0);
        if (i == 0) {
            MUST(gk_operation_tokens(operation, &left, &err));
            CHECK(str_is(gk_oauth_tokens_refresh_token(left), "rt-2"));
            CHECK(str_is(gk_oauth_tokens_access_token(left), "at-1"));
            CHECK(gk_oauth_tokens_verified_email(left).data == NULL);
            gk_oauth_tokens_free(left);
        } else {
            FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_tokens(operation, &left, &err));
        }
        gk_operation_free(operation);
    }
    const char *with = "{\"issuer\":\"i\",\"access_token\":\"a\",\"scopes\":[],"
                       "\"verified_email\":\"a@b\"}";
    gk_oauth_tokens *addressed;
    MUST(gk_oauth_tokens_from_json(with, strlen(with), &addressed, &err));
    CHECK(str_is(gk_oauth_tokens_verified_email(addressed), "a@b"));
    gk_oauth_tokens_free(addressed);

    MUST(gk_oauth_client_jwt_bearer(client, GK_TEXT("a.b.c"), NULL, &operation, &err));
    json = ends(operation, "token", t, TOKENS);
    gk_buf_free(&json);
    gk_operation_free(operation);

    gk_token_exchange *exchange = gk_token_exchange_new();
    gk_token_exchange_subject(exchange, GK_TEXT("x"), NULL, 0);
    MUST(gk_oauth_client_token_exchange(client, exchange, &operation, &err));
    gk_token_exchange_free(exchange);
    json = ends(operation, "token", t, TOKENS);
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_userinfo(client, tokens, &operation, &err));
    gk_oauth_tokens_free(tokens);
    json = ends(operation, "userinfo", "https://auth.example/u", "{\"sub\":\"alice\"}");
    CHECK(has(json, "\"subject\":\"alice\""));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_tokens(operation, &none, &err));
    CHECK(none == NULL);
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_introspect(client, GK_TEXT("token"), &operation, &err));
    json = ends(operation, "introspection", "https://auth.example/i", "{\"active\":false}");
    CHECK(has(json, "\"active\":false"));
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_revoke(client, GK_TEXT("token"), true, &operation, &err));
    json = ends(operation, "revocation", "https://auth.example/r", "");
    CHECK(json.len == 0);
    gk_buf_free(&json);
    gk_json *value = result_of(operation);
    CHECK(gk_json_kind_of(value) == GK_JSON_NULL);
    gk_json_free(value);

    gk_step step;
    gk_logout_options *leaving = gk_logout_options_new();
    gk_logout_options_post_logout_redirect_uri(leaving, GK_TEXT("https://app.example/"));
    MUST(gk_oauth_client_logout_url(client, leaving, &operation, &err));
    gk_logout_options_free(leaving);
    MUST(gk_operation_next(operation, &step, &err));
    MUST(gk_operation_result(operation, &json, &err));
    CHECK(has(json, "https://auth.example/e?client_id=c&post_logout_redirect_uri="));
    value = result_of(operation);
    CHECK(str_is(gk_json_text(value), json.data));
    gk_json_free(value);
    gk_buf_free(&json);

    MUST(gk_oauth_client_logout_notice(client, GK_TEXT("a.b.c"), &operation, &err));
    wants(operation, "keys", "https://auth.example/k");
    feed(operation, 500, "");
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED, gk_operation_next(operation, &step, &err));
    gk_operation_free(operation);

    gk_operation *codes;
    MUST(gk_oauth_client_device_codes(client, NULL, &codes, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_oauth_client_poll(client, codes, &operation, &err));
    json = ends(codes, "device_authorization", "https://auth.example/d",
                "{\"device_code\":\"hidden\",\"user_code\":\"ABCD\",\"expires_in\":300,"
                "\"verification_uri\":\"https://auth.example/v\"}");
    CHECK(has(json, "ABCD") && !has(json, "hidden"));
    gk_buf_free(&json);
    MUST(gk_oauth_client_poll_with(client, codes, NULL, &operation, &err));
    gk_operation_free(codes);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_WAIT && step.wait_ms == 5000);
    json = ends(operation, "token", t, TOKENS);
    CHECK(has(json, "at-1"));
    gk_buf_free(&json);
    gk_operation_free(operation);
}

/* ---- over the built-in transport ---- */

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
    CHECK(calls_all(argv[1], "oauth.c", "gk_oauth_client_") == 23);
    CHECK(calls_all(argv[1], "oauth.c", "gk_operation_") == 12);
    static const char *const each[] = {
        "gk_http_new",           "gk_http_clone",           "gk_http_free",
        "gk_remote_key_set_new", "gk_remote_key_set_clone", "gk_remote_key_set_free",
        "gk_remote_key_set_w",   "gk_remote_key_set_r",     "gk_remote_key_set_keys",
        "gk_token_manager_new",  "gk_token_manager_c",      "gk_token_manager_f",
        "gk_token_manager_p",    "gk_token_manager_re",     "gk_token_manager_t",
        "gk_token_manager_a"};
    size_t called = 0;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        called += calls_all(argv[1], "oauth.c", each[i]);
    CHECK(called == 17);

    gk_oauth_client *own, *client;
    FAILS(GK_STATUS_INVALID_CONFIGURATION, client_of_json("{\"isuer\":1}", &own, &err));
    CHECK(own == NULL && strcmp(gk_error_claim(&err), "isuer") == 0);
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_issuer(config, GK_TEXT("https://auth.example"));
    gk_oauth_config_client_id(config, GK_TEXT("c"));
    gk_oauth_config_client_secret(config, GK_TEXT("a secret"));
    gk_oauth_config_redirect_uri(config, GK_TEXT("https://app.example/cb"));
    gk_oauth_config_scopes(config, GK_TEXT("read"));
    gk_oauth_config_flow_key(config, 1,
                             (const uint8_t *)GK_TEXT("0123456789abcdef0123456789abcdef"));
    MUST(gk_oauth_client_new(config, &own, &err));
    gk_oauth_config_free(config);
    client = gk_oauth_client_clone(own);
    gk_oauth_client_free(own);
    signing_in(client);
    refusals(client);
    every_grant(client);

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

    /* Nobody listens there. */
    gk_oauth_client *nobody = local_client("c", "token_endpoint", 1, "/t");
    gk_operation *operation;
    MUST(gk_oauth_client_client_credentials(nobody, NULL, &operation, &err));
    FAILS(GK_STATUS_CONNECTION_FAILED, gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    gk_oauth_client_free(nobody);
    gk_oauth_client_free(client);
    gk_http_free(http);
    gk_http_free(NULL);
    gk_oauth_client_free(NULL);
    gk_operation_free(NULL);
    gk_remote_key_set_free(NULL);
    gk_token_manager_free(NULL);
    gk_resource_server_free(NULL);
    shutdown(listener, SHUT_RDWR);
    close(listener);
    pthread_join(server, NULL);
    char remove_it[64];
    snprintf(remove_it, sizeof remove_it, "rm -r %s", folder);
    CHECK(system(remove_it) == 0);
    return passed("oauth");
}
