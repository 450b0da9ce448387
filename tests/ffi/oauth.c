/* gk_oauth_client and gk_operation: operations driven by hand with answers of this program's own.
 * What runs over the built-in transport is in oauth_transport.c. */
#include "oauth.h"

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

/* Run where no server is. */
static void not_reached(void) {
    gk_http *http = local_http();
    gk_oauth_client *nobody = local_client("c", "token_endpoint", 1, "/t");
    gk_operation *operation;
    MUST(gk_oauth_client_client_credentials(nobody, NULL, &operation, &err));
    FAILS(GK_STATUS_CONNECTION_FAILED, gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    gk_oauth_client_free(nobody);
    gk_http_free(http);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "oauth.c", "gk_oauth_client_") == 23);
    CHECK(calls_all(argv[1], "oauth.c", "gk_operation_") == 12);

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
    not_reached();
    gk_oauth_client_free(client);
    gk_oauth_client_free(NULL);
    gk_operation_free(NULL);
    return passed("oauth");
}
