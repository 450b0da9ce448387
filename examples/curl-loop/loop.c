/* Users sign in, calls to an API want a token of the service's own, tokens are asked about: many at
 * a time, in one thread that never waits for a server.
 *
 *   loop ISSUER BROWSER [HOW-MANY [DEADLINE-MS [CA-FILE]]]
 *
 * BROWSER is a command that signs in like a person; a web service sends the users' own browsers
 * instead. DEADLINE-MS is for each request. */
#define _GNU_SOURCE
#include "gk_curl.h"

#include "../must.h"

#include <fcntl.h>
#include <unistd.h>

#define CALLBACK "http://127.0.0.1:9999/cb"
enum { TICK_MS = 10 };

/* A user who signs in: what the browser was given. */
struct user {
    char *url, *cookie;
};

static struct gk_curl loop;
static gk_oauth_client *client;
static gk_token_manager *manager;
static struct user *users;
static size_t how_many = 50, begun, signed_in, got, active, failures;

/* ---- what becomes of operations ---- */

/* Says why one has failed, the first time, and how many there are in the end. */
static bool has_failed(const char *what, const gk_operation *operation, const gk_error *why) {
    if (why->status == GK_STATUS_OK) return false;
    const gk_str peer = gk_operation_peer_code(operation);
    printf("%s: %s (%.*s), try again in %u ms: %s\n", what, gk_status_name(why->status),
           (int)peer.len, peer.len ? peer.data : "", (unsigned)gk_operation_retry_after(operation),
           why->message);
    failures++;
    return true;
}

static void on_introspection(const gk_operation *operation, const gk_error *why, void *user) {
    gk_json *told;
    bool is_active = false;
    (void)user;
    if (has_failed("introspection", operation, why)) return;
    must(gk_operation_json(operation, &told, &err));
    if (gk_json_bool(gk_json_member(told, GK_TEXT("active")), &is_active) && is_active) active++;
    gk_json_free(told);
}

/* A call to an API has its token. Here, the server is asked about it. */
static void on_renewal(const gk_operation *operation, const gk_error *why, void *user) {
    gk_oauth_tokens *tokens;
    gk_operation *next;
    (void)user;
    if (has_failed("renewal", operation, why)) return;
    got++;
    must(gk_operation_tokens(operation, &tokens, &err));
    const gk_str token = gk_oauth_tokens_access_token(tokens);
    must(gk_oauth_client_introspect(client, token.data, token.len, &next, &err));
    gk_oauth_tokens_free(tokens);
    if (!gk_curl_start(&loop, next, on_introspection, NULL)) failures++;
}

static void on_finish(const gk_operation *operation, const gk_error *why, void *user) {
    (void)user;
    if (!has_failed("finish", operation, why)) signed_in++;
}

static char *copied(const gk_json *text) {
    const gk_str lent = gk_json_text(text);
    char *own = strndup(lent.data, lent.len);
    if (own == NULL) fprintf(stderr, "no memory\n"), exit(1);
    return own;
}

/* GET /login: a service answers with a redirect to the address, and sets the cookie. */
static void on_begin(const gk_operation *operation, const gk_error *why, void *user) {
    struct user *own = user;
    gk_json *json;
    begun++;
    if (has_failed("begin", operation, why)) return;
    must(gk_operation_json(operation, &json, &err));
    own->url = copied(gk_json_member(json, GK_TEXT("url")));
    own->cookie = copied(gk_json_at(gk_json_member(json, GK_TEXT("set_cookies")), 0));
    own->cookie[strcspn(own->cookie, ";")] = 0;
    gk_json_free(json);
}

/* GET /cb?code=...&state=..., with the cookie. */
static void came_back(const struct user *own, const char *callback) {
    gk_operation *operation;
    const gk_login_callback back = {callback, strlen(callback), own->cookie, strlen(own->cookie)};
    if (gk_oauth_client_finish(client, &back, &operation, &err))
        printf("callback: %s\n", err.message), failures++;
    else if (!gk_curl_start(&loop, operation, on_finish, NULL))
        failures++;
}

/* ---- the users' browser, whose answers are read as they come ---- */

static FILE *browser;
static char *answers; /* what has come of its lines, and where the first incomplete one begins */
static size_t answers_len, answers_read, came;

static void open_browser(const char *command) {
    char *all = NULL;
    size_t len = 0, known = 0;
    FILE *line = open_memstream(&all, &len);
    if (line == NULL) return;
    fprintf(line, "exec %s logins %s", command, CALLBACK);
    for (size_t i = 0; i < how_many; i++)
        if (users[i].url != NULL) known++, fprintf(line, " '%s'", users[i].url);
    fclose(line);
    if (known > 0) browser = popen(all, "r");
    if (browser != NULL) fcntl(fileno(browser), F_SETFL, O_NONBLOCK);
    free(all);
}

static void read_browser(void) {
    char part[4096];
    ssize_t n;
    while ((n = read(fileno(browser), part, sizeof part)) > 0) {
        char *grown = realloc(answers, answers_len + (size_t)n + 1);
        if (grown == NULL) return;
        answers = grown;
        memcpy(answers + answers_len, part, (size_t)n);
        answers[answers_len += (size_t)n] = 0;
    }
    for (char *end; answers != NULL && (end = strchr(answers + answers_read, '\n')) != NULL;) {
        *end = 0;
        while (came < how_many && users[came].url == NULL) came++;
        if (came < how_many) came_back(&users[came++], answers + answers_read);
        answers_read = (size_t)(end + 1 - answers);
    }
    if (n == 0) pclose(browser), browser = NULL;
}

/* ---- the loop ---- */

static void set_up(const char *issuer, long deadline_ms) {
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_issuer(config, issuer, strlen(issuer));
    gk_oauth_config_client_id(config, GK_TEXT("service"));
    gk_oauth_config_client_secret(config, GK_TEXT("a-secret-of-the-tests-0123456789abcdef"));
    gk_oauth_config_redirect_uri(config, CALLBACK, strlen(CALLBACK));
    gk_oauth_config_scopes(config, GK_TEXT("openid"));
    gk_oauth_config_allow_loopback_http(config, true); /* for this example: https in production */
    gk_oauth_config_deadline_ms(config, (uint64_t)deadline_ms);
    must(gk_oauth_client_new(config, &client, &err));
    gk_oauth_config_free(config);
    gk_token_manager_options *options = gk_token_manager_options_new();
    gk_token_manager_options_client_credentials(options, NULL);
    must(gk_token_manager_new(client, NULL, options, &manager, &err)); /* it never waits */
    gk_token_manager_options_free(options);
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 6)
        return fprintf(stderr, "usage: loop ISSUER BROWSER [HOW-MANY [DEADLINE-MS [CA-FILE]]]\n"),
               2;
    if (argc > 3) how_many = strtoul(argv[3], NULL, 10);
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return EXIT_FAILURE;
    if (!gk_curl_begin(&loop, argc > 5 ? argv[5] : NULL)) return EXIT_FAILURE;
    users = calloc(how_many + 1, sizeof *users);
    if (users == NULL) return EXIT_FAILURE;
    set_up(argv[1], argc > 4 ? strtol(argv[4], NULL, 10) : 10000);
    for (size_t i = 0; i < how_many; i++) {
        gk_operation *log_in, *token;
        must(gk_oauth_client_begin(client, NULL, NULL, 0, &log_in, &err));
        must(gk_token_manager_renewal(manager, GK_TEXT("api"), 60, &token, &err));
        if (!gk_curl_start(&loop, log_in, on_begin, &users[i])) failures++;
        if (!gk_curl_start(&loop, token, on_renewal, NULL)) failures++;
    }
    /* Something else that the loop has to do: a timer. */
    size_t ticks = 0;
    uint64_t next_tick = gk_curl_now() + TICK_MS;
    bool is_sent = false;
    while (loop.count > 0 || browser != NULL) {
        gk_curl_work(&loop);
        if (browser != NULL) read_browser();
        if (begun == how_many && !is_sent) is_sent = true, open_browser(argv[2]);
        const uint64_t now = gk_curl_now();
        if (now >= next_tick) ticks++, next_tick = now + TICK_MS;
        struct curl_waitfd extra = {browser != NULL ? fileno(browser) : -1, CURL_WAIT_POLLIN, 0};
        curl_multi_poll(loop.multi, &extra, browser != NULL,
                        gk_curl_timeout(&loop, (int)(next_tick - now)), NULL);
    }
    printf("%zu signed in, %zu tokens, %zu of them active, %zu failures, %zu ticks\n", signed_in,
           got, active, failures, ticks);
    for (size_t i = 0; i < how_many; i++) free(users[i].url), free(users[i].cookie);
    free(users);
    free(answers);
    gk_curl_end(&loop);
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
    curl_global_cleanup();
    return failures > 0 || signed_in < how_many ? EXIT_FAILURE : EXIT_SUCCESS;
}
