/* C against the certified authorization server: oauth_real ISSUER BROWSER, started by run.py. Every
 * way to authenticate a client, log-in, refresh and reuse, pushed requests, machines, devices, what
 * becomes of tokens, keys that rotate, log-out. */
#define _GNU_SOURCE
#include "door.h"

#include <signal.h>
#include <unistd.h>

#define SECRET "a-secret-of-the-tests-0123456789abcdef"
#define CALLBACK "http://127.0.0.1:9999/cb"
#define API "https://api.example.test"

static gk_error err;
static const char *issuer, *browser;
static gk_http *http;

/* A string member of a flat piece of JSON, copied. */
static char *member(gk_buf json, const char *name) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *start = json.data == NULL ? NULL : strstr(json.data, quoted);
    CHECK(start != NULL);
    start += strlen(quoted);
    return strndup(start, strcspn(start, "\""));
}

static bool says(gk_buf json, const char *name, const char *value) {
    char *own = member(json, name);
    const bool same = strcmp(own, value) == 0;
    free(own);
    return same;
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

static gk_oauth_client *client(const char *id, const char *more) {
    char config[4096];
    snprintf(config, sizeof config,
             "{\"issuer\":\"%s\",\"client_id\":\"%s\",\"redirect_uri\":\"" CALLBACK "\","
             "\"scopes\":[\"openid\",\"offline_access\"],\"allow_loopback_http\":true%s}",
             issuer, id, more);
    gk_oauth_client *made;
    MUST(gk_oauth_client_new(config, strlen(config), &made, &err));
    return made;
}

#define WITH_SECRET ",\"client_secret\":\"" SECRET "\""

/* Takes an operation to its end, and frees it. */
static gk_buf ends(gk_operation *operation) {
    gk_buf json;
    MUST(gk_operation_run(operation, http, &err));
    MUST(gk_operation_result(operation, &json, &err));
    gk_operation_free(operation);
    return json;
}

static void fails(gk_operation *operation, gk_status status) {
    FAILS(status, gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
}

static gk_buf sign_in(const gk_oauth_client *own, const char *options) {
    gk_operation *operation;
    MUST(gk_oauth_client_begin(own, options, strlen(options), NULL, 0, &operation, &err));
    gk_buf begun = ends(operation);
    char *url = member(begun, "url");
    const char *set = strstr(begun.data, "\"set_cookies\":[\"") + 16;
    char *cookie = strndup(set, strcspn(set, ";"));
    char *callback = browse("login", url, CALLBACK);
    MUST(gk_oauth_client_finish(own, callback, strlen(callback), cookie, strlen(cookie), &operation,
                                &err));
    free(url);
    free(cookie);
    free(callback);
    gk_buf_free(&begun);
    return ends(operation);
}

/* The object behind `"tokens":` at the end of a log-in. */
static gk_str tokens(gk_buf login) {
    const char *start = strstr(login.data, "\"tokens\":");
    CHECK(start != NULL);
    start += 9;
    return (gk_str){start, (size_t)(login.data + login.len - 1 - start)};
}

static void clients(void) {
    char key[2048] = "", with_key[2400];
    FILE *file = fopen(getenv("RP_KEY"), "r");
    CHECK(file != NULL && fread(key, 1, sizeof key - 1, file) > 0);
    fclose(file);
    snprintf(with_key, sizeof with_key, ",\"private_key\":%s", key);
    char pushed[512];
    snprintf(pushed, sizeof pushed,
             WITH_SECRET ",\"pushed_authorization_request_endpoint\":\"%s/request\"", issuer);
    const char *ways[][2] = {
        {"web-basic", WITH_SECRET ",\"token_endpoint_auth_method\":\"client_secret_basic\""},
        {"web+odd:id", ",\"client_secret\":\"p@ss w0rd:/+%=a-secret-of-the-tests\""},
        {"web-post", WITH_SECRET ",\"token_endpoint_auth_method\":\"client_secret_post\""},
        {"web-csjwt", WITH_SECRET ",\"token_endpoint_auth_method\":\"client_secret_jwt\""},
        {"web-pkjwt", with_key},
        {"web-public", ",\"token_endpoint_auth_method\":\"none\""},
        {"par-only", pushed},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        gk_oauth_client *own = client(ways[i][0], ways[i][1]);
        gk_buf login = sign_in(own, "{}");
        CHECK(says(login, "subject", "alice"));
        gk_buf_free(&login);
        gk_oauth_client_free(own);
    }
}

static void a_user(void) {
    gk_oauth_client *own = client("web-logout", WITH_SECRET);
    gk_operation *operation;
    gk_buf login = sign_in(own, "{\"prompt\":\"consent\",\"return_to\":\"/orders\"}");
    CHECK(says(login, "return_to", "/orders"));
    const gk_str first = tokens(login);
    MUST(gk_oauth_client_userinfo(own, LENT(first), &operation, &err));
    gk_buf info = ends(operation);
    CHECK(says(info, "subject", "alice"));
    gk_buf_free(&info);
    MUST(gk_oauth_client_refresh(own, LENT(first), &operation, &err));
    gk_buf second = ends(operation);
    char *before = member(login, "refresh_token"), *after = member(second, "refresh_token");
    CHECK(strcmp(before, after) != 0);
    free(before);
    free(after);
    /* The first one again ends all of them. */
    MUST(gk_oauth_client_refresh(own, LENT(first), &operation, &err));
    FAILS(GK_STATUS_OAUTH_INVALID_GRANT, gk_operation_run(operation, http, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_grant"));
    gk_operation_free(operation);
    MUST(gk_oauth_client_refresh(own, second.data, second.len, &operation, &err));
    fails(operation, GK_STATUS_OAUTH_INVALID_GRANT);
    gk_buf_free(&second);

    char *id_token = member(login, "id_token");
    const char *bye = "http://127.0.0.1:9999/bye";
    MUST(gk_oauth_client_logout_url(own, id_token, strlen(id_token), bye, strlen(bye), GK_TEXT("s"),
                                    &operation, &err));
    gk_buf url = ends(operation);
    char *end = browse("logout", url.data, bye);
    CHECK(strcmp(end, "http://127.0.0.1:9999/bye?state=s") == 0);
    free(end);
    free(id_token);
    gk_buf_free(&url);
    gk_buf_free(&login);

    login = sign_in(own, "{\"prompt\":\"consent\"}");
    char *refresh_token = member(login, "refresh_token");
    MUST(gk_oauth_client_revoke(own, refresh_token, strlen(refresh_token), true, &operation, &err));
    gk_buf nothing = ends(operation);
    CHECK(nothing.len == 0);
    gk_buf_free(&nothing);
    MUST(gk_oauth_client_refresh(own, LENT(tokens(login)), &operation, &err));
    fails(operation, GK_STATUS_OAUTH_INVALID_GRANT);
    free(refresh_token);
    gk_buf_free(&login);
    gk_oauth_client_free(own);
}

static void a_device(void) {
    gk_oauth_client *own = client("device", "");
    gk_operation *codes, *operation;
    MUST(gk_oauth_client_device_codes(own, GK_TEXT("{\"scopes\":[\"openid\"]}"), &codes, &err));
    MUST(gk_operation_run(codes, http, &err));
    gk_buf shown;
    MUST(gk_operation_result(codes, &shown, &err));
    char *uri = member(shown, "verification_uri_complete");
    char *page = browse("device", uri, "");
    CHECK(strstr(page, "Success") != NULL);
    MUST(gk_oauth_client_poll(own, codes, &operation, &err));
    gk_operation_free(codes);
    gk_buf json = ends(operation);
    CHECK(says(json, "subject", "alice"));
    gk_buf_free(&json);
    gk_buf_free(&shown);
    free(uri);
    free(page);
    gk_oauth_client_free(own);
}

static gk_buf machine_token(const gk_oauth_client *own, const char *grant) {
    gk_operation *operation;
    MUST(gk_oauth_client_client_credentials(own, grant, strlen(grant), &operation, &err));
    gk_buf json = ends(operation), token;
    char *text = member(json, "access_token");
    gk_buf_free(&json);
    token.data = text;
    token.len = strlen(text);
    return token;
}

static gk_status knock(const gk_resource_server *door, gk_buf token) {
    char header[4096];
    gk_buf access;
    snprintf(header, sizeof header, "Bearer %s", token.data);
    const gk_status status = knock_at(door, header, &access, &err);
    gk_buf_free(&access);
    return status;
}

static void machines_and_keys_that_rotate(void) {
    const char *jwt = "{\"scopes\":[\"api:read\"],\"resources\":[\"" API "\"]}";
    gk_oauth_client *own = client("m2m", WITH_SECRET), *asking = client("rs", WITH_SECRET);
    char options[512], door_options[512];
    snprintf(options, sizeof options, "{\"issuer\":\"%s\",\"allow_loopback_http\":true}", issuer);
    snprintf(door_options, sizeof door_options, "{\"audience\":\"" API "\",\"issuer\":\"%s\"}",
             issuer);
    gk_remote_key_set *keys;
    gk_resource_server *door;
    MUST(gk_remote_key_set_new(options, strlen(options), http, &keys, &err));
    const struct door_parts parts = {.keys = keys, .asking = asking, .http = http};
    MUST(open_door(door_options, parts, &door, &err));
    gk_buf signed_token = machine_token(own, jwt), opaque = machine_token(own, "{}");
    CHECK(knock(door, signed_token) == GK_STATUS_OK);
    CHECK(knock(door, opaque) == GK_STATUS_OK);

    gk_operation *operation;
    MUST(gk_oauth_client_introspect(asking, opaque.data, opaque.len, &operation, &err));
    gk_buf told = ends(operation);
    CHECK(strstr(told.data, "\"active\":true") != NULL && says(told, "client_id", "m2m"));
    gk_buf_free(&told);
    MUST(gk_oauth_client_revoke(own, opaque.data, opaque.len, false, &operation, &err));
    gk_buf nothing = ends(operation);
    gk_buf_free(&nothing);
    MUST(gk_oauth_client_introspect(asking, opaque.data, opaque.len, &operation, &err));
    told = ends(operation);
    CHECK(strstr(told.data, "\"active\":false") != NULL);
    gk_buf_free(&told);
    MUST(gk_oauth_client_client_credentials(
        own, GK_TEXT("{\"resources\":[\"https://other.example\"]}"), &operation, &err));
    FAILS(GK_STATUS_OAUTH_REFUSED, gk_operation_run(operation, http, &err));
    CHECK(str_is(gk_operation_peer_code(operation), "invalid_target"));
    gk_operation_free(operation);

    /* The server starts again with other keys; the first token of a new one is let in. */
    sigset_t again;
    int signal_number;
    sigemptyset(&again);
    sigaddset(&again, SIGUSR2);
    CHECK(kill(getppid(), SIGUSR1) == 0 && sigwait(&again, &signal_number) == 0);
    gk_buf newer = machine_token(own, jwt);
    CHECK(knock(door, newer) == GK_STATUS_OK);
    CHECK(knock(door, signed_token) == GK_STATUS_KEY_NOT_FOUND);
    free(newer.data);
    free(signed_token.data);
    free(opaque.data);
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
    MUST(gk_http_new(GK_TEXT("{\"allow_loopback_http\":true}"), &http, &err));
    clients();
    a_user();
    a_device();
    machines_and_keys_that_rotate();
    gk_http_free(http);
    return passed("oauth_real");
}
