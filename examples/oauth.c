/* Sign in with another server, and call an API with its token: oauth-c ISSUER BROWSER. BROWSER is a
 * command that signs in like a person; a web service sends the user's own browser instead. */
#define _DEFAULT_SOURCE
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "https://api.example.test"

static gk_error err;

/* A string member of a flat piece of JSON, copied; a service uses its own JSON library. */
static char *member(const char *json, const char *name) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *start = strstr(json, quoted);
    if (start == NULL) return strdup("");
    start += strlen(quoted);
    return strndup(start, strcspn(start, "\""));
}

/* What the browser ends up with: the address of the callback. */
static char *browse(const char *browser, const char *url) {
    char command[8192], callback[8192] = "";
    snprintf(command, sizeof command, "%s login '%s' http://127.0.0.1:9999/cb", browser, url);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(callback, sizeof callback, pipe) == NULL) return strdup("");
    pclose(pipe);
    callback[strcspn(callback, "\n")] = 0;
    return strdup(callback);
}

/* The API: who may see the orders. */
static void orders(const gk_resource_server *api, const char *authorization) {
    gk_buf access, challenge;
    const gk_status status =
        gk_resource_server_check(api, authorization, strlen(authorization), GK_TEXT("api:read"),
                                 NULL, 0, -1, NULL, 0, &access, &challenge, &err);
    if (status == GK_STATUS_OK) {
        char *subject = member(access.data, "subject");
        printf("GET /orders: 200, the orders of %s\n", subject);
        free(subject);
    } else {
        printf("GET /orders: %d, WWW-Authenticate: %s\n", (int)gk_status_http(status),
               challenge.data ? challenge.data : "");
    }
    gk_buf_free(&access);
    gk_buf_free(&challenge);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: oauth-c ISSUER BROWSER\n"), 2;
    char config[1024], options[512], door[512];
    snprintf(config, sizeof config,
             "{\"issuer\":\"%s\",\"client_id\":\"web-basic\",\"allow_loopback_http\":true,"
             "\"client_secret\":\"a-secret-of-the-tests-0123456789abcdef\","
             "\"redirect_uri\":\"http://127.0.0.1:9999/cb\",\"scopes\":[\"openid\",\"api:read\"]}",
             argv[1]);
    snprintf(options, sizeof options, "{\"issuer\":\"%s\",\"allow_loopback_http\":true}", argv[1]);
    snprintf(door, sizeof door, "{\"audience\":\"" API "\",\"issuer\":\"%s\"}", argv[1]);

    gk_http *http = NULL;
    gk_oauth_client *client = NULL;
    gk_operation *begun = NULL, *finished = NULL;
    gk_remote_key_set *keys = NULL;
    gk_resource_server *api = NULL;
    gk_buf begin = {0}, login = {0};
    if (gk_http_new(GK_TEXT("{\"allow_loopback_http\":true}"), &http, &err) ||
        gk_oauth_client_new(config, strlen(config), &client, &err) ||
        gk_oauth_client_begin(client,
                              GK_TEXT("{\"resources\":[\"" API "\"],\"prompt\":\"consent\"}"), NULL,
                              0, &begun, &err) ||
        gk_operation_run(begun, http, &err) || gk_operation_result(begun, &begin, &err))
        goto failed;
    char *url = member(begin.data, "url");
    const char *set = strstr(begin.data, "\"set_cookies\":[\"") + 16; /* kept by the browser */
    char *cookie = strndup(set, strcspn(set, ";"));
    char *callback = browse(argv[2], url);
    gk_status status = gk_oauth_client_finish(client, callback, strlen(callback), cookie,
                                              strlen(cookie), &finished, &err);
    free(url);
    free(cookie);
    free(callback);
    if (status || gk_operation_run(finished, http, &err) ||
        gk_operation_result(finished, &login, &err) ||
        gk_remote_key_set_new(options, strlen(options), http, &keys, &err) ||
        gk_resource_server_new(door, strlen(door), keys, NULL, NULL, NULL, NULL, NULL, &api, &err))
        goto failed;

    char *subject = member(login.data, "subject"), *token = member(login.data, "access_token");
    char header[4096];
    snprintf(header, sizeof header, "Bearer %s", token);
    printf("%s signed in\n", subject);
    orders(api, header);
    orders(api, "");
    free(subject);
    free(token);
failed:
    if (err.status && api == NULL)
        fprintf(stderr, "%s: %s\n", gk_status_name(err.status), err.message);
    const bool fine = api != NULL;
    gk_buf_free(&begin);
    gk_buf_free(&login);
    gk_resource_server_free(api);
    gk_remote_key_set_free(keys);
    gk_operation_free(begun);
    gk_operation_free(finished);
    gk_oauth_client_free(client);
    gk_http_free(http);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
