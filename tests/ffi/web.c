/* Cookies and CSRF tokens from C: every call, every attribute, wrong arguments. */
#include "check.h"

#define STR(literal)                                                                               \
    { "" literal, sizeof(literal) - 1 }

#define WRONG GK_STATUS_INVALID_ARGUMENT

static gk_cookie *made(const char *name, const gk_cookie_attributes *attributes) {
    gk_error err;
    gk_cookie *cookie = NULL;
    MUST(gk_cookie_new(name, strlen(name), attributes, &cookie, &err));
    return cookie;
}

static void is_set(gk_cookie *cookie, const char *header) {
    gk_error err;
    gk_buf out;
    MUST(gk_cookie_set(cookie, GK_TEXT("v"), &out, &err));
    CHECK(buf_is(out, header));
    gk_buf_free(&out);
    gk_cookie_free(cookie);
}

static void cookies(void) {
    gk_error err;
    gk_buf out;
    gk_str value;
    gk_cookie *cookie = made("__Host-a", NULL);
    MUST(gk_cookie_clear(cookie, &out, &err));
    CHECK(buf_is(out, "__Host-a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
                      "HttpOnly; Secure; SameSite=Lax"));
    gk_buf_free(&out);
    const char *header = "b=2; __Host-a=v";
    MUST(gk_cookie_read(cookie, header, strlen(header), &value, &err));
    CHECK(str_is(value, "v") && value.data == header + 14);
    MUST(gk_cookie_read(cookie, GK_TEXT("b=2"), &value, &err));
    CHECK(value.data == NULL && value.len == 0);
    MUST(gk_cookie_read(cookie, NULL, 0, &value, &err));
    CHECK(value.data == NULL);
    FAILS(GK_STATUS_MALFORMED_COOKIE,
          gk_cookie_read(cookie, GK_TEXT("__Host-a=1; __Host-a=2"), &value, &err));
    CHECK(value.data == NULL && gk_status_http(GK_STATUS_MALFORMED_COOKIE) == 400);
    FAILS(GK_STATUS_MALFORMED_COOKIE, gk_cookie_read(cookie, GK_TEXT("a=\xff"), &value, &err));
    FAILS(WRONG, gk_cookie_set(cookie, GK_TEXT("a b"), &out, &err));
    FAILS(WRONG, gk_cookie_set(cookie, GK_TEXT("a\r\nSet-Cookie: b=1"), &out, &err));
    CHECK(out.data == NULL);
    is_set(cookie, "__Host-a=v; Path=/; HttpOnly; Secure; SameSite=Lax");

    gk_cookie_attributes all = {0};
    is_set(made("a", &all), "a=v; Path=/; HttpOnly; Secure; SameSite=Lax");
    const gk_str path = STR("/api"), domain = STR("example.com");
    all.path = path;
    all.domain = domain;
    all.max_age = 60;
    all.same_site = GK_SAME_SITE_NONE;
    all.flags = GK_COOKIE_FOR_SCRIPTS | GK_COOKIE_PARTITIONED;
    is_set(made("a", &all),
           "a=v; Path=/api; Domain=example.com; Max-Age=60; Secure; SameSite=None; "
           "Partitioned");
    all.same_site = GK_SAME_SITE_STRICT;
    all.flags = GK_COOKIE_DANGER_ALLOW_HTTP;
    is_set(made("a", &all), "a=v; Path=/api; Domain=example.com; Max-Age=60; HttpOnly; "
                            "SameSite=Strict");

    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_cookie_new(GK_TEXT("__Host-a"), &all, &cookie, &err));
    CHECK(cookie == NULL);
    all.flags = 8;
    FAILS(WRONG, gk_cookie_new(GK_TEXT("a"), &all, &cookie, &err));
    all.flags = 0;
    all.same_site = 3;
    FAILS(WRONG, gk_cookie_new(GK_TEXT("a"), &all, &cookie, &err));
    all.same_site = GK_SAME_SITE_LAX;
    all.path.data = NULL;
    FAILS(WRONG, gk_cookie_new(GK_TEXT("a"), &all, &cookie, &err));
    FAILS(WRONG, gk_cookie_new(NULL, 1, NULL, &cookie, &err));
    FAILS(WRONG, gk_cookie_new(GK_TEXT("\xff"), NULL, &cookie, &err));
    FAILS(WRONG, gk_cookie_new(GK_TEXT("a"), NULL, NULL, &err));
    FAILS(WRONG, gk_cookie_set(NULL, GK_TEXT("a"), &out, &err));
    FAILS(WRONG, gk_cookie_clear(NULL, &out, &err));
    FAILS(WRONG, gk_cookie_read(NULL, GK_TEXT("a"), &value, &err));
    gk_cookie_free(NULL);
}

static void requests(void) {
    static const uint8_t SECRET[32] = {1, 2, 3};
    gk_error err;
    gk_csrf *csrf = NULL, *friendly = NULL;
    gk_buf token;
    MUST(gk_csrf_new(SECRET, sizeof SECRET, 0, &csrf, &err));
    MUST(gk_csrf_issue(csrf, GK_TEXT("s1"), &token, &err));
    CHECK(token.len == 64);
    const gk_str post = STR("POST"), get = STR("GET"), cross = STR("cross-site"),
                 same = STR("same-site"), here = STR("https://a.example"), host = STR("a.example"),
                 garbage = STR("\xff"), no_text = {NULL, 1}, brought = {token.data, token.len};
    gk_csrf_request request = {0};
    request.method = post;
    request.token = brought;
    MUST(gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s2"), &request, &err));
    CHECK(strstr(err.message, token.data) == NULL);
    CHECK(gk_status_http(err.status) == 403 && gk_status_is_rejected(err.status));
    memset(&request.token, 0, sizeof request.token);
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.token = garbage;
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.token = brought;
    request.sec_fetch_site = cross;
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.sec_fetch_site = garbage;
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.method = get;
    memset(&request.token, 0, sizeof request.token);
    MUST(gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.token = brought;
    request.method = post;
    request.sec_fetch_site = same;
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    MUST(gk_csrf_new(SECRET, sizeof SECRET, GK_CSRF_ALLOW_SAME_SITE | GK_CSRF_DANGER_ALLOW_HTTP,
                     &friendly, &err));
    MUST(gk_csrf_check(friendly, GK_TEXT("s1"), &request, &err));
    memset(&request.sec_fetch_site, 0, sizeof request.sec_fetch_site);
    request.origin = here;
    FAILS(WRONG, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.host = host;
    MUST(gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.host = here;
    FAILS(GK_STATUS_CSRF_REJECTED, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));

    gk_csrf *none = csrf;
    FAILS(GK_STATUS_WEAK_KEY, gk_csrf_new(SECRET, 31, 0, &none, &err));
    CHECK(none == NULL);
    FAILS(WRONG, gk_csrf_new(SECRET, sizeof SECRET, 4, &none, &err));
    FAILS(WRONG, gk_csrf_new(NULL, 32, 0, &none, &err));
    FAILS(WRONG, gk_csrf_new(SECRET, sizeof SECRET, 0, NULL, &err));
    gk_buf nothing;
    FAILS(WRONG, gk_csrf_issue(csrf, NULL, 0, &nothing, &err));
    CHECK(nothing.data == NULL);
    FAILS(WRONG, gk_csrf_issue(NULL, GK_TEXT("s1"), &nothing, &err));
    FAILS(WRONG, gk_csrf_check(NULL, GK_TEXT("s1"), &request, &err));
    FAILS(WRONG, gk_csrf_check(csrf, GK_TEXT("s1"), NULL, &err));
    FAILS(GK_STATUS_MISSING_CREDENTIALS, gk_csrf_check(csrf, NULL, 0, &request, &err));
    request.token = no_text;
    FAILS(WRONG, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    request.token = brought;
    request.host.data = NULL;
    FAILS(WRONG, gk_csrf_check(csrf, GK_TEXT("s1"), &request, &err));
    gk_buf_free(&token);
    gk_csrf_free(friendly);
    gk_csrf_free(csrf);
    gk_csrf_free(NULL);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "web.c", "gk_cookie_") == 5);
    CHECK(calls_all(argv[1], "web.c", "gk_csrf_") == 4);
    cookies();
    requests();
    return passed("web");
}
