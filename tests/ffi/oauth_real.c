/* C against the certified authorization server: oauth_real ISSUER BROWSER, started by run.py. Every
 * way to authenticate a client, log-in, refresh and reuse, pushed requests, machines, devices, what
 * becomes of tokens, keys that rotate, log-out. */
#define _GNU_SOURCE
#include "door.h"
#include "oauth.h"

#include <signal.h>
#include <unistd.h>

#define SECRET "a-secret-of-the-tests-0123456789abcdef"
#define CALLBACK "http://127.0.0.1:9999/cb"
#define API "https://api.example.test"

static gk_error err;
static const char *issuer, *browser;
static gk_http *http;

/* Whether a member is this text. */
static bool says(const gk_json *json, const char *name, const char *value) {
    return str_is(member_of(json, name), value);
}

/* What the browser prints; freed by the caller. */
static char *browse(const char *what, const char *url, const char *stop) {
    char command[8192], *line = calloc(1, 65536);
    snprintf(command, sizeof command, "%s %s '%s' %s", browser, what, url, stop);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL && line != NULL);
    line[fread(line, 1, 65535, pipe)] = 0;
    CHECK(pclose(pipe) == 0);
    if (strchr(line, '\n') == line + strlen(line) - 1) line[strlen(line) - 1] = 0;
    return line;
}

/* The registration of a client, which may be changed before it is used. */
static gk_oauth_config *registered(const char *id) {
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_issuer(config, MINE(issuer));
    gk_oauth_config_client_id(config, MINE(id));
    gk_oauth_config_redirect_uri(config, GK_TEXT(CALLBACK));
    gk_oauth_config_scopes(config, GK_TEXT("openid offline_access"));
    gk_oauth_config_allow_loopback_http(config, true);
    return config;
}

static gk_oauth_config *with_secret(const char *id, const char *secret) {
    gk_oauth_config *config = registered(id);
    gk_oauth_config_client_secret(config, MINE(secret));
    return config;
}

static gk_oauth_client *client(gk_oauth_config *config) {
    gk_oauth_client *made;
    MUST(client_of(config, &made, &err));
    return made;
}

/* Takes an operation to its end, and frees it. */
static gk_json *ends(gk_operation *operation) {
    MUST(gk_operation_run(operation, http, &err));
    return result_of(operation);
}

static void fails(gk_operation *operation, gk_status status) {
    FAILS(status, gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
}

/* Signs a user in; what is known of them, and the tokens unless NULL. */
static gk_json *sign_in(const gk_oauth_client *own, const gk_login_options *options,
                        gk_oauth_tokens **tokens) {
    gk_operation *operation;
    MUST(gk_oauth_client_begin(own, options, NULL, 0, &operation, &err));
    gk_json *begun = ends(operation);
    const gk_str set = gk_json_text(gk_json_at(gk_json_member(begun, GK_TEXT("set_cookies")), 0));
    CHECK(set.data != NULL);
    char *url = strndup(LENT(member_of(begun, "url")));
    char *back = browse("login", url, CALLBACK);
    const gk_login_callback callback = {MINE(back), set.data, strcspn(set.data, ";")};
    MUST(gk_oauth_client_finish(own, &callback, &operation, &err));
    free(url);
    free(back);
    gk_json_free(begun);
    MUST(gk_operation_run(operation, http, &err));
    gk_oauth_tokens *own_tokens;
    MUST(gk_operation_tokens(operation, &own_tokens, &err));
    CHECK(gk_oauth_tokens_access_token(own_tokens).len > 0);
    if (tokens != NULL)
        *tokens = own_tokens;
    else
        gk_oauth_tokens_free(own_tokens);
    return result_of(operation);
}

static gk_oauth_config *with_method(const char *id, const char *method) {
    gk_oauth_config *config = with_secret(id, SECRET);
    gk_oauth_config_auth_method(config, MINE(method));
    return config;
}

static gk_oauth_config *with_key(const char *id) {
    char jwk[2048] = "";
    gk_key *key;
    FILE *file = fopen(getenv("RP_KEY"), "r");
    CHECK(file != NULL && fread(jwk, 1, sizeof jwk - 1, file) > 0);
    fclose(file);
    MUST(gk_key_from_jwk(MINE(jwk), GK_ALG_ANY, &key, &err));
    gk_oauth_config *config = registered(id);
    gk_oauth_config_private_key(config, key);
    gk_key_free(key);
    return config;
}

static gk_oauth_config *without_secret(const char *id) {
    gk_oauth_config *config = registered(id);
    gk_oauth_config_auth_method(config, GK_TEXT("none"));
    return config;
}

static gk_oauth_config *pushing(const char *id) {
    char url[512];
    gk_oauth_config *config = with_secret(id, SECRET);
    snprintf(url, sizeof url, "%s/request", issuer);
    gk_oauth_config_endpoint(config, GK_TEXT("pushed_authorization_request_endpoint"), MINE(url));
    return config;
}

static void clients(void) {
    gk_oauth_config *ways[] = {
        with_method("web-basic", "client_secret_basic"),
        with_secret("web+odd:id", "p@ss w0rd:/+%=a-secret-of-the-tests"),
        with_method("web-post", "client_secret_post"),
        with_method("web-csjwt", "client_secret_jwt"),
        with_key("web-pkjwt"),
        without_secret("web-public"),
        pushing("par-only"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        gk_oauth_client *own = client(ways[i]);
        gk_json *login = sign_in(own, NULL, NULL);
        CHECK(says(login, "subject", "alice"));
        gk_json_free(login);
        gk_oauth_client_free(own);
    }
}

static void a_user(void) {
    gk_oauth_client *own = client(with_secret("web-logout", SECRET));
    gk_operation *operation;
    gk_oauth_tokens *first, *second;
    gk_login_options *options = gk_login_options_new();
    gk_login_options_prompt(options, GK_TEXT("consent"));
    gk_login_options_return_to(options, GK_TEXT("/orders"));
    gk_json *login = sign_in(own, options, &first);
    CHECK(says(login, "return_to", "/orders"));
    MUST(gk_oauth_client_userinfo(own, first, &operation, &err));
    gk_json *info = ends(operation);
    CHECK(says(info, "subject", "alice"));
    gk_json_free(info);
    MUST(gk_oauth_client_refresh(own, first, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    MUST(gk_operation_tokens(operation, &second, &err));
    gk_operation_free(operation);
    const gk_str before = gk_oauth_tokens_refresh_token(first);
    const gk_str after = gk_oauth_tokens_refresh_token(second);
    CHECK(before.len > 0);
    CHECK(after.len > 0);
    CHECK(before.len != after.len || memcmp(before.data, after.data, after.len) != 0);
    /* The first one again ends all of them. */
    MUST(gk_oauth_client_refresh(own, first, &operation, &err));
    FAILS(GK_STATUS_OAUTH_INVALID_GRANT, gk_operation_run(operation, http, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_grant"));
    gk_operation_free(operation);
    MUST(gk_oauth_client_refresh(own, second, &operation, &err));
    fails(operation, GK_STATUS_OAUTH_INVALID_GRANT);
    gk_oauth_tokens_free(second);

    const char *bye = "http://127.0.0.1:9999/bye";
    gk_logout_options *leaving = gk_logout_options_new();
    gk_logout_options_id_token(leaving, LENT(gk_oauth_tokens_id_token(first)));
    gk_logout_options_post_logout_redirect_uri(leaving, MINE(bye));
    gk_logout_options_state(leaving, GK_TEXT("s"));
    MUST(gk_oauth_client_logout_url(own, leaving, &operation, &err));
    gk_logout_options_free(leaving);
    MUST(gk_operation_run(operation, http, &err));
    gk_buf url;
    MUST(gk_operation_result(operation, &url, &err));
    gk_operation_free(operation);
    char *end = browse("logout", url.data, bye);
    CHECK(strcmp(end, "http://127.0.0.1:9999/bye?state=s") == 0);
    free(end);
    gk_buf_free(&url);
    gk_oauth_tokens_free(first);
    gk_json_free(login);

    login = sign_in(own, options, &first);
    gk_login_options_free(options);
    MUST(gk_oauth_client_revoke(own, LENT(gk_oauth_tokens_refresh_token(first)), true, &operation,
                                &err));
    gk_json *nothing = ends(operation);
    CHECK(gk_json_kind_of(nothing) == GK_JSON_NULL);
    gk_json_free(nothing);
    MUST(gk_oauth_client_refresh(own, first, &operation, &err));
    fails(operation, GK_STATUS_OAUTH_INVALID_GRANT);
    gk_oauth_tokens_free(first);
    gk_json_free(login);
    gk_oauth_client_free(own);
}

static void a_device(void) {
    gk_oauth_client *own = client(registered("device"));
    gk_operation *codes, *operation;
    gk_token_grant *grant = granting("openid", NULL);
    MUST(gk_oauth_client_device_codes(own, grant, &codes, &err));
    gk_token_grant_free(grant);
    MUST(gk_operation_run(codes, http, &err));
    gk_json *shown;
    MUST(gk_operation_json(codes, &shown, &err));
    char *uri = strndup(LENT(member_of(shown, "verification_uri_complete")));
    char *page = browse("device", uri, "");
    CHECK(strstr(page, "Success") != NULL);
    MUST(gk_oauth_client_poll(own, codes, &operation, &err));
    gk_operation_free(codes);
    gk_json *json = ends(operation);
    CHECK(says(json, "subject", "alice"));
    gk_json_free(json);
    gk_json_free(shown);
    free(uri);
    free(page);
    gk_oauth_client_free(own);
}

static gk_oauth_tokens *machine_tokens(const gk_oauth_client *own, const gk_token_grant *grant) {
    gk_operation *operation;
    gk_oauth_tokens *tokens;
    MUST(gk_oauth_client_client_credentials(own, grant, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    MUST(gk_operation_tokens(operation, &tokens, &err));
    gk_operation_free(operation);
    return tokens;
}

static bool is_active(const gk_oauth_client *own, gk_str token, const char *client_id) {
    bool active = false;
    gk_operation *operation;
    MUST(gk_oauth_client_introspect(own, LENT(token), &operation, &err));
    gk_json *told = ends(operation);
    CHECK(gk_json_bool(gk_json_member(told, GK_TEXT("active")), &active));
    CHECK(!active || says(told, "client_id", client_id));
    gk_json_free(told);
    return active;
}

static gk_status knock(const gk_resource_server *door, const gk_oauth_tokens *tokens) {
    char header[4096];
    gk_buf access;
    const gk_str token = gk_oauth_tokens_access_token(tokens);
    snprintf(header, sizeof header, "Bearer %.*s", (int)token.len, token.data);
    const gk_status status = knock_at(door, header, &access, &err);
    gk_buf_free(&access);
    return status;
}

static void machines_and_keys_that_rotate(void) {
    gk_oauth_client *own = client(with_secret("m2m", SECRET));
    gk_oauth_client *asking = client(with_secret("rs", SECRET));
    gk_remote_key_set *keys;
    gk_resource_server *door;
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_remote_key_set_options_issuer(options, MINE(issuer));
    gk_remote_key_set_options_allow_loopback_http(options, true);
    MUST(gk_remote_key_set_new(options, http, &keys, &err));
    gk_remote_key_set_options_free(options);
    gk_resource_server_builder *builder = gk_resource_server_builder_new(GK_TEXT(API));
    gk_resource_server_builder_issuer(builder, MINE(issuer));
    gk_resource_server_builder_keys(builder, keys);
    gk_resource_server_builder_introspection(builder, asking, http);
    gk_resource_server_builder_require_audience(builder, false); /* this server names none */
    MUST(gk_resource_server_builder_build(builder, &door, &err));
    gk_resource_server_builder_free(builder);
    gk_token_grant *jwt = granting("api:read", API);
    gk_oauth_tokens *by_key = machine_tokens(own, jwt), *opaque = machine_tokens(own, NULL);
    CHECK(knock(door, by_key) == GK_STATUS_OK);
    CHECK(knock(door, opaque) == GK_STATUS_OK);

    gk_operation *operation;
    const gk_str token = gk_oauth_tokens_access_token(opaque);
    CHECK(token.len > 0);
    CHECK(is_active(asking, token, "m2m"));
    MUST(gk_oauth_client_revoke(own, LENT(token), false, &operation, &err));
    gk_json_free(ends(operation));
    CHECK(!is_active(asking, token, "m2m"));
    gk_token_grant *elsewhere = granting(NULL, "https://other.example");
    MUST(gk_oauth_client_client_credentials(own, elsewhere, &operation, &err));
    gk_token_grant_free(elsewhere);
    FAILS(GK_STATUS_OAUTH_REFUSED, gk_operation_run(operation, http, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_target"));
    gk_operation_free(operation);

    /* The server starts again with other keys; the first token of a new one is let in. */
    sigset_t again;
    int signal_number;
    sigemptyset(&again);
    sigaddset(&again, SIGUSR2);
    CHECK(kill(getppid(), SIGUSR1) == 0 && sigwait(&again, &signal_number) == 0);
    gk_oauth_tokens *newer = machine_tokens(own, jwt);
    CHECK(knock(door, newer) == GK_STATUS_OK);
    CHECK(knock(door, by_key) == GK_STATUS_KEY_NOT_FOUND);
    gk_token_grant_free(jwt);
    gk_oauth_tokens_free(newer);
    gk_oauth_tokens_free(by_key);
    gk_oauth_tokens_free(opaque);
    gk_resource_server_free(door);
    gk_remote_key_set_free(keys);
    gk_oauth_client_free(asking);
    gk_oauth_client_free(own);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    issuer = argv[1];
    browser = argv[2];
    sigset_t again;
    sigemptyset(&again);
    sigaddset(&again, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &again, NULL) == 0);
    http = local_http();
    clients();
    a_user();
    a_device();
    machines_and_keys_that_rotate();
    gk_http_free(http);
    return passed("oauth_real");
}
