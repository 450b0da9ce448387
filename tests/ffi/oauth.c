/* gk_oauth_client and its neighbours: operations driven by hand with answers of this program's own,
 * and run over the built-in transport against a server of eighty lines in a thread. */
#define _DEFAULT_SOURCE
#include "door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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
#define CLIENT                                                                                     \
    "{\"client_id\":\"c\",\"client_secret\":\"a secret\",\"issuer\":\"https://auth.example\","     \
    "\"redirect_uri\":\"https://app.example/cb\",\"scopes\":[\"read\"],"                           \
    "\"flow_keys\":[{\"number\":1,\"secret\":\"0123456789abcdef0123456789abcdef\"}]}"
#define TOKENS                                                                                     \
    "{\"access_token\":\"at-1\",\"token_type\":\"Bearer\",\"expires_in\":300,"                     \
    "\"refresh_token\":\"rt-1\"}"

static gk_error err;

static bool has(gk_buf buf, const char *part) {
    return buf.data != NULL && strstr(buf.data, part) != NULL;
}

static void feed(gk_operation *operation, uint16_t status, const char *body) {
    const gk_header header = {{GK_TEXT("Content-Type")}, {GK_TEXT("application/json")}};
    MUST(gk_operation_feed(operation, status, &header, 1, body, strlen(body), &err));
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
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_result(operation, &json, &err));
    wants(operation, purpose, url);
    feed(operation, 200, answer);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_result(operation, &json, &err));
    return json;
}

static gk_operation *log_in(const gk_oauth_client *client, char *callback, size_t size,
                            char *cookie) {
    gk_operation *operation;
    gk_step step;
    gk_buf json;
    MUST(gk_oauth_client_begin(client, GK_TEXT("{\"return_to\":\"/orders\"}"), NULL, 0, &operation,
                               &err));
    MUST(gk_operation_next(operation, &step, &err));
    if (step.kind == GK_STEP_REQUEST) feed(operation, 200, METADATA);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
    MUST(gk_operation_result(operation, &json, &err));
    CHECK(has(json, "https://auth.example/a?response_type=code&client_id=c&"));
    CHECK(has(json, "code_challenge_method=S256") && has(json, "__Host-gk_flow_"));
    const char *state = strstr(json.data, "state=") + 6;
    snprintf(callback, size, "https://app.example/cb?code=a-code&state=%.*s",
             (int)strcspn(state, "&"), state);
    const char *set = strstr(json.data, "__Host-gk_flow_");
    snprintf(cookie, size, "%.*s", (int)strcspn(set, ";"), set);
    gk_buf_free(&json);
    return operation;
}

static void signing_in(const gk_oauth_client *client) {
    char callback[2048], cookie[2048];
    gk_operation *operation = log_in(client, callback, sizeof callback, cookie);
    gk_operation_free(operation);
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH,
          gk_oauth_client_finish(client, callback, strlen(callback), NULL, 0, &operation, &err));
    CHECK(operation == NULL);
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH, gk_oauth_client_finish(client, GK_TEXT("code=x"), cookie,
                                                                 strlen(cookie), &operation, &err));

    MUST(gk_oauth_client_finish(client, callback, strlen(callback), cookie, strlen(cookie),
                                &operation, &err));
    gk_step step;
    gk_request request;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_request(operation, &request, &err));
    CHECK(request.url.data == NULL && request.headers == 0);
    MUST(gk_operation_next(operation, &step, &err));
    MUST(gk_operation_request(operation, &request, &err));
    CHECK(str_is(request.method, "POST") && str_is(request.purpose, "token"));
    CHECK(request.headers == 3 && request.body.len > 0);
    bool authorized = false;
    for (size_t i = 0; i < request.headers; i++) {
        const gk_header header = gk_operation_header(operation, i);
        authorized |= str_is(header.name, "authorization") && header.value.len > 10;
    }
    CHECK(authorized && gk_operation_header(operation, 3).name.data == NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_next(operation, &step, &err));
    feed(operation, 200, TOKENS);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_feed(operation, 200, NULL, 0, NULL, 0, &err));
    MUST(gk_operation_next(operation, &step, &err));
    gk_buf json;
    MUST(gk_operation_result(operation, &json, &err));
    CHECK(step.kind == GK_STEP_DONE && has(json, "\"return_to\":\"/orders\"") && has(json, "at-1"));
    gk_buf_free(&json);
    gk_operation_free(operation);

    gk_buf ended;
    MUST(gk_oauth_client_end_login(client, callback, strlen(callback), &ended, &err));
    CHECK(has(ended, "Max-Age=0"));
    gk_buf_free(&ended);
    FAILS(GK_STATUS_OAUTH_STATE_MISMATCH,
          gk_oauth_client_end_login(client, GK_TEXT("x"), &ended, &err));
}

static void refusals(const gk_oauth_client *client) {
    gk_operation *operation;
    gk_step step;
    MUST(gk_oauth_client_client_credentials(client, GK_TEXT("{\"scopes\":[\"read\"]}"), &operation,
                                            &err));
    CHECK(gk_operation_peer_code(operation).data == NULL);
    wants(operation, "token", "https://auth.example/t");
    const gk_header wait = {{GK_TEXT("Retry-After")}, {GK_TEXT("7")}};
    MUST(gk_operation_feed(operation, 503, &wait, 1, NULL, 0, &err));
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED, gk_operation_next(operation, &step, &err));
    CHECK(step.kind == 0 && gk_operation_retry_after(operation) == 7000);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_next(operation, &step, &err));
    gk_operation_free(operation);

    MUST(gk_oauth_client_client_credentials(client, NULL, 0, &operation, &err));
    wants(operation, "token", "https://auth.example/t");
    feed(operation, 400, "{\"error\":\"invalid_scope\",\"error_description\":\"<b>\"}");
    FAILS(GK_STATUS_OAUTH_REFUSED, gk_operation_next(operation, &step, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_scope"));
    CHECK(gk_operation_retry_after(operation) == 0 && strchr(err.message, '<') == NULL);
    gk_operation_free(operation);

    MUST(gk_oauth_client_client_credentials(client, NULL, 0, &operation, &err));
    wants(operation, "token", "https://auth.example/t");
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_operation_fail(operation, GK_STATUS_INVALID_SIGNATURE, &err));
    MUST(gk_operation_fail(operation, GK_STATUS_TLS_FAILED, &err));
    FAILS(GK_STATUS_TLS_FAILED, gk_operation_next(operation, &step, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_operation_fail(operation, GK_STATUS_TLS_FAILED, &err));
    gk_operation_free(operation);
    FAILS(
        GK_STATUS_INVALID_CONFIGURATION,
        gk_oauth_client_client_credentials(client, GK_TEXT("{\"scope\":\"x\"}"), &operation, &err));
    CHECK(operation == NULL && strcmp(gk_error_claim(&err), "scope") == 0);
}

static void every_grant(const gk_oauth_client *client) {
    const char *kept = "{\"issuer\":\"https://auth.example\",\"access_token\":\"at-1\","
                       "\"refresh_token\":\"rt-1\",\"scopes\":[\"read\"]}";
    const char *t = "https://auth.example/t";
    gk_operation *operation;
    gk_buf json;
    MUST(gk_oauth_client_refresh(client, kept, strlen(kept), &operation, &err));
    json = ends(operation, "token", t, "{\"access_token\":\"at-2\",\"token_type\":\"bearer\"}");
    CHECK(has(json, "at-2") && has(json, "rt-1"));
    gk_buf_free(&json);
    gk_operation_free(operation);
    FAILS(GK_STATUS_STORE_CORRUPT,
          gk_oauth_client_refresh(client, GK_TEXT("{}"), &operation, &err));

    MUST(gk_oauth_client_jwt_bearer(client, GK_TEXT("a.b.c"), NULL, 0, &operation, &err));
    json = ends(operation, "token", t, TOKENS);
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_token_exchange(client, GK_TEXT("{\"subject_token\":\"x\"}"), &operation,
                                        &err));
    json = ends(operation, "token", t, TOKENS);
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_userinfo(client, kept, strlen(kept), &operation, &err));
    json = ends(operation, "userinfo", "https://auth.example/u", "{\"sub\":\"alice\"}");
    CHECK(has(json, "\"subject\":\"alice\""));
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
    gk_operation_free(operation);

    gk_step step;
    MUST(gk_oauth_client_logout_url(client, NULL, 0, GK_TEXT("https://app.example/"), NULL, 0,
                                    &operation, &err));
    MUST(gk_operation_next(operation, &step, &err));
    MUST(gk_operation_result(operation, &json, &err));
    CHECK(has(json, "https://auth.example/e?client_id=c&post_logout_redirect_uri="));
    gk_buf_free(&json);
    gk_operation_free(operation);

    MUST(gk_oauth_client_logout_notice(client, GK_TEXT("a.b.c"), &operation, &err));
    wants(operation, "keys", "https://auth.example/k");
    feed(operation, 500, "");
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED, gk_operation_next(operation, &step, &err));
    gk_operation_free(operation);

    gk_operation *codes;
    MUST(gk_oauth_client_device_codes(client, NULL, 0, &codes, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_oauth_client_poll(client, codes, &operation, &err));
    json = ends(codes, "device_authorization", "https://auth.example/d",
                "{\"device_code\":\"hidden\",\"user_code\":\"ABCD\",\"expires_in\":300,"
                "\"verification_uri\":\"https://auth.example/v\"}");
    CHECK(has(json, "ABCD") && !has(json, "hidden"));
    gk_buf_free(&json);
    MUST(gk_oauth_client_poll(client, codes, &operation, &err));
    gk_operation_free(codes);
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_WAIT && step.wait_ms == 5000);
    json = ends(operation, "token", t, TOKENS);
    CHECK(has(json, "at-1"));
    gk_buf_free(&json);
    gk_operation_free(operation);
}

/* ---- over the built-in transport ---- */

static char published[1024];

/* Answers requests until it is told to end: keys, introspection, tokens with a number. */
static void *serve(void *listening) {
    const int listener = *(int *)listening;
    for (int number = 1;;) {
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0) return NULL;
        static char request[65536];
        size_t length = 0;
        char *body = NULL;
        for (;;) {
            const ssize_t more = recv(peer, request + length, sizeof request - 1 - length, 0);
            if (more <= 0) break;
            length += (size_t)more;
            request[length] = 0;
            body = strstr(request, "\r\n\r\n");
            const char *told = strstr(request, "content-length: ");
            if (body &&
                length >= (size_t)(body + 4 - request) + (told ? strtoul(told + 16, NULL, 10) : 0))
                break;
        }
        if (body == NULL || strncmp(request, "GET /end", 8) == 0) {
            close(peer);
            return NULL;
        }
        char answer[2048], head[256];
        if (strstr(request, "/keys"))
            snprintf(answer, sizeof answer, "%s", published);
        else if (strstr(request, "/introspect"))
            snprintf(answer, sizeof answer,
                     "{\"active\":%s,\"sub\":\"bob\",\"scope\":\"read write\"}",
                     strstr(body, "token=good") ? "true" : "false");
        else
            snprintf(answer, sizeof answer,
                     "{\"access_token\":\"at-%d\",\"token_type\":\"Bearer\",\"expires_in\":300}",
                     number++);
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n",
                 strlen(answer));
        (void)!write(peer, head, strlen(head));
        (void)!write(peer, answer, strlen(answer));
        close(peer);
    }
}

static int listen_here(unsigned *port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    CHECK(bind(listener, (struct sockaddr *)&place, size) == 0 && listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&place, &size) == 0);
    *port = ntohs(place.sin_port);
    return listener;
}

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
    char options[512];
    gk_remote_key_set *keys, *silent;
    gk_operation *operation;
    snprintf(options, sizeof options,
             "{\"url\":\"http://127.0.0.1:%u/keys\",\"allow_loopback_http\":true}", port);
    MUST(gk_remote_key_set_new(options, strlen(options), http, &keys, &err));
    CHECK(gk_remote_key_set_wants_refresh(keys));
    MUST(gk_remote_key_set_new(options, strlen(options), NULL, &silent, &err));
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    gk_policy_expect_audience(policy, GK_TEXT("https://api.example"));
    gk_policy_expect_type(policy, GK_TEXT("at+jwt"));
    gk_verifier *verifier;
    FAILS(GK_STATUS_OAUTH_SERVER_FAILED,
          gk_verifier_following_remote(silent, policy, &verifier, &err));
    MUST(gk_remote_key_set_refresh(silent, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    CHECK(!gk_remote_key_set_wants_refresh(silent));
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
    gk_buf access_token = token(key);
    gk_verified *verified;
    MUST(gk_verifier_verify(verifier, access_token.data, access_token.len, &verified, &err));
    CHECK(str_is(gk_verified_subject(verified), "alice"));
    gk_verified_free(verified);
    MUST(gk_verifier_verify(by_issuer, access_token.data, access_token.len, &verified, &err));
    gk_verified_free(verified);
    gk_verifier_free(by_issuer);
    gk_verifier_free(verifier);
    gk_remote_key_set_free(keys);
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_remote_key_set_new(GK_TEXT("{\"url\":\"http://h/\"}"), http, &keys, &err));
    MUST(gk_remote_key_set_new(options, strlen(options), http, &keys, &err));

    gk_oauth_client *asking;
    snprintf(options, sizeof options,
             "{\"client_id\":\"rs\",\"introspection_endpoint\":\"http://127.0.0.1:%u/introspect\","
             "\"allow_loopback_http\":true}",
             port);
    MUST(gk_oauth_client_new(options, strlen(options), &asking, &err));
    gk_api_keys *api_keys;
    MUST(gk_api_keys_open(GK_TEXT("memory:"), NULL, &api_keys, &err));
    gk_revocations *revocations;
    MUST(gk_revocations_open(GK_TEXT("memory:"), NULL, &revocations, &err));
    gk_resource_server *server, *door;
    const char *json = "{\"audience\":\"https://api.example\",\"issuer\":\"https://auth.example\","
                       "\"metadata_url\":\"https://api.example/m\",\"scopes_supported\":[\"read\"],"
                       "\"introspection\":{\"ttl\":5}}";
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
    gk_caller caller = {header, strlen(header), GK_TEXT("192.0.2.1")};
    gk_demand *read = demanding("read", NULL, 0), *write = demanding("read write", NULL, 0);
    gk_demand *gold = demanding(NULL, "gold", 60), *wrong = demanding(NULL, NULL, 0);
    MUST(gk_resource_server_check(door, &caller, read, &access, &challenge, &err));
    CHECK(has(access, "\"kind\":\"jwt\",\"subject\":\"alice\",\"client_id\":\"app\""));
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
    caller = (gk_caller){NULL, 0, GK_TEXT("caf\xE9")};
    FAILS(GK_STATUS_MISSING_CREDENTIALS,
          gk_resource_server_check(door, &caller, NULL, &access, NULL, &err));
    gk_demand_acr_value(wrong, NULL, 3);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_resource_server_check(door, &caller, wrong, &access, NULL, &err));
    caller = (gk_caller){GK_TEXT("Bearer good"), NULL, 0};
    gk_demand_free(write);
    write = demanding("write", NULL, 0);
    MUST(gk_resource_server_check(door, &caller, write, &access, NULL, &err));
    CHECK(has(access, "\"kind\":\"opaque\",\"subject\":\"bob\""));
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
    char options[512];
    gk_oauth_client *client;
    snprintf(options, sizeof options,
             "{\"client_id\":\"c\",\"token_endpoint\":\"http://127.0.0.1:%u/token\","
             "\"allow_loopback_http\":true}",
             port);
    MUST(gk_oauth_client_new(options, strlen(options), &client, &err));
    gk_token_manager *own, *manager;
    const uint8_t seal[32] = {7};
    MUST(gk_token_manager_new(client, http, folder, strlen(folder), GK_TEXT("{\"scopes\":[\"s\"]}"),
                              seal, sizeof seal, &own, &err));
    manager = gk_token_manager_clone(own);
    gk_token_manager_free(own);
    gk_buf first, second, json;
    MUST(gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &first, &err));
    MUST(gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &second, &err));
    CHECK(strncmp(first.data, "at-", 3) == 0 && buf_is(second, first.data));
    gk_buf_free(&second);
    MUST(gk_token_manager_replace(manager, GK_TEXT("api"), first.data, first.len, &second, &err));
    CHECK(!buf_is(second, first.data));
    gk_buf_free(&first);
    MUST(gk_token_manager_tokens(manager, GK_TEXT("api"), 60, &json, &err));
    CHECK(has(json, second.data));
    gk_buf_free(&second);
    MUST(gk_token_manager_put(manager, GK_TEXT("other"), json.data, json.len, &err));
    gk_buf_free(&json);
    FAILS(GK_STATUS_STORE_CORRUPT,
          gk_token_manager_put(manager, GK_TEXT("x"), GK_TEXT("{}"), &err));
    MUST(gk_token_manager_remove(manager, GK_TEXT("other"), &err));
    MUST(gk_token_manager_remove(manager, GK_TEXT("api"), &err));
    gk_token_manager_free(manager);
    MUST(gk_token_manager_new(client, http, NULL, 0, NULL, 0, NULL, 0, &manager, &err));
    FAILS(GK_STATUS_OAUTH_NO_TOKEN,
          gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &first, &err));
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "oauth.c", "gk_oauth_client_") == 17);
    CHECK(calls_all(argv[1], "oauth.c", "gk_operation_") == 10);
    CHECK(calls_all(argv[1], "oauth.c", "gk_http_") == 3);
    CHECK(calls_all(argv[1], "oauth.c", "gk_remote_key_set_") == 5);
    CHECK(calls_all(argv[1], "oauth.c", "gk_token_manager_") == 8);

    gk_oauth_client *own, *client;
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_oauth_client_new(GK_TEXT("{\"isuer\":1}"), &own, &err));
    CHECK(own == NULL && strcmp(gk_error_claim(&err), "isuer") == 0);
    MUST(gk_oauth_client_new(GK_TEXT(CLIENT), &own, &err));
    client = gk_oauth_client_clone(own);
    gk_oauth_client_free(own);
    signing_in(client);
    refusals(client);
    every_grant(client);

    gk_http *made, *http;
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_http_new(GK_TEXT("{\"x\":1}"), &made, &err));
    MUST(gk_http_new(GK_TEXT("{\"allow_loopback_http\":true,\"deadline_ms\":5000}"), &made, &err));
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
    gk_oauth_client *nobody;
    gk_operation *operation;
    MUST(gk_oauth_client_new(
        GK_TEXT("{\"client_id\":\"c\",\"token_endpoint\":\"http://127.0.0.1:1/t\","
                "\"allow_loopback_http\":true}"),
        &nobody, &err));
    MUST(gk_oauth_client_client_credentials(nobody, NULL, 0, &operation, &err));
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
