/* Attacks on the seams between a server and the guard, through the C ABI: requests that other sites
 * have caused, headers that servers squeeze and clients plant, addresses, limits. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "guarded.h"

/* A post of our cookie with these of the headers that browsers write, the token in its header or in
 * a form's field; the status. */
static int posted(const struct jar *jar, const char *origin, const char *site, const char *token,
                  const char *field) {
    gk_guard_demand *read = demanding("orders:read");
    asks(&sent, "POST", "/orders");
    adds_cookies(jar);
    if (origin != NULL) adds(&sent, "Origin", "%s", origin);
    if (site != NULL) adds(&sent, "Sec-Fetch-Site", "%s", site);
    if (token != NULL) adds(&sent, "X-CSRF-Token", "%s", token);
    if (field != NULL) sent.request.csrf_field = (gk_str){field, strlen(field)};
    const int status = http(read);
    gk_guard_demand_free(read);
    return status;
}

static void forged_requests(void) {
    const struct jar jar = logged_in("alice"), other = logged_in("bob");
    const char *token = jar.values[2];
    CHECK(posted(&jar, OWN, NULL, token, NULL) == 200);
    CHECK(posted(&jar, OWN ":443", NULL, token, NULL) == 200);
    CHECK(posted(&jar, NULL, "same-origin", token, NULL) == 200);
    CHECK(posted(&jar, OWN, NULL, NULL, NULL) == 403);
    CHECK(posted(&jar, OWN, NULL, "", NULL) == 403);
    CHECK(posted(&jar, OWN, NULL, other.values[2], NULL) == 403);
    static const char *const ORIGINS[] = {"null", "https://evil.test", "http://shop.example",
                                          "https://shop.example.",
                                          "https://shop.example.evil.test"};
    for (size_t i = 0; i < sizeof ORIGINS / sizeof *ORIGINS; i++)
        CHECK(posted(&jar, ORIGINS[i], NULL, token, NULL) == 403);
    CHECK(posted(&jar, NULL, "same-site", token, NULL) == 403);
    CHECK(posted(&jar, NULL, "cross-site", token, NULL) == 403);
    /* A form of a page without scripts. The header goes first. */
    CHECK(posted(&jar, "null", "same-origin", NULL, token) == 200);
    CHECK(posted(&jar, "null", NULL, NULL, token) == 403);
    CHECK(posted(&jar, OWN, NULL, NULL, "") == 403);
    CHECK(posted(&jar, OWN, NULL, NULL, other.values[2]) == 403);
    CHECK(posted(&jar, OWN, NULL, "wrong", token) == 403);

    /* No other header switches the check off. */
    gk_guard_demand *read = demanding("orders:read");
    static const char *const OTHERS[][2] = {
        {"X-Requested-With", "XMLHttpRequest"}, {"Content-Type", "text/plain"},
        {"X-HTTP-Method-Override", "GET"},      {"Authorization", "Basic eDp5"},
        {"Authorization", "Bearer junk"},       {"X-API-Key", "junk"}};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        asks(&sent, "POST", "/orders");
        adds_cookies(&jar);
        adds(&sent, OTHERS[i][0], "%s", OTHERS[i][1]);
        const int status = http(read);
        CHECK(status == 401 || status == 403);
    }
    /* Four methods are safe, exactly so. */
    static const char *const METHODS[] = {"GET", "HEAD",  "OPTIONS", "TRACE", "PUT",
                                          "get", "QUERY", "pOST",    ""};
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        asks(&sent, METHODS[i], "/orders");
        adds_cookies(&jar);
        CHECK(http(read) == (i < 4 ? 200 : 403));
    }
    gk_guard_demand_free(read);
    /* A demand may ask always, or never. */
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_csrf_always(builder);
    gk_guard_demand *always = built(builder);
    builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_danger_no_csrf(builder);
    gk_guard_demand *never = built(builder);
    asks(&sent, "GET", "/orders");
    adds_cookies(&jar);
    CHECK(http(always) == 403);
    asks(&sent, "POST", "/orders");
    adds_cookies(&jar);
    CHECK(http(never) == 200);
    gk_guard_demand_free(never);
    gk_guard_demand_free(always);
}

static void websockets(void) {
    const struct jar jar = logged_in("alice");
    gk_guard_demand *read = demanding("orders:read");
    static const char *const ORIGINS[] = {
        NULL, "null", "https://evil.test", "http://shop.example", "https://shop.example.evil.test",
        OWN};
    for (size_t i = 0; i < sizeof ORIGINS / sizeof *ORIGINS; i++) {
        for (int by_header = 0; by_header < 2; by_header++) {
            asks(&sent, "GET", "/live");
            adds_cookies(&jar);
            if (ORIGINS[i] != NULL) adds(&sent, "Origin", "%s", ORIGINS[i]);
            if (by_header)
                adds(&sent, "Upgrade", "websocket");
            else
                sent.request.flags = GK_GUARD_UPGRADE;
            CHECK(http(read) == (i == 5 ? 200 : 403));
        }
    }
    gk_buf key = new_key(NULL, 0);
    asks(&sent, "GET", "/live");
    adds(&sent, "X-API-Key", "%s", key.data);
    sent.request.flags = GK_GUARD_UPGRADE;
    CHECK(http(read) == 200);
    gk_buf_free(&key);
    gk_guard_demand_free(read);
}

/* ---- headers ---- */

static void headers_that_are_squeezed_or_planted(void) {
    const struct jar jar = logged_in("alice"), other = logged_in("bob");
    const char *token = jar.values[0];
    gk_guard_demand *read = demanding("orders:read");
    gk_buf key = new_key(NULL, 0);
    /* As several lines, which end in a semicolon. */
    asks(&sent, "GET", "/orders");
    adds(&sent, "cookie", "a=b;");
    adds(&sent, "COOKIE", "__Host-access=%s;", token);
    adds(&sent, "Cookie", "z=1;");
    CHECK(http(read) == 200);
#define ANSWERED(status, name, ...)                                                                \
    asks(&sent, "GET", "/orders");                                                                 \
    adds(&sent, name, __VA_ARGS__);                                                                \
    CHECK(http(read) == (status))
    ANSWERED(400, "Cookie", "__Host-access=%s; __Host-access=B", token);
    ANSWERED(400, "Cookie", "__Host-access=B; __Host-access=%s", token);
    ANSWERED(400, "Authorization", "Bearer %s, Bearer %s", token, other.values[0]);
    ANSWERED(400, "X-API-Key", "%s,%s", key.data, key.data);
    ANSWERED(200, "authorization", "bearer %s", token);
    ANSWERED(200, "AUTHORIZATION", "BEARER  %s ", token); /* RFC 9110 section 11.4 */
    ANSWERED(401, "Authorization", "Bearer %s x", token);
    ANSWERED(401, "Authorization", "Bearer\t%s", token);
    ANSWERED(200, "Authorization", "Api-Key %s", key.data);
    ANSWERED(401, "X_API_Key", "%s", key.data);
    ANSWERED(401, "X-Gatekey-Subject", "%s", "root");
    ANSWERED(400, "Authorization", "Bearer %s\r\nX: y", token);
    static const char *const PLANTED[] = {
        "\xa0__Host-access=B",        "\x85__Host-access=B", "\"__Host-access\"=B",
        "=__Host-access=B",           "__HOST-access=B",     "$Version=1",
        "\xe2\x80\x80__Host-access=B"};
    for (size_t i = 0; i < sizeof PLANTED / sizeof *PLANTED; i++) {
        ANSWERED(200, "Cookie", "%s; __Host-access=%s", PLANTED[i], token);
        ANSWERED(401, "Cookie", "%s", PLANTED[i]);
    }
    /* Twice; two of different callers; a good one beside a bad one. */
    static const struct {
        const char *one, *other;
        int status;
    } TWO[] = {{"key", "key", 400},    {"bearer", "bearer", 400}, {"cookie", "bob", 400},
               {"cookie", "key", 400}, {"cookie", "junk", 401},   {"key", "junk", 401}};
    for (size_t i = 0; i < sizeof TWO / sizeof *TWO; i++) {
        asks(&sent, "GET", "/orders");
        for (int second = 0; second < 2; second++) {
            const char *what = second ? TWO[i].other : TWO[i].one;
            if (strcmp(what, "key") == 0) adds(&sent, "X-API-Key", "%s", key.data);
            if (strcmp(what, "cookie") == 0) adds(&sent, "Cookie", "__Host-access=%s", token);
            if (strcmp(what, "bearer") == 0) adds(&sent, "Authorization", "Bearer %s", token);
            if (strcmp(what, "bob") == 0)
                adds(&sent, "Authorization", "Bearer %s", other.values[0]);
            if (strcmp(what, "junk") == 0) adds(&sent, "Authorization", "Bearer a.b.c");
        }
        CHECK(http(read) == TWO[i].status);
    }
    gk_buf_free(&key);
    gk_guard_demand_free(read);
}

static void many_headers(void) {
    static gk_header many[600];
    gk_guard_demand *read = demanding("orders:read");
    gk_buf key = new_key(NULL, 0);
    const gk_header own = {{GK_TEXT("X-API-Key")}, {key.data, key.len}};
    for (size_t i = 0; i < 600; i++) many[i] = (gk_header){{GK_TEXT("X-Other")}, {GK_TEXT("1")}};
    /* The last one counts, on both sides of what needs no allocation; beyond 500 nothing does. */
    static const size_t COUNTS[] = {1, 31, 32, 33, 34, 499, 500, 501, 600};
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        const size_t count = COUNTS[i];
        asks(&sent, "GET", "/orders");
        many[count - 1] = own;
        sent.request.headers = many, sent.request.headers_len = count;
        CHECK(http(read) == (count <= 500 ? 200 : 431));
        many[count - 1] = many[count == 600 ? 0 : 599];
        sent.request.headers_len = count - 1;
        CHECK(http(read) == (count <= 501 ? 401 : 431));
    }
    /* Too long; a name that is empty. */
    static char long_text[140000];
    memset(long_text, 'x', sizeof long_text);
    many[0] = (gk_header){{GK_TEXT("X-Other")}, {long_text, sizeof long_text}};
    many[1] = own;
    sent.request.headers_len = 2;
    CHECK(http(read) == 431);
    many[0] = (gk_header){{"", 0}, {GK_TEXT("1")}};
    CHECK(http(read) == 400);
    many[0] = (gk_header){{GK_TEXT("X-API-Key ")}, {GK_TEXT("1")}};
    CHECK(http(read) == 400);
    /* Bytes after a NUL belong to the value. */
    many[0] = (gk_header){{GK_TEXT("Accept\0X")}, {GK_TEXT("1\0002")}};
    CHECK(http(read) == 200);
    many[0] = (gk_header){{GK_TEXT("Origin")}, {GK_TEXT("a\0b")}};
    CHECK(http(read) == 400);
    gk_buf_free(&key);
    gk_guard_demand_free(read);
}

static void nothing_is_echoed(void) {
    static const char *const SENT[][2] = {{"Authorization", "Bearer x\"><svg>"},
                                          {"X-API-Key", "gk_live_\"><svg>"},
                                          {"Cookie", "__Host-access=<svg>"}};
    gk_guard_demand *read = demanding("orders:read");
    for (size_t i = 0; i < sizeof SENT / sizeof *SENT; i++) {
        gk_guard_decision *decision = NULL;
        asks(&sent, "GET", "/x\"><svg>");
        adds(&sent, SENT[i][0], "%s", SENT[i][1]);
        CHECK(decided(&world, &sent.request, read, &decision) != GK_STATUS_OK);
        CHECK(gk_guard_decision_error(decision, &err) != GK_STATUS_OK);
        CHECK(strstr(err.message, "svg") == NULL);
        CHECK(strstr(gk_guard_decision_body(decision).data, "svg") == NULL);
        for (size_t at = 0; at < gk_guard_decision_headers_len(decision); at++)
            CHECK(strstr(gk_guard_decision_header_at(decision, at).value.data, "svg") == NULL);
        CHECK(str_is(gk_guard_decision_header(decision, GK_TEXT("x-content-type-options")),
                     "nosniff"));
        gk_guard_decision_free(decision);
    }
    gk_guard_demand_free(read);
}

/* ---- addresses and limits ---- */

/* What a request with this key is answered, from this peer, with this X-Forwarded-For. */
static int through(const gk_guard *guard, const gk_buf *key, const char *peer, const char *name,
                   const char *said, uint32_t flags) {
    gk_guard_demand *read = demanding("orders:read");
    asks(&sent, "GET", "/orders");
    adds(&sent, "X-API-Key", "%s", key->data);
    if (name != NULL) adds(&sent, name, "%s", said);
    sent.request.peer = (gk_str){peer, peer == NULL ? 0 : strlen(peer)};
    sent.request.flags = flags;
    const int status = http_by(guard, read);
    gk_guard_demand_free(read);
    return status;
}

static void addresses(void) {
    static const char *const FORWARDED = "X-Forwarded-For", *const CLIENT = "198.51.100.7";
    gk_buf key = new_key("198.51.100.0/24", 0), any = new_key(NULL, 0);
    gk_guard_builder *builder = guarding(&world);
    gk_guard_builder_trusted_proxy(builder, GK_TEXT("10.0.0.0/8"));
    gk_guard *behind = guard_of(builder);
    CHECK(through(world.guard, &key, CLIENT, NULL, NULL, 0) == 200);
    CHECK(through(world.guard, &key, "198.51.100.7:4711", NULL, NULL, 0) == 200);
    CHECK(through(world.guard, &key, "::ffff:198.51.100.7", NULL, NULL, 0) == 200);
    CHECK(through(world.guard, &key, "10.0.0.2", FORWARDED, CLIENT, 0) == 403);
    static const char *const NO_ADDRESS[] = {NULL, "", "unix:", "@", "unknown", "\xff"};
    for (size_t i = 0; i < sizeof NO_ADDRESS / sizeof *NO_ADDRESS; i++) {
        CHECK(through(world.guard, &key, NO_ADDRESS[i], FORWARDED, CLIENT, 0) == 403);
        CHECK(through(world.guard, &any, NO_ADDRESS[i], NULL, NULL, 0) == 200);
    }
    CHECK(through(behind, &key, "10.0.0.2", FORWARDED, CLIENT, 0) == 200);
    CHECK(through(behind, &key, "10.0.0.2", FORWARDED, "198.51.100.7, 10.0.0.1", 0) == 200);
    CHECK(through(behind, &key, "10.0.0.2", FORWARDED, "198.51.100.7, 203.0.113.5", 0) == 403);
    CHECK(through(behind, &key, "203.0.113.9", FORWARDED, CLIENT, 0) == 403);
    static const char *const ALIASES[] = {"X_Forwarded_For", "X.Forwarded.For", "Forwarded", "Via"};
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
        CHECK(through(behind, &key, "10.0.0.2", ALIASES[i], CLIENT, 0) == 403);
    /* Where names collapse, a client may have sent it. */
    CHECK(through(behind, &key, "10.0.0.2", FORWARDED, CLIENT, GK_GUARD_COLLAPSED_NAMES) == 403);
    gk_guard_free(behind);
    builder = guarding(&world);
    gk_guard_builder_trusted_proxy(builder, GK_TEXT("unix"));
    gk_guard_builder_exact_names(builder);
    gk_guard_builder_forwarded_header(builder, GK_TEXT("Forwarded"));
    behind = guard_of(builder);
    CHECK(through(behind, &key, "", "Forwarded", "for=198.51.100.7", 0) == 200);
    CHECK(through(behind, &key, "", "Forwarded", "for=198.51.100.7", GK_GUARD_COLLAPSED_NAMES) ==
          200);
    CHECK(through(behind, &key, NULL, "Forwarded", "for=198.51.100.7", 0) == 403);
    CHECK(through(behind, &key, "", FORWARDED, CLIENT, 0) == 403);
    gk_guard_free(behind);
    gk_buf_free(&key);
    gk_buf_free(&any);
}

static gk_guard_demand *limited(const char *name, const char *rate) {
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_public(builder);
    gk_guard_demand_builder_limit(builder, name, strlen(name), rate, strlen(rate));
    return built(builder);
}

static int from(const gk_guard_demand *demand, const char *peer) {
    asks(&sent, "POST", "/log-in");
    sent.request.peer = (gk_str){peer, strlen(peer)};
    return http(demand);
}

static void limits(void) {
    gk_guard_demand *one = limited("log-in", "2/min"), *same = limited("log-in", "2/min");
    CHECK(from(one, "2001:db8::1") == 200 && from(same, "2001:db8::2") == 200);
    CHECK(from(one, "2001:db8::3") == 429 && from(same, "2001:db8::ffff:1") == 429);
    CHECK(err.retry_after_ms == 30000);
    CHECK(from(one, "2001:db8:0:1::1") == 200);
    CHECK(from(one, "192.0.2.1") == 200 && from(one, "::ffff:192.0.2.1") == 200);
    CHECK(from(one, "192.0.2.1") == 429 && from(one, "192.0.2.2") == 200);
    gk_guard_demand_free(same);
    gk_guard_demand_free(one);
    /* A refusal costs nothing: neither the key's rate nor the action's. */
    gk_buf key = new_key(NULL, 2);
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_limit(builder, GK_TEXT("act"), GK_TEXT("2/min"));
    gk_guard_demand_builder_scope(builder, GK_TEXT("other"));
    gk_guard_demand *never = built(builder);
    builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_limit(builder, GK_TEXT("act"), GK_TEXT("2/min"));
    gk_guard_demand *act = built(builder);
    builder = gk_guard_demand_builder_new();
    gk_guard_demand_builder_cost(builder, 0);
    gk_guard_demand *free_of_cost = built(builder);
    asks(&sent, "GET", "/orders");
    adds(&sent, "X-API-Key", "%s", key.data);
    for (int i = 0; i < 5; i++) CHECK(http(never) == 403);
    for (int i = 0; i < 5; i++) CHECK(http(free_of_cost) == 200);
    CHECK(http(act) == 200 && http(act) == 200 && http(act) == 429);
    gk_guard_demand_free(free_of_cost);
    gk_guard_demand_free(act);
    gk_guard_demand_free(never);
    gk_buf_free(&key);
}

int main(void) {
    begin(&world, false);
    forged_requests();
    websockets();
    headers_that_are_squeezed_or_planted();
    many_headers();
    nothing_is_echoed();
    addresses();
    limits();
    end(&world);
    return passed("guard_attacks");
}
