/* API keys from C: every call, every reason of refusal, wrong arguments, threads. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "check.h"
#include "peppered.h"

#include <pthread.h>
#include <unistd.h>

static const uint8_t PEPPER[32] = {1, 2, 3};

static uint64_t now_seconds = 1800000000;

static uint64_t now(void *user) {
    (void)user;
    return now_seconds;
}

static void released(void *user) { ++*(int *)user; }

static gk_api_keys *open_with(const char *url, bool strict) {
    gk_error err;
    gk_api_keys *keys = NULL;
    gk_api_key_options *options = gk_api_key_options_new();
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    gk_api_key_options_prefix(options, GK_TEXT("acme"));
    gk_api_key_options_env(options, GK_TEXT("test"));
    gk_api_key_options_strict(options, strict);
    gk_api_key_options_max_stale(options, 10);
    gk_api_key_options_clock(options, now, NULL, NULL);
    MUST(gk_store_api_keys(store, options, &keys, &err));
    gk_api_key_options_free(options);
    gk_store_free(store);
    return keys;
}

static gk_api_keys *open_keys(const char *url) { return open_with(url, true); }

static gk_api_key_spec *owned(const char *owner) {
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, owner, strlen(owner));
    return spec;
}

/* The id in a key's text: acme_test_<id>_... */
static void id_of(const gk_buf *secret, char id[13]) {
    CHECK(secret->len == 59);
    memcpy(id, secret->data + 10, 12);
    id[12] = 0;
}

static gk_issued_api_key created(const gk_api_keys *keys, const gk_api_key_spec *spec) {
    gk_error err;
    gk_issued_api_key issued;
    char id[13];
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    CHECK(strstr(issued.record.data, "\"status\":\"active\"") != NULL);
    CHECK(strstr(issued.record.data, issued.secret.data + 23) == NULL);
    id_of(&issued.secret, id);
    CHECK(strcmp(issued.key_id, id) == 0);
    return issued;
}

static bool is_zero(const gk_issued_api_key *issued) {
    static const char NONE[GK_API_KEY_ID_SIZE];
    return issued->secret.data == NULL && issued->secret.len == 0 && issued->record.data == NULL &&
           issued->record.len == 0 && memcmp(issued->key_id, NONE, sizeof NONE) == 0;
}

static gk_status verified(const gk_api_keys *keys, const gk_buf *key, const gk_api_key_check *needs,
                          const char *ip, gk_api_key_result *result) {
    gk_error err;
    const gk_api_key_request request = {{key->data, key->len}, {ip, ip ? strlen(ip) : 0}};
    const gk_status status = gk_api_keys_verify(keys, &request, needs, result, &err);
    CHECK(result->status == status && err.status == status);
    CHECK(result->retry_after_ms == err.retry_after_ms);
    CHECK(result->http_status == gk_status_http(status));
    // The key is named if and only if its secret was proved.
    const bool proved =
        status != GK_STATUS_MALFORMED_API_KEY && status != GK_STATUS_BAD_API_KEY_SECRET;
    const bool named = result->key_id[0] != 0;
    CHECK(status == GK_STATUS_UNKNOWN_API_KEY || proved == named);
    CHECK(strcmp(gk_error_api_key_id(&err), status == GK_STATUS_OK ? "" : result->key_id) == 0);
    CHECK(status == GK_STATUS_OK || result->owner[0] == 0);
    return status;
}

#define NOTHING "{\"records\":[],\"cursor\":null}"

/* A page of keys, or of their audit, holds this text. */
static void lists(const gk_api_keys *keys,
                  gk_status (*call)(const gk_api_keys *, const gk_filter *, gk_buf *, gk_error *),
                  const gk_filter *which, const char *part) {
    gk_error err;
    gk_buf page;
    MUST(call(keys, which, &page, &err));
    CHECK(strstr(page.data, part) != NULL);
    gk_buf_free(&page);
}

static void lives(const char *url) {
    gk_error err;
    gk_api_key_result result;
    gk_api_keys *keys = open_keys(url);
    gk_api_keys *boss = NULL;
    char id[13];
    MUST(gk_api_keys_acting_as(keys, GK_TEXT("boss"), &boss, &err));

    gk_api_key_spec *spec = owned("acme \xc3\xa9");
    gk_api_key_spec_name(spec, GK_TEXT("CI"));
    gk_api_key_spec_tenant(spec, GK_TEXT("north"));
    gk_api_key_spec_meta(spec, GK_TEXT("{\"plan\":\"gold\"}"));
    gk_api_key_spec_scope(spec, GK_TEXT("read"));
    gk_api_key_spec_scope(spec, GK_TEXT("write"));
    gk_api_key_spec_cidr(spec, GK_TEXT("10.0.0.0/8"));
    gk_api_key_spec_not_before(spec, now_seconds - 1);
    gk_api_key_spec_expires_in(spec, 100);
    gk_api_key_spec_rate(spec, 5, 60);
    gk_api_key_spec_credits(spec, 4, 1, 60);
    gk_issued_api_key secret = created(boss, spec);
    id_of(&secret.secret, id);

    // Its owner's, of its tenant: for others it does not exist.
    const gk_api_key_owner own = {{GK_TEXT("acme \xc3\xa9")}, {GK_TEXT("north")}},
                           untenanted = {{GK_TEXT("acme \xc3\xa9")}, {NULL, 0}};
    gk_api_keys *owned_keys = NULL, *others = NULL;
    gk_buf record;
    MUST(gk_api_keys_owned_by(keys, &own, &owned_keys, &err));
    MUST(gk_api_keys_owned_by(keys, &untenanted, &others, &err));
    FAILS(GK_STATUS_API_KEY_NOT_FOUND, gk_api_keys_revoke(others, id, 12, NULL, 0, &err));
    FAILS(GK_STATUS_API_KEY_NOT_FOUND, gk_api_keys_get(others, id, 12, &record, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_keys_audit(owned_keys, NULL, &record, &err));
    MUST(gk_api_keys_get(owned_keys, id, 12, &record, &err));
    gk_buf_free(&record);
    gk_api_keys_free(owned_keys);
    gk_api_keys_free(others);

    gk_api_key_check *needs = gk_api_key_check_new();
    gk_api_key_check_scope(needs, GK_TEXT("read"));
    gk_api_key_check_scope(needs, GK_TEXT("write"));
    gk_api_key_check_tenant(needs, GK_TEXT("north"));
    gk_api_key_check_cost(needs, 2);
    CHECK(verified(keys, &secret.secret, needs, "10.1.2.3", &result) == GK_STATUS_OK);
    CHECK(strcmp(result.key_id, id) == 0 && strcmp(result.owner, "acme \xc3\xa9") == 0);
    CHECK(strcmp(result.tenant, "north") == 0 && result.expires_at == now_seconds + 100);
    CHECK(verified(keys, &secret.secret, needs, "11.1.2.3", &result) == GK_STATUS_API_KEY_ADDRESS);
    /* An unknown address, also by a text that a stranger may have written. */
    const char *unknown[] = {NULL, "localhost", "10.1.2.3:80", " 10.1.2.3", "caf\xE9"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK(verified(keys, &secret.secret, needs, unknown[i], &result) ==
              GK_STATUS_API_KEY_ADDRESS);
        CHECK(result.http_status == 403);
    }
    CHECK(verified(keys, &secret.secret, needs, "::ffff:10.1.2.3", &result) == GK_STATUS_OK);
    CHECK(verified(keys, &secret.secret, needs, "10.1.2.3", &result) == GK_STATUS_RATE_LIMITED);
    CHECK(result.retry_after_ms > 0 && result.http_status == 429);
    now_seconds += 59;
    CHECK(verified(keys, &secret.secret, needs, "10.1.2.3", &result) ==
          GK_STATUS_CREDITS_EXHAUSTED);
    CHECK(result.retry_after_ms == 1000);
    gk_api_key_check_scope(needs, GK_TEXT("admin"));
    CHECK(verified(keys, &secret.secret, needs, "10.1.2.3", &result) ==
          GK_STATUS_INSUFFICIENT_SCOPE);
    now_seconds += 41;
    CHECK(verified(keys, &secret.secret, needs, "10.1.2.3", &result) == GK_STATUS_API_KEY_EXPIRED);

    gk_api_key_spec *update = gk_api_key_spec_new();
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_keys_update(keys, id, 12, update, &err));
    for (gk_api_key_field field = 1; field <= 6; field++) {
        gk_api_key_spec_clear(update, field);
    }
    MUST(gk_api_keys_update(keys, id, 12, update, &err));
    gk_api_key_check_free(needs);
    CHECK(verified(keys, &secret.secret, NULL, NULL, &result) == GK_STATUS_OK &&
          result.expires_at == 0);
    gk_api_key_spec_expires_at(update, now_seconds + 50);
    MUST(gk_api_keys_update(keys, id, 12, update, &err));
    CHECK(verified(keys, &secret.secret, NULL, NULL, &result) == GK_STATUS_OK);
    CHECK(result.expires_at == now_seconds + 50);

    gk_issued_api_key second, third;
    gk_buf page;
    MUST(gk_api_keys_rotate(keys, id, 12, 60, &second, &err));
    CHECK(strcmp(second.key_id, id) == 0 && strstr(second.record.data, id) != NULL);
    CHECK(verified(keys, &secret.secret, NULL, NULL, &result) == GK_STATUS_OK);
    CHECK(verified(keys, &second.secret, NULL, NULL, &result) == GK_STATUS_OK);
    MUST(gk_api_keys_rotate(keys, id, 12, 0, &third, &err));
    CHECK(verified(keys, &second.secret, NULL, NULL, &result) == GK_STATUS_BAD_API_KEY_SECRET);
    MUST(gk_api_keys_disable(keys, id, 12, GK_TEXT("unpaid"), &err));
    CHECK(verified(keys, &third.secret, NULL, NULL, &result) == GK_STATUS_API_KEY_DISABLED);
    MUST(gk_api_keys_enable(keys, id, 12, &err));
    CHECK(verified(keys, &third.secret, NULL, NULL, &result) == GK_STATUS_OK);
    MUST(gk_api_keys_flush(keys, &err));
    MUST(gk_api_keys_get(keys, id, 12, &page, &err));
    CHECK(strstr(page.data, "\"scopes\":[],\"cidrs\":[]") && strstr(page.data, "\"rate\":null"));
    CHECK(strstr(page.data, "\"meta\":{\"plan\":\"gold\"}") && !strstr(page.data, "\"uses\":0"));
    gk_buf_free(&page);
    MUST(gk_api_keys_revoke(boss, id, 12, GK_TEXT("leaked"), &err));
    CHECK(verified(keys, &third.secret, NULL, NULL, &result) == GK_STATUS_API_KEY_REVOKED);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_keys_enable(keys, id, 12, &err));

    gk_filter *which = gk_filter_new();
    gk_filter_key_id(which, id, 12);
    MUST(gk_api_keys_audit(keys, which, &page, &err));
    CHECK(strstr(page.data, "\"seq\":1,") &&
          strstr(page.data, "\"actor\":\"boss\",\"action\":\"revoke\""));
    CHECK(strstr(page.data, "\"cursor\":null"));
    gk_buf_free(&page);
    gk_filter_key_id(which, GK_TEXT("000000000000"));
    lists(keys, gk_api_keys_audit, which, NOTHING);
    gk_filter_free(which);
    which = gk_filter_new();
    gk_filter_limit(which, 1);
    MUST(gk_api_keys_audit(keys, which, &page, &err));
    CHECK(strstr(page.data, "\"cursor\":\"1\"") != NULL);
    gk_buf_free(&page);
    gk_filter_cursor(which, GK_TEXT("1"));
    MUST(gk_api_keys_audit(keys, which, &page, &err));
    CHECK(strstr(page.data, "\"seq\":2,") && !strstr(page.data, "\"seq\":1,"));
    gk_buf_free(&page);
    gk_filter_free(which);
    lists(keys, gk_api_keys_list, NULL, id);
    which = gk_filter_new();
    gk_filter_owner(which, GK_TEXT("acme \xc3\xa9"));
    gk_filter_tenant(which, GK_TEXT("north"));
    lists(keys, gk_api_keys_list, which, id);
    gk_filter_cursor(which, id, 12);
    lists(keys, gk_api_keys_list, which, NOTHING);
    gk_filter_cursor(which, NULL, 0);
    lists(keys, gk_api_keys_list, which, id);
    gk_filter_tenant(which, GK_TEXT("south"));
    lists(keys, gk_api_keys_list, which, NOTHING);
    gk_filter_free(which);
    which = gk_filter_new();
    gk_filter_owner(which, GK_TEXT("nobody"));
    lists(keys, gk_api_keys_list, which, NOTHING);
    /* An owner without a name is not everybody. */
    gk_filter_owner(which, NULL, 0);
    lists(keys, gk_api_keys_list, which, NOTHING);
    gk_filter_free(which);

    uint64_t count = 7;
    MUST(gk_api_keys_wrap_peppers(keys, &count, &err));
    CHECK(count == 0);
    MUST(gk_api_keys_pepper_report(keys, &page, &err));
    CHECK(strstr(page.data, "\"pepper\":1,\"active\":true,\"keys\":1") != NULL);
    gk_buf_free(&page);
    now_seconds += 1;
    MUST(gk_api_keys_purge(keys, now_seconds, &count, &err));
    CHECK(count == 1);
    FAILS(GK_STATUS_API_KEY_NOT_FOUND, gk_api_keys_get(keys, id, 12, &page, &err));
    CHECK(page.data == NULL && page.len == 0);

    gk_api_keys *other = gk_api_keys_clone(keys);
    MUST(gk_api_keys_close(other, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_keys_verify(keys, PRESENTED(LENT(third.secret)), NULL, NULL, &err));
    gk_api_keys_free(other);
    gk_issued_api_key_free(&secret);
    gk_issued_api_key_free(&second);
    gk_issued_api_key_free(&third);
    gk_api_key_spec_free(update);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(boss);
    gk_api_keys_free(keys);
}

static void imports(void) {
    gk_error err;
    gk_api_key_result result;
    gk_api_keys *keys = open_keys("memory:");
    gk_api_key_spec *spec = owned("acme");
    gk_api_key_import *rows = gk_api_key_import_new();
    gk_buf report;
    gk_api_key_import_add(rows, spec, GK_TEXT("legacy-key-1"), NULL, 0);
    gk_api_key_import_add(rows, spec, GK_TEXT("pub.legacy-key-2"), GK_TEXT("pub"));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_keys_import(keys, GK_TEXT("md5"), rows, &report, &err));
    MUST(gk_api_keys_import(keys, GK_TEXT("plaintext"), rows, &report, &err));
    CHECK(strstr(report.data, "{\"imported\":2,") && strstr(report.data, "\"rejected\":[]"));
    gk_buf_free(&report);
    MUST(gk_api_keys_import(keys, GK_TEXT("plaintext"), rows, &report, &err));
    CHECK(strstr(report.data, "\"imported\":0") &&
          strstr(report.data, "{\"row\":1,\"number\":6002,"));
    gk_buf_free(&report);
    MUST(gk_api_keys_verify(keys, PRESENTED(GK_TEXT("pub.legacy-key-2")), NULL, &result, &err));
    FAILS(GK_STATUS_MALFORMED_API_KEY,
          gk_api_keys_verify(keys, PRESENTED(GK_TEXT("legacy-key-3")), NULL, &result, &err));
    gk_api_key_import_free(rows);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}

static void headers_and_rules(void) {
    gk_error err;
    const gk_str names[] = {{GK_TEXT("Host")}, {GK_TEXT("authorization")}, {GK_TEXT("X-API-Key")}};
    const gk_str values[] = {{GK_TEXT("a")}, {GK_TEXT("Bearer k")}, {GK_TEXT("k")}};
    gk_str key = {"x", 1};
    gk_buf regex, gitleaks;
    MUST(gk_api_key_from_headers(names, values, 1, &key, &err));
    CHECK(key.data == NULL);
    MUST(gk_api_key_from_headers(names, values, 2, &key, &err));
    CHECK(str_is(key, "k") && key.data == values[1].data + 7);
    FAILS(GK_STATUS_SEVERAL_CREDENTIALS, gk_api_key_from_headers(names, values, 3, &key, &err));
    CHECK(key.data == NULL);
    MUST(gk_api_key_from_headers(NULL, NULL, 0, &key, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_key_from_headers(NULL, values, 1, &key, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_key_from_headers(names, values, 1, NULL, &err));
    /* One place alone, whatever is in the other. */
    MUST(gk_api_key_from_headers_at(names, values, 3, GK_CREDENTIAL_API_KEY, &key, &err));
    CHECK(str_is(key, "k") && key.data == values[2].data);
    MUST(gk_api_key_from_headers_at(names, values, 3, GK_CREDENTIAL_AUTHORIZATION, &key, &err));
    CHECK(key.data == values[1].data + 7);
    MUST(gk_api_key_from_headers_at(names, values, 2, GK_CREDENTIAL_API_KEY, &key, &err));
    CHECK(key.data == NULL);
    key = values[0];
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_api_key_from_headers_at(names, values, 3, 0, &key, &err));
    CHECK(key.data == NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_key_from_headers_at(names, values, 1, GK_CREDENTIAL_API_KEY, NULL, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_key_from_headers_at(NULL, values, 1, GK_CREDENTIAL_API_KEY, &key, &err));
    MUST(gk_scan_rule(GK_TEXT("acme"), &regex, &gitleaks, &err));
    CHECK(strstr(gitleaks.data, regex.data) != NULL);
    gk_buf_free(&regex);
    gk_buf_free(&gitleaks);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_scan_rule(GK_TEXT("A"), &regex, &gitleaks, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_scan_rule(GK_TEXT("a"), NULL, &gitleaks, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_scan_rule(GK_TEXT("a"), &regex, NULL, &err));
}

/* NULL where something is needed, text that is not UTF-8, options that make no sense. */
static void wrong_arguments(void) {
    const gk_status WRONG = GK_STATUS_INVALID_ARGUMENT;
    gk_error err;
    gk_buf out;
    gk_issued_api_key issued;
    gk_api_key_result result;
    gk_api_keys *keys = open_keys("memory:"), *none = NULL;
    gk_api_key_spec *spec = owned("a");
    gk_api_key_check *needs = gk_api_key_check_new();
    gk_api_key_options *options = gk_api_key_options_new();
    gk_api_key_import *rows = gk_api_key_import_new();
    gk_filter *which = gk_filter_new();
    static const char BAD[] = {(char)0xff};
    int releases = 0;

    FAILS(WRONG, gk_api_keys_open(GK_TEXT("no://where"), NULL, &none, &err));
    FAILS(WRONG, gk_api_keys_open(NULL, 1, NULL, &none, &err));
    FAILS(WRONG, gk_api_keys_open(BAD, 1, NULL, &none, &err));
    FAILS(WRONG, gk_api_keys_open(GK_TEXT("memory:"), NULL, NULL, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_api_keys_open(GK_TEXT("sqlite:////no/such/folder/x"), NULL, &none, &err));
    CHECK(none == NULL);
    FAILS(WRONG, gk_api_keys_acting_as(NULL, NULL, 0, &none, &err));
    FAILS(WRONG, gk_api_keys_acting_as(keys, BAD, 1, &none, &err));
    const gk_api_key_owner nobody = {{NULL, 0}, {NULL, 0}}, unreadable = {{BAD, 1}, {NULL, 0}};
    FAILS(WRONG, gk_api_keys_owned_by(keys, &nobody, &none, &err));
    FAILS(WRONG, gk_api_keys_owned_by(keys, &unreadable, &none, &err));
    FAILS(WRONG, gk_api_keys_owned_by(keys, NULL, &none, &err));
    FAILS(WRONG, gk_api_keys_owned_by(NULL, &nobody, &none, &err));
    CHECK(none == NULL);
    memset(&issued, 'x', sizeof issued);
    FAILS(WRONG, gk_api_keys_create(NULL, spec, &issued, &err));
    CHECK(is_zero(&issued));
    FAILS(WRONG, gk_api_keys_create(keys, NULL, &issued, &err));
    FAILS(WRONG, gk_api_keys_create(keys, spec, NULL, &err));
    memset(&issued, 'x', sizeof issued);
    FAILS(WRONG, gk_api_keys_rotate(NULL, NULL, 0, 0, &issued, &err));
    CHECK(is_zero(&issued));
    FAILS(WRONG, gk_api_keys_rotate(keys, NULL, 0, 0, NULL, &err));
    FAILS(GK_STATUS_API_KEY_NOT_FOUND, gk_api_keys_rotate(keys, NULL, 0, 0, &issued, &err));
    FAILS(WRONG, gk_api_keys_revoke(NULL, NULL, 0, NULL, 0, &err));
    FAILS(WRONG, gk_api_keys_disable(NULL, NULL, 0, NULL, 0, &err));
    FAILS(WRONG, gk_api_keys_revoke(keys, BAD, 1, NULL, 0, &err));
    FAILS(WRONG, gk_api_keys_enable(NULL, NULL, 0, &err));
    FAILS(WRONG, gk_api_keys_update(NULL, NULL, 0, spec, &err));
    FAILS(WRONG, gk_api_keys_update(keys, NULL, 0, NULL, &err));
    FAILS(WRONG, gk_api_keys_get(NULL, NULL, 0, &out, &err));
    FAILS(WRONG, gk_api_keys_get(keys, NULL, 0, NULL, &err));
    FAILS(WRONG, gk_api_keys_list(NULL, NULL, &out, &err));
    FAILS(WRONG, gk_api_keys_list(keys, NULL, NULL, &err));
    FAILS(WRONG, gk_api_keys_audit(NULL, NULL, &out, &err));
    FAILS(WRONG, gk_api_keys_audit(keys, NULL, NULL, &err));
    gk_filter_cursor(which, GK_TEXT("x"));
    FAILS(WRONG, gk_api_keys_audit(keys, which, &out, &err));
    gk_filter_free(which);
    FAILS(WRONG, gk_api_keys_purge(NULL, 1, NULL, &err));
    FAILS(WRONG, gk_api_keys_purge(keys, now_seconds + 9, NULL, &err));
    FAILS(WRONG, gk_api_keys_import(NULL, GK_TEXT("plaintext"), rows, &out, &err));
    FAILS(WRONG, gk_api_keys_import(keys, GK_TEXT("plaintext"), NULL, &out, &err));
    FAILS(WRONG, gk_api_keys_pepper_report(NULL, &out, &err));
    FAILS(WRONG, gk_api_keys_wrap_peppers(NULL, NULL, &err));
    FAILS(WRONG, gk_api_keys_refresh(NULL, &err));
    FAILS(WRONG, gk_api_keys_flush(NULL, &err));
    FAILS(WRONG, gk_api_keys_check_limits(NULL, &err));
    FAILS(WRONG, gk_api_keys_close(NULL, &err));
    const gk_api_key_request no_address = {{NULL, 0}, {NULL, 1}};
    FAILS(WRONG, gk_api_keys_verify(NULL, PRESENTED(NULL, 0), NULL, &result, &err));
    CHECK(result.status == WRONG && result.http_status == 500);
    FAILS(WRONG, gk_api_keys_verify(keys, NULL, NULL, &result, &err));
    CHECK(result.status == WRONG && result.http_status == 500);
    FAILS(WRONG, gk_api_keys_verify(keys, PRESENTED(NULL, 1), NULL, &result, &err));
    FAILS(WRONG, gk_api_keys_verify(keys, &no_address, NULL, &result, &err));
    FAILS(GK_STATUS_MISSING_CREDENTIALS,
          gk_api_keys_verify(keys, PRESENTED(NULL, 0), NULL, &result, &err));
    CHECK(result.http_status == 401 && !strcmp(gk_status_challenge(err.status), "Bearer"));
    FAILS(GK_STATUS_MALFORMED_API_KEY,
          gk_api_keys_verify(keys, PRESENTED(BAD, 1), needs, &result, &err));

    gk_api_key_import_add(NULL, spec, NULL, 0, NULL, 0);
    gk_api_key_import_add(rows, NULL, NULL, 0, NULL, 0);
    FAILS(WRONG, gk_api_keys_import(keys, GK_TEXT("plaintext"), rows, &out, &err));
    CHECK(strstr(err.message, "`spec`") != NULL && out.data == NULL);
    gk_api_key_spec_cidr(spec, GK_TEXT("nonsense"));
    memset(&issued, 'x', sizeof issued);
    FAILS(WRONG, gk_api_keys_create(keys, spec, &issued, &err));
    CHECK(is_zero(&issued));
    gk_issued_api_key_free(&issued);
    gk_issued_api_key_free(NULL);

    gk_api_key_options_clock(options, now, &releases, released);
    CHECK(releases == 0);
    gk_api_key_options_free(options);
    CHECK(releases == 1);

    CHECK(gk_api_keys_clone(NULL) == NULL);
    gk_api_keys_free(NULL);
    gk_api_key_spec_free(NULL);
    gk_api_key_spec_revoked(NULL);
    gk_api_key_check_free(NULL);
    gk_api_key_options_free(NULL);
    gk_api_key_import_free(NULL);
    gk_api_key_import_free(rows);
    gk_api_key_check_free(needs);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}

/* Two handles on one file; the clock of both stands still. */
static void stands_still(const char *url) {
    gk_error err;
    gk_api_key_result result;
    char id[13];
    gk_api_keys *here = open_with(url, false), *there = open_with(url, false);
    gk_api_key_spec *spec = owned("acme");
    gk_issued_api_key secret = created(here, spec);
    id_of(&secret.secret, id);
    CHECK(verified(there, &secret.secret, NULL, NULL, &result) == GK_STATUS_OK);
    MUST(gk_api_keys_revoke(here, id, 12, NULL, 0, &err));
    MUST(gk_api_keys_refresh(there, &err));
    CHECK(verified(there, &secret.secret, NULL, NULL, &result) == GK_STATUS_API_KEY_REVOKED);
    gk_issued_api_key_free(&secret);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(there);
    gk_api_keys_free(here);
}

/* How often the key may be used through these keys. */
static int passes(const gk_api_keys *keys, const gk_buf *secret) {
    gk_api_key_result result;
    int count = 0;
    while (count < 100 && verified(keys, secret, NULL, NULL, &result) == GK_STATUS_OK) count++;
    return count;
}

/* Two handles on one file, which share what a key may be used; one that counts for itself; and in
 * memory. */
static void shares_limits(const char *url) {
    gk_error err;
    gk_api_keys *here = open_with(url, false), *there = open_with(url, false);
    gk_api_keys *alone = NULL, *memory = open_keys("memory:");
    gk_api_key_options *options = gk_api_key_options_new();
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    gk_api_key_options_prefix(options, GK_TEXT("acme"));
    gk_api_key_options_env(options, GK_TEXT("test"));
    gk_api_key_options_limits(options, NULL, 0);
    MUST(gk_store_api_keys(store, options, &alone, &err));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_api_keys_check_limits(alone, &err));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_api_keys_check_limits(memory, &err));
    MUST(gk_api_keys_check_limits(here, &err));
    gk_api_key_spec *spec = owned("acme");
    gk_api_key_spec_rate(spec, 20, 3600);
    gk_issued_api_key secret = created(here, spec);
    CHECK(passes(there, &secret.secret) == 20 && passes(here, &secret.secret) == 0);
    CHECK(passes(alone, &secret.secret) == 20);
    gk_api_keys_free(there);
    there = open_with(url, false);
    CHECK(passes(there, &secret.secret) == 0);
    gk_api_key_options_limits(options, GK_TEXT("/no/such/folder"));
    gk_api_keys_free(memory);
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_store_api_keys(store, options, &memory, &err));
    gk_store_free(store);
    gk_issued_api_key_free(&secret);
    gk_api_key_spec_free(spec);
    gk_api_key_options_free(options);
    gk_api_keys_free(alone);
    gk_api_keys_free(there);
    gk_api_keys_free(here);
}

struct shared {
    const gk_api_keys *keys;
    gk_issued_api_key issued;
};

static void *verify_many(void *argument) {
    const struct shared *shared = argument;
    intptr_t passed = 0;
    for (int i = 0; i < 500; i++) {
        gk_api_key_result result;
        passed += gk_api_keys_verify(shared->keys, PRESENTED(LENT(shared->issued.secret)), NULL,
                                     &result, NULL) == GK_STATUS_OK;
    }
    return (void *)passed;
}

static void threads(void) {
    gk_api_keys *keys = open_keys("memory:");
    gk_api_key_spec *spec = owned("acme");
    gk_api_key_spec_rate(spec, 1000, 3600);
    struct shared shared = {keys, created(keys, spec)};
    pthread_t all[8];
    intptr_t passed = 0;
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&all[i], NULL, verify_many, &shared) == 0);
    for (int i = 0; i < 8; i++) {
        void *own;
        CHECK(pthread_join(all[i], &own) == 0);
        passed += (intptr_t)own;
    }
    CHECK(passed == 1000);
    gk_issued_api_key_free(&shared.issued);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "apikey.c", "gk_api_key") > 40);
    char folder[] = "/tmp/gatekey-ffi-XXXXXX", url[128], file[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(url, sizeof url, "sqlite:///%s/keys.sqlite", folder);
    lives("memory:");
    lives(url);
    stands_still(url);
    shares_limits(url);
    imports();
    headers_and_rules();
    wrong_arguments();
    threads();
    snprintf(file, sizeof file, "%s/keys.sqlite", folder);
    CHECK(unlink(file) == 0);
    snprintf(file, sizeof file, "%s/keys.sqlite.limits", folder);
    CHECK(unlink(file) == 0);
    snprintf(file, sizeof file, "%s/keys.sqlite.mark", folder);
    CHECK(unlink(file) == 0 && rmdir(folder) == 0);
    return passed("apikey");
}
