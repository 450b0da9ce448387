/* Decides for a proxy, which asks about each request before it lets it through:
 *
 *   decide --socket PATH|--port N [--workers N] [--problem-header] NAME=SCOPES...
 *
 * such as `orders-read=orders:read` or `signed-in=`; several scopes are joined by commas, and all
 * are demanded. The proxy asks for /auth/NAME, and says by X-Forwarded-Method and X-Forwarded-For
 * what the client asks and from where. An answer of 200 says who calls, in the headers of NAMES,
 * all of them every time. GATEKEY_STORE, GATEKEY_PUBLIC_URL and GATEKEY_CSRF_SECRET_FILE are as in
 * examples/c-service, which logs in, refreshes and logs out. docs/proxies.md has the rest. */
#define _GNU_SOURCE
#include "../c-service/guarded.h"
#include "../c-service/serve.h"

#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MOST_DEMANDS = 64, LONGEST = 2048, MOST_HEADERS = 500 };

static struct {
    const char *name;
    size_t name_len;
    gk_guard_demand *demand;
} demands[MOST_DEMANDS];
static size_t demands_len;
static bool problem_header; /* nginx drops the body of a refusal */

/* The identity in headers. One space is an empty value: libmicrohttpd sends no shorter one. */
static const char *const NAMES[] = {"X-Gatekey-Subject", "X-Gatekey-Tenant", "X-Gatekey-Scopes",
                                    "X-Gatekey-Kind", "X-Gatekey-Key-Id"};
enum { IDENTITY = sizeof NAMES / sizeof *NAMES, SCOPES = 2 };

/* Appends what a header carries unchanged. A blank would be cut at the ends, and a line break
 * begins another header: what has one is not handed on. */
static bool append(char value[LONGEST], gk_str text) {
    size_t len = strlen(value);
    if (text.len >= LONGEST - len) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') return false;
        value[len++] = text.data[i];
    }
    value[len] = 0;
    return true;
}

static bool identity(const gk_access *who, char values[IDENTITY][LONGEST]) {
    const gk_str texts[IDENTITY] = {gk_access_subject(who), gk_access_tenant(who),
                                    gk_access_scopes_len(who) == 0 ? (gk_str){NULL, 0}
                                                                   : gk_access_scope_at(who, 0),
                                    gk_access_kind_name(who), gk_access_key_id(who)};
    for (size_t i = 0; i < IDENTITY; i++) {
        values[i][0] = 0;
        if (!append(values[i], texts[i])) return false;
    }
    for (size_t i = 1; i < gk_access_scopes_len(who); i++) {
        const size_t len = strlen(values[SCOPES]);
        if (len + 1 >= LONGEST) return false;
        values[SCOPES][len] = ' ', values[SCOPES][len + 1] = 0;
        if (!append(values[SCOPES], gk_access_scope_at(who, i))) return false;
    }
    for (size_t i = 0; i < IDENTITY; i++)
        if (values[i][0] == 0) strcpy(values[i], " ");
    return texts[0].len > 0;
}

/* /auth/NAME, or /auth/NAME/... of a proxy that appends the client's path, which decides nothing.
 */
static const gk_guard_demand *demand_at(const char *path) {
    if (strncmp(path, "/auth/", 6) != 0) return NULL;
    const size_t len = strcspn(path += 6, "/");
    for (size_t i = 0; i < demands_len; i++)
        if (demands[i].name_len == len && memcmp(demands[i].name, path, len) == 0)
            return demands[i].demand;
    return NULL;
}

/* The client's method: a proxy that does not say it, or that adds to what the client says, is
 * refused, for methods decide whether another site may have caused a request. */
static gk_str method_of(const struct asked *asked) {
    static const char NAME[] = "X-Forwarded-Method";
    gk_str found = {NULL, 0};
    for (size_t i = 0; i < asked->request.headers_len; i++) {
        const gk_header *header = &asked->headers[i];
        if (header->name.len != sizeof NAME - 1 ||
            strncasecmp(header->name.data, NAME, sizeof NAME - 1) != 0)
            continue;
        if (found.len > 0) return (gk_str){NULL, 0};
        found = header->value;
    }
    return found;
}

/* 503, and not 404 or 500: some proxies hand those on, and the client can do nothing about it. */
static gk_status unavailable(const char *why, gk_guard_decision **decision, gk_error *error) {
    fprintf(stderr, "%s\n", why);
    gk_guard_decision_free(*decision);
    return gk_guard_refuse(guard, GK_STATUS_STORE_UNAVAILABLE, demands[0].demand, decision, error);
}

static bool says_when(const gk_guard_decision *decision) {
    for (size_t i = 0; i < gk_guard_decision_headers_len(decision); i++)
        if (strcasecmp(gk_guard_decision_header_at(decision, i).name.data, "Retry-After") == 0)
            return true;
    return false;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept) {
    static int begun;
    struct asked asked;
    gk_guard_decision *decision = NULL;
    gk_error why;
    gk_status status;
    char values[IDENTITY][LONGEST];
    const char *own[2 * IDENTITY + 1] = {NULL};
    (void)cls, (void)version, (void)data, (void)size;
    if (*kept == NULL && !has_body(connection)) {
        *kept = &begun;
        return MHD_YES;
    }
    const gk_guard_demand *demand = demand_at(path);
    ask(&asked, connection, method, path);
    asked.request.method = method_of(&asked);
    /* 431, and the proxy's header may be among those that were left out. */
    if (asked.request.headers_len > MOST_HEADERS) asked.request.method = (gk_str){"POST", 4};
    if (demand == NULL)
        status = unavailable("the proxy asks for a NAME that is not known", &decision, &why);
    else if (asked.request.method.len == 0)
        status = unavailable("the proxy sends no X-Forwarded-Method, or two", &decision, &why);
    else
        status = gk_guard_check(guard, &asked.request, demand, &decision, &why);
    if (!status && !identity(gk_guard_decision_access(decision), values))
        status = unavailable("an identity that no header can carry", &decision, &why);
    if (status) fprintf(stderr, "%s: %s\n", gk_status_name(status), why.message);
    for (size_t i = 0; !status && i < IDENTITY; i++)
        own[2 * i] = NAMES[i], own[2 * i + 1] = values[i];
    if (status && problem_header)
        own[0] = "X-Gatekey-Problem", own[1] = gk_guard_decision_body(decision).data;
    if (status && gk_guard_decision_http_status(decision) == 503 && !says_when(decision)) {
        const size_t i = problem_header ? 2 : 0;
        own[i] = "Retry-After", own[i + 1] = "1";
    }
    return answer(connection, decision, 200, own, (gk_str){NULL, 0});
}

/* For the proxy's group alone. */
static int listening_at(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat there;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof at.sun_path) fprintf(stderr, "a shorter PATH, please\n"), exit(2);
    strcpy(at.sun_path, path);
    if (stat(path, &there) == 0 && S_ISSOCK(there.st_mode)) unlink(path); /* of one that ended */
    const mode_t mask = umask(0117);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 512))
        perror(path), exit(1);
    umask(mask);
    return fd;
}

/* NAME=SCOPE,SCOPE... */
static bool add_demand(const char *text) {
    const size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    gk_guard_demand_builder *builder;
    if (len == 0 || text[len] != '=' || demands_len == MOST_DEMANDS) return false;
    builder = gk_guard_demand_builder_new();
    for (const char *scope = text + len + 1; *scope != 0;) {
        const size_t scope_len = strcspn(scope, ",");
        gk_guard_demand_builder_scope(builder, scope, scope_len);
        scope += scope_len + (scope[scope_len] == ',');
    }
    demands[demands_len].name = text, demands[demands_len].name_len = len;
    must(gk_guard_demand_builder_build(builder, &demands[demands_len++].demand, &err));
    gk_guard_demand_builder_free(builder);
    return true;
}

int main(int argc, char **argv) {
    const char *socket_path = NULL;
    long port = -1, workers = 0;
    bool good = true;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(word, "--socket") == 0)
            socket_path = next, i++;
        else if (strcmp(word, "--port") == 0)
            port = strtol(next, NULL, 10), i++;
        else if (strcmp(word, "--workers") == 0)
            workers = strtol(next, NULL, 10), i++;
        else if (strcmp(word, "--problem-header") == 0)
            problem_header = true;
        else
            good &= add_demand(word);
    }
    if (!good || demands_len == 0 || (socket_path == NULL) == (port < 0) || port > 65535 ||
        workers < 0 || workers > MOST_WORKERS)
        fprintf(stderr, "usage: decide --socket PATH|--port N [--workers N] [--problem-header] "
                        "NAME=SCOPES...\n"),
            exit(2);
    const char *url = getenv("GATEKEY_STORE"), *path = getenv("GATEKEY_CSRF_SECRET_FILE");
    const char *origin = getenv("GATEKEY_PUBLIC_URL");
    uint8_t secret[32];
    FILE *file = path == NULL ? NULL : fopen(path, "rb");
    if (url == NULL || origin == NULL || file == NULL || fread(secret, sizeof secret, 1, file) != 1)
        fprintf(stderr, "no GATEKEY_STORE, _PUBLIC_URL or _CSRF_SECRET_FILE with 32 bytes\n"),
            exit(2);
    fclose(file);
    /* Only the proxy can reach the socket, or is meant to reach the port. */
    open_guard(url, origin, socket_path ? "unix" : "127.0.0.1", secret, NULL);
    explicit_bzero(secret, sizeof secret);
    const int fd = socket_path ? listening_at(socket_path) : listening((uint16_t)port);
    const int code = run(fd, (int)workers, NULL, handle, NULL);
    while (demands_len > 0) gk_guard_demand_free(demands[--demands_len].demand);
    gk_guard_free(guard);
    gk_key_ring_free(ring);
    gk_store_free(store);
    return code;
}
