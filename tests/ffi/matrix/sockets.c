/* The guard's matrix, sent over a socket to a server: status, headers and body are those of the
 * golden file, byte for byte. A server that takes no cookies does not see those that are sent.
 *
 * usage: matrix ROOT [PATH], the directory of the repository; PATH is of a Unix socket */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "../guard_rows.h"
#include "../listen.h"
#include "door.h"

#include <pthread.h>
#include <sys/un.h>

/* ---- the server that knows opaque tokens ---- */

static struct world *_Atomic asked_world;

static void *introspects(void *listening) {
    const int listener = *(int *)listening;
    for (;;) {
        static char request[65536];
        char answer[1024];
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0) return NULL;
        (void)read_request(peer, request, sizeof request);
        const struct world *world = asked_world;
        if (world == NULL) return close(peer), NULL;
        const int size = world->is_gone
                             ? 0
                             : snprintf(answer, sizeof answer,
                                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: "
                                        "application/json\r\ncontent-length: %zu\r\n\r\n%s",
                                        strlen(world->answer), world->answer);
        CHECK(send(peer, answer, (size_t)size, MSG_NOSIGNAL) == size);
        close(peer);
    }
}

/* ---- a client ---- */

static const char *unix_path;
static int port;

static int connected(int at_port, const char *path) {
    const int fd = socket(path == NULL ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at_port)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (path != NULL) strcpy(un.sun_path, path);
    const int failed = path == NULL ? connect(fd, (struct sockaddr *)&in, sizeof in)
                                    : connect(fd, (struct sockaddr *)&un, sizeof un);
    CHECK(failed == 0);
    return fd;
}

struct seen {
    char text[16384];
    int status;
    char *headers, *body; /* of text; each line ends with a NUL, the last is empty */
};

/* Where a target is served: of a demand for other kinds, by a path. */
static void path_of(const char *target, char *path, size_t size) {
    snprintf(path, size, target[0] == '/' ? "%s" : "/but-%s", target);
    for (char *at = path; *at; at++)
        if (*at == ' ') *at = '-';
}

static void ask_raw(const struct row *row, struct seen *seen) {
    static char sent[16384];
    char path[64];
    path_of(row->target, path, sizeof path);
    size_t length =
        (size_t)snprintf(sent, sizeof sent, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s",
                         row->method, path, is(row->method, "GET") ? "" : "Content-Length: 0\r\n");
    for (size_t i = 0; i < row->sent.request.headers_len; i++) {
        const gk_header header = row->sent.headers[i];
        length += (size_t)snprintf(sent + length, sizeof sent - length, "%.*s: %.*s\r\n",
                                   (int)header.name.len, header.name.data, (int)header.value.len,
                                   header.value.data);
    }
    length += (size_t)snprintf(sent + length, sizeof sent - length, "\r\n");
    const int fd = connected(port, unix_path);
    CHECK(send(fd, sent, length, MSG_NOSIGNAL) == (ssize_t)length);
    size_t got = 0;
    for (ssize_t more; (more = recv(fd, seen->text + got, sizeof seen->text - 1 - got, 0)) > 0;)
        got += (size_t)more;
    close(fd);
    seen->text[got] = 0;
    CHECK(strncmp(seen->text, "HTTP/1.1 ", 9) == 0);
    seen->status = (int)strtol(seen->text + 9, NULL, 10);
    char *end = strstr(seen->text, "\r\n\r\n");
    CHECK(end != NULL);
    seen->body = end + 4, end[2] = 0, end[3] = 0;
    seen->headers = strstr(seen->text, "\r\n") + 2;
    for (char *at = seen->headers; (at = strstr(at, "\r\n")) != NULL; at += 2) at[0] = 0, at[1] = 1;
}

static char *next_line(char *line) {
    line += strlen(line) + 1;
    return *line == 1 ? line + 1 : line;
}

/* ---- answers ---- */

/* Whether a header is the server's own, or the application's. */
static bool is_of_the_server(gk_str name, bool allowed) {
    static const char *const THEIRS[] = {"connection", "content-length", "date", "keep-alive"};
    for (size_t i = 0; i < sizeof THEIRS / sizeof *THEIRS; i++)
        if (same_name(name, (gk_str){THEIRS[i], strlen(THEIRS[i])})) return true;
    return allowed && (same_name(name, (gk_str){GK_TEXT("content-type")}) ||
                       same_name(name, (gk_str){GK_TEXT("accept-ranges")}));
}

/* Whether the answer has exactly these headers, `Vary`, and what the server adds. */
static bool has_headers(struct seen *seen, const gk_json *wanted) {
    const char *vary =
        door_has_cookies() ? "Authorization, Cookie, X-API-Key" : "Authorization, X-API-Key";
    size_t found = 0, varies = 0;
    for (char *line = seen->headers; *line; line = next_line(line)) {
        const char *colon = strstr(line, ": ");
        CHECK(colon != NULL);
        const gk_str name = {line, (size_t)(colon - line)}, value = {colon + 2, strlen(colon + 2)};
        bool is_wanted = is_of_the_server(name, seen->status == 200);
        if (is_wanted) continue;
        if (same_name(name, (gk_str){GK_TEXT("vary")})) {
            varies += str_is(value, vary);
            continue;
        }
        for (size_t i = 0; i < gk_json_len(wanted); i++) {
            const gk_json *values = gk_json_at(wanted, i);
            if (!same_name(name, gk_json_name_at(wanted, i))) continue;
            for (size_t j = 0; j < gk_json_len(values); j++)
                is_wanted |= same(value, gk_json_text(gk_json_at(values, j)));
        }
        if (!is_wanted) return false;
        found++;
    }
    size_t all = 0;
    for (size_t i = 0; i < gk_json_len(wanted); i++) all += gk_json_len(gk_json_at(wanted, i));
    return varies == 1 && found == all;
}

size_t says_who(const gk_access *who, char *json, size_t size) {
    static const char *const BY[] = {"null", "\"cookie\"", "\"key\"", "\"bearer\""};
    const gk_str kind = gk_access_kind_name(who), subject = gk_access_subject(who);
    const char *quote = subject.data == NULL ? "" : "\"";
    int length =
        snprintf(json, size, "{\"by\":%s,\"kind\":%s%.*s%s,\"scopes\":[",
                 BY[gk_access_proved_by(who)], kind.data ? "\"" : "", kind.data ? (int)kind.len : 4,
                 kind.data ? kind.data : "null", kind.data ? "\"" : "");
    for (size_t i = 0; i < gk_access_scopes_len(who); i++) {
        const gk_str scope = gk_access_scope_at(who, i);
        length += snprintf(json + length, size - (size_t)length, "%s\"%.*s\"", i > 0 ? "," : "",
                           (int)scope.len, scope.data);
    }
    length +=
        snprintf(json + length, size - (size_t)length, "],\"subject\":%s%.*s%s}", quote,
                 subject.data ? (int)subject.len : 4, subject.data ? subject.data : "null", quote);
    return (size_t)length;
}

/* Whether the body of an application says this. */
static bool says(const char *body, const gk_json *wanted) {
    gk_json *said = NULL;
    if (gk_json_parse(body, strlen(body), &said, &err)) return false;
    const gk_json *scopes = gk_json_member(said, GK_TEXT("scopes"));
    const gk_json *wanted_scopes = gk_json_member(wanted, GK_TEXT("scopes"));
    bool equal = gk_json_len(said) == 4 && gk_json_len(scopes) == gk_json_len(wanted_scopes);
    static const char *const TEXTS[] = {"by", "kind", "subject"};
    for (size_t i = 0; i < 3; i++)
        equal = equal && same(gk_json_text(gk_json_member(said, TEXTS[i], strlen(TEXTS[i]))),
                              gk_json_text(gk_json_member(wanted, TEXTS[i], strlen(TEXTS[i]))));
    for (size_t i = 0; equal && i < gk_json_len(scopes); i++)
        equal =
            same(gk_json_text(gk_json_at(scopes, i)), gk_json_text(gk_json_at(wanted_scopes, i)));
    gk_json_free(said);
    return equal;
}

static bool as_wanted(struct seen *seen, const gk_json *wanted) {
    int64_t number = 0;
    CHECK(gk_json_integer(gk_json_member(wanted, GK_TEXT("status")), &number));
    const gk_json *body = gk_json_member(wanted, GK_TEXT("body"));
    return seen->status == number &&
           has_headers(seen, gk_json_member(wanted, GK_TEXT("headers"))) &&
           (number == 200 ? says(seen->body, body)
                          : same((gk_str){seen->body, strlen(seen->body)}, gk_json_text(body)));
}

/* ---- the rows ---- */

static const char *const TARGETS[] = {
    "/orders",         "/tenant", "/optional", "/public",        "/limited",       "/any",
    "/limited-public", "api key", "opaque",    "session cookie", "session bearer", "foreign jwt"};
enum { TARGETS_LEN = sizeof TARGETS / sizeof *TARGETS };

struct opened {
    struct world world;
    struct guarded guarded;
    struct route routes[TARGETS_LEN];
    char paths[TARGETS_LEN][64];
};

static void open_door(struct opened *opened, bool in_a_file) {
    begin(&opened->world, in_a_file);
    const struct world *world = &opened->world;
    for (size_t i = 0; i < TARGETS_LEN; i++) {
        path_of(TARGETS[i], opened->paths[i], sizeof opened->paths[i]);
        opened->routes[i] = (struct route){opened->paths[i], demand_of(TARGETS[i])};
    }
    opened->guarded = (struct guarded){.guard = world->guard,
                                       .keys = world->keys,
                                       .sessions = world->sessions,
                                       .revocations = world->revocations,
                                       .cookies = world->cookies,
                                       .tokens = world->tokens,
                                       .origin = OWN,
                                       .metadata_url = OWN "/.well-known/oauth-protected-resource",
                                       .now = now,
                                       .routes = opened->routes,
                                       .routes_len = TARGETS_LEN};
    if (unix_path != NULL) unlink(unix_path);
    port = door_open(&opened->guarded, unix_path);
    CHECK(port >= 0);
    asked_world = &opened->world;
}

static void close_door(struct opened *opened) {
    door_close();
    for (size_t i = 0; i < TARGETS_LEN; i++) gk_guard_demand_free(opened->routes[i].demand);
    end(&opened->world);
}

/* What a server without cookies answers where they are sent, NULL for the row's own. */
static const char *without_cookies(const char *kind, const char *name, const struct row *row) {
    if (door_has_cookies() || !is(kind, "session cookie") || is(name, "public")) return NULL;
    if (is(row->target, "/optional")) return "optional";
    return is(name, "two") ? NULL : "none";
}

/* The challenge of a demand for no scope says none. */
static bool is_needed(const struct seen *seen) {
    return seen->status == 401 && strstr(seen->body, "\"code\":\"missing_credentials\"") != NULL;
}

static bool answers_as(struct opened *opened, const gk_json *golden, const char *kind,
                       const char *name, const gk_json *wanted) {
    static struct row row;
    static struct seen seen;
    now_seconds = 1800000000;
    make(&opened->world, &row, kind, name);
    if (row.before != NULL) row.before(&opened->world);
    for (int i = 0; i < row.times; i++) ask_raw(&row, &seen);
    /* The parser of the server refuses it. */
    if (is(name, "control") && !door_lets_controls_in()) return seen.status == 400;
    const char *instead = without_cookies(kind, name, &row);
    if (instead != NULL)
        wanted =
            gk_json_member(gk_json_member(golden, GK_TEXT("nothing")), instead, strlen(instead));
    bool right = as_wanted(&seen, wanted);
    if (instead != NULL && !is(row.target, "/orders") && !right) right = is_needed(&seen);
    /* Of two credentials, one is a cookie that is not looked at. */
    if (!door_has_cookies() && is(kind, "session cookie") && is(name, "two"))
        right = seen.status == 200 && strstr(seen.body, "\"api_key\"") != NULL;
    if (!right) {
        fprintf(stderr, "%s, %s: %d\n", kind, name, seen.status);
        for (char *line = seen.headers; *line; line = next_line(line))
            fprintf(stderr, "  %s\n", line);
        fprintf(stderr, "  %s\n", seen.body);
    }
    return right;
}

int main(int argc, char **argv) {
    static struct opened opened;
    char kind[64], name[64], endpoint[64];
    int wrong = 0, rows = 0;
    unsigned own_port = 0;
    pthread_t introspecting;
    CHECK(argc == 2 || argc == 3);
    if (argc == 3) unix_path = argv[2];
    int listener = listen_here(&own_port);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/introspect", own_port);
    introspected_at = endpoint;
    CHECK(pthread_create(&introspecting, NULL, introspects, &listener) == 0);
    gk_json *golden = golden_of(argv[1]);
    /* First the rows that change nothing; then each of the others in a world of its own. */
    open_door(&opened, true);
    for (int apart = 0; apart < 2; apart++) {
        for (size_t i = 0; i < gk_json_len(golden); i++) {
            const gk_json *of_kind = gk_json_at(golden, i);
            const gk_str of = gk_json_name_at(golden, i);
            snprintf(kind, sizeof kind, "%.*s", (int)of.len, of.data);
            for (size_t j = 0; j < gk_json_len(of_kind); j++) {
                const gk_str own = gk_json_name_at(of_kind, j);
                snprintf(name, sizeof name, "%.*s", (int)own.len, own.data);
                if (is_alone(name) != (apart == 1)) continue;
                if (apart) open_door(&opened, is(name, "store gone"));
                wrong += !answers_as(&opened, golden, kind, name, gk_json_at(of_kind, j));
                if (apart) close_door(&opened);
                rows++;
            }
        }
        if (apart == 0) close_door(&opened);
    }
    asked_world = NULL;
    close(connected((int)own_port, NULL));
    pthread_join(introspecting, NULL);
    close(listener);
    gk_json_free(golden);
    CHECK(rows == 108);
    CHECK(wrong == 0);
    return passed("matrix");
}
