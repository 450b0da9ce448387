/* Builders keep the first thing that was wrong, and the call that uses them tells it: the options
 * of what is kept in a store. tests/ffi/arguments.c does the same for tokens. */
#include "peppered.h"
#include "refuse.h"

#include <stdint.h>

static const uint8_t PEPPER[32] = {1};
static const uint8_t none_such = 0;
static int releases = 0;

static uint64_t now(void *user) {
    (void)user;
    return 1800000000;
}
static void released(void *user) { ++*(int *)user; }

static gk_signer *signer;
static gk_api_keys *keys;
static gk_issued_api_key issued;
static gk_sessions *sessions;

static gk_store_options *fresh_gk_store_options(void) {
    gk_store_options *fresh = gk_store_options_new();
    gk_store_options_pepper(fresh, 1, PEPPER, sizeof PEPPER);
    return fresh;
}
static gk_status use_gk_store_options(const gk_store_options *built, gk_error *err) {
    gk_store *opened = NULL;
    const gk_status status = gk_store_open(GK_TEXT("memory:"), built, &opened, err);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_store_free(opened);
    return status;
}

static gk_api_key_options *fresh_gk_api_key_options(void) { return gk_api_key_options_new(); }
static gk_status use_gk_api_key_options(const gk_api_key_options *built, gk_error *err) {
    gk_api_keys *opened = NULL;
    const gk_status status = gk_api_keys_open(GK_TEXT("memory:"), built, &opened, err);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_api_keys_free(opened);
    return status;
}

static gk_api_key_spec *fresh_gk_api_key_spec(void) {
    gk_api_key_spec *fresh = gk_api_key_spec_new();
    gk_api_key_spec_owner(fresh, GK_TEXT("acme"));
    return fresh;
}
static gk_status use_gk_api_key_spec(const gk_api_key_spec *built, gk_error *err) {
    gk_issued_api_key made;
    const gk_status status = gk_api_keys_create(keys, built, &made, err);
    CHECK((made.secret.data != NULL) == (status == GK_STATUS_OK));
    gk_issued_api_key_free(&made);
    return status;
}

static gk_api_key_check *fresh_gk_api_key_check(void) { return gk_api_key_check_new(); }
static gk_status use_gk_api_key_check(const gk_api_key_check *built, gk_error *err) {
    gk_api_key_result result;
    const gk_status status =
        gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), built, &result, err);
    CHECK(result.status == status && (result.owner[0] != 0) == (status == GK_STATUS_OK));
    return status;
}

/* A filter of each call that takes one, under a name of its own. */
typedef gk_filter key_filter, audit_filter, event_filter;
static gk_filter *fresh_key_filter(void) { return gk_filter_new(); }
static gk_filter *fresh_audit_filter(void) { return gk_filter_new(); }
static gk_filter *fresh_event_filter(void) { return gk_filter_new(); }
static void key_filter_free(gk_filter *filter) { gk_filter_free(filter); }
static void audit_filter_free(gk_filter *filter) { gk_filter_free(filter); }
static void event_filter_free(gk_filter *filter) { gk_filter_free(filter); }
static gk_status listed(gk_buf *page, gk_status status) {
    CHECK((page->data != NULL) == (status == GK_STATUS_OK));
    gk_buf_free(page);
    return status;
}
static gk_status use_key_filter(const gk_filter *built, gk_error *err) {
    gk_buf page;
    const gk_status status = gk_api_keys_list(keys, built, &page, err);
    return listed(&page, status);
}
static gk_status use_audit_filter(const gk_filter *built, gk_error *err) {
    gk_buf page;
    const gk_status status = gk_api_keys_audit(keys, built, &page, err);
    return listed(&page, status);
}
static gk_status use_event_filter(const gk_filter *built, gk_error *err) {
    gk_buf page;
    const gk_status status = gk_sessions_events(sessions, built, &page, err);
    return listed(&page, status);
}

static gk_session_spec *fresh_gk_session_spec(void) { return gk_session_spec_new(); }
static gk_status use_gk_session_spec(const gk_session_spec *built, gk_error *err) {
    gk_session_tokens tokens;
    const gk_status status = gk_sessions_start(sessions, GK_TEXT("alice"), built, &tokens, err);
    CHECK((tokens.access_token.data != NULL) == (status == GK_STATUS_OK));
    gk_session_tokens_free(&tokens);
    return status;
}

static gk_key_ring_options *fresh_gk_key_ring_options(void) { return gk_key_ring_options_new(); }
static gk_status use_gk_key_ring_options(const gk_key_ring_options *built, gk_error *err) {
    gk_key_ring *opened = NULL;
    const gk_status status = gk_key_ring_open(GK_TEXT("memory:"), built, &opened, err);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_key_ring_free(opened);
    return status;
}

static gk_revocation_options *fresh_gk_revocation_options(void) {
    return gk_revocation_options_new();
}
static gk_status use_gk_revocation_options(const gk_revocation_options *built, gk_error *err) {
    gk_revocations *opened = NULL;
    const gk_status status = gk_revocations_open(GK_TEXT("memory:"), built, &opened, err);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_revocations_free(opened);
    return status;
}

static gk_session_options *fresh_gk_session_options(void) { return gk_session_options_new(); }
static gk_status use_gk_session_options(const gk_session_options *built, gk_error *err) {
    gk_sessions *opened = NULL;
    const gk_status status = gk_sessions_open(GK_TEXT("memory:"), signer, built, &opened, err);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_sessions_free(opened);
    return status;
}

/* A clock: the pointer that belongs to it is released once, whatever becomes of it. */
#define CLOCK_SETTER(type)                                                                         \
    do {                                                                                           \
        releases = 0;                                                                              \
        IGNORED(type##_clock, NULL, now, &releases, released);                                     \
        CHECK(releases == 1);                                                                      \
        STICKS(type, type##_clock, NULL, &releases, released);                                     \
        CHECK(releases == 2);                                                                      \
        type *late = fresh_##type();                                                               \
        type##_clock(late, NULL, NULL, NULL);                                                      \
        type##_clock(late, now, &releases, released);                                              \
        CHECK(releases == 3);                                                                      \
        type##_free(late);                                                                         \
        type *good = fresh_##type();                                                               \
        type##_clock(good, now, &releases, released);                                              \
        MUST(use_##type(good, &err));                                                              \
        CHECK(releases == 3);                                                                      \
        type##_free(good);                                                                         \
        CHECK(releases == 4);                                                                      \
    } while (0)

/* A pepper: no handle, no bytes, a file and a variable that are no text. */
static void stores(void) {
    gk_error err;
    IGNORED(gk_store_options_pepper, NULL, 1, PEPPER, sizeof PEPPER);
    STICKS(gk_store_options, gk_store_options_pepper, 2, NORAW);
    STICKS(gk_store_options, gk_store_options_pepper, 2, &none_such, SIZE_MAX);
    TEXT_SETTER(gk_store_options, gk_store_options_pepper_file);
    TEXT_SETTER(gk_store_options, gk_store_options_pepper_env);
    IGNORED(gk_store_options_strict, NULL, true);
    IGNORED(gk_store_options_max_stale, NULL, 1);
    IGNORED(gk_store_options_create, NULL, false);
    IGNORED(gk_store_options_limits, NULL, GK_TEXT("redis://127.0.0.1"));
    CLOCK_SETTER(gk_store_options);
}

static void api_keys(void) {
    gk_error err;
    TEXT_SETTER(gk_api_key_options, gk_api_key_options_prefix);
    TEXT_SETTER(gk_api_key_options, gk_api_key_options_env);
    TEXT_SETTER(gk_api_key_options, gk_api_key_options_limits);
    IGNORED(gk_api_key_options_strict, NULL, true);
    IGNORED(gk_api_key_options_max_stale, NULL, 1);
    CLOCK_SETTER(gk_api_key_options);

    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_owner);
    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_name);
    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_tenant);
    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_meta);
    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_scope);
    TEXT_SETTER(gk_api_key_spec, gk_api_key_spec_cidr);
    STICKS(gk_api_key_spec, gk_api_key_spec_clear, 0);
    STICKS(gk_api_key_spec, gk_api_key_spec_clear, 7);
    IGNORED(gk_api_key_spec_clear, NULL, 1);
    IGNORED(gk_api_key_spec_not_before, NULL, 1);
    IGNORED(gk_api_key_spec_expires_in, NULL, 1);
    IGNORED(gk_api_key_spec_expires_at, NULL, 1);
    IGNORED(gk_api_key_spec_revoked, NULL);
    IGNORED(gk_api_key_spec_rate, NULL, 1, 1);
    IGNORED(gk_api_key_spec_credits, NULL, 1, 0, 0);

    TEXT_SETTER(gk_api_key_check, gk_api_key_check_scope);
    TEXT_SETTER(gk_api_key_check, gk_api_key_check_tenant);
    IGNORED(gk_api_key_check_cost, NULL, 1);
    gk_api_key_check *many = gk_api_key_check_new();
    for (int i = 0; i < 17; i++) gk_api_key_check_scope(many, GK_TEXT("read"));
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_api_key_check(many, &err));
    gk_api_key_check_free(many);
}

/* A filter says only what the call can tell apart: who asks for less does not get all. */
static void filters(void) {
    gk_error err;
    TEXT_SETTER(key_filter, gk_filter_owner);
    TEXT_SETTER(key_filter, gk_filter_tenant);
    TEXT_SETTER(key_filter, gk_filter_cursor);
    TEXT_SETTER(audit_filter, gk_filter_key_id);
    TEXT_SETTER(event_filter, gk_filter_subject);
    TEXT_SETTER(event_filter, gk_filter_family);
    IGNORED(gk_filter_limit, NULL, 1);
#define NOT_ITS_OWN(type, name)                                                                    \
    do {                                                                                           \
        STICKS(type, gk_filter_##name, TEXT);                                                      \
        STICKS(type, gk_filter_##name, "", 0);                                                     \
        gk_filter *other = gk_filter_new();                                                        \
        gk_filter_##name(other, TEXT);                                                             \
        FAILS(GK_STATUS_INVALID_ARGUMENT, use_##type(other, &err));                                \
        CHECK(strstr(err.message, "gk_filter_" #name " ") != NULL);                                \
        gk_filter_free(other);                                                                     \
    } while (0)
    NOT_ITS_OWN(key_filter, key_id);
    NOT_ITS_OWN(key_filter, subject);
    NOT_ITS_OWN(key_filter, family);
    NOT_ITS_OWN(audit_filter, owner);
    NOT_ITS_OWN(audit_filter, tenant);
    NOT_ITS_OWN(audit_filter, subject);
    NOT_ITS_OWN(audit_filter, family);
    NOT_ITS_OWN(event_filter, owner);
    NOT_ITS_OWN(event_filter, tenant);
    NOT_ITS_OWN(event_filter, key_id);
    CALL(gk_filter_free)(CALL(gk_filter_new)());
    gk_filter_free(NULL);
}

/* What an import says, in these words. */
static void imported(gk_status wanted, const gk_api_key_import *rows, const char *words) {
    gk_error err;
    gk_buf report;
    FAILS(wanted, gk_api_keys_import(keys, GK_TEXT("plaintext"), rows, &report, &err));
    CHECK(strstr(err.message, words) != NULL && report.data == NULL);
}

/* What was wrong first is what is told, and an import, an update and a rotation ask as well. */
static void the_first_one(void) {
    gk_error err;
    gk_api_key_spec *spec = fresh_gk_api_key_spec();
    gk_api_key_spec_scope(spec, LATIN1);
    gk_api_key_spec_meta(spec, NOTEXT);
    gk_api_key_spec_owner(spec, GK_TEXT("good"));
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_api_key_spec(spec, &err));
    CHECK(strstr(err.message, "`scope`") != NULL && strstr(err.message, "UTF-8") != NULL);
    gk_api_key_result who;
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), NULL, &who, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_keys_update(keys, who.key_id, strlen(who.key_id), spec, &err));
    CHECK(strstr(err.message, "`scope`") != NULL);
    gk_api_key_import *rows = gk_api_key_import_new();
    gk_api_key_import_add(rows, spec, GK_TEXT("pub.legacy-key"), GK_TEXT("pub"));
    imported(GK_STATUS_INVALID_ARGUMENT, rows, "`scope`");
    /* A row that is good does not make up for it. */
    gk_api_key_spec *good = fresh_gk_api_key_spec();
    gk_api_key_import_add(rows, good, GK_TEXT("pub.legacy-key"), GK_TEXT("pub"));
    gk_api_key_import_add(rows, good, TEXT, LATIN1);
    imported(GK_STATUS_INVALID_ARGUMENT, rows, "`scope`");
    gk_api_key_import_free(rows);
    rows = gk_api_key_import_new();
    gk_api_key_import_add(rows, good, NOTEXT, TEXT);
    imported(GK_STATUS_INVALID_ARGUMENT, rows, "`credential`");
    gk_api_key_import_free(rows);
    rows = gk_api_key_import_new();
    gk_api_key_import_add(rows, good, TEXT, LATIN1);
    imported(GK_STATUS_INVALID_ARGUMENT, rows, "`lookup`");
    gk_api_key_import_free(rows);
    gk_api_key_spec_free(good);
    gk_api_key_spec_free(spec);
}

/* When a key expires is never passed over: two ends, or what is for a new key only, are refused. */
static void the_wrong_way_to_say_when(void) {
    gk_error err;
    gk_api_key_result who;
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), NULL, &who, &err));
    gk_api_key_spec *spec = fresh_gk_api_key_spec();
    gk_api_key_spec_expires_at(spec, 4000000000);
    MUST(use_gk_api_key_spec(spec, &err));
    MUST(gk_api_keys_update(keys, who.key_id, strlen(who.key_id), spec, &err));
    gk_api_key_spec_expires_in(spec, 60);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_api_key_spec(spec, &err));
    CHECK(strstr(err.message, "expires_at") != NULL);
    gk_api_key_spec_free(spec);
    spec = fresh_gk_api_key_spec();
    gk_api_key_spec_expires_at(spec, 1);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_api_key_spec(spec, &err));
    gk_api_key_spec_clear(spec, GK_API_KEY_FIELD_EXPIRES_AT);
    MUST(use_gk_api_key_spec(spec, &err));
    gk_api_key_spec_free(spec);
    /* Only what comes from another system can be revoked already. */
    spec = fresh_gk_api_key_spec();
    gk_api_key_spec_revoked(spec);
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_api_key_spec(spec, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_keys_update(keys, who.key_id, strlen(who.key_id), spec, &err));
    CHECK(strstr(err.message, "gk_api_key_import_add") != NULL);
    gk_api_key_import *rows = gk_api_key_import_new();
    gk_api_key_import_add(rows, spec, GK_TEXT("pub.legacy-key-revoked"), NULL, 0);
    gk_buf report = {NULL, 0};
    MUST(gk_api_keys_import(keys, GK_TEXT("plaintext"), rows, &report, &err));
    gk_buf_free(&report);
    gk_api_key_import_free(rows);
    FAILS(GK_STATUS_API_KEY_REVOKED,
          gk_api_keys_verify(keys, PRESENTED(GK_TEXT("pub.legacy-key-revoked")), NULL, &who, &err));
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), NULL, &who, &err));
    gk_api_key_spec_free(spec);
    spec = fresh_gk_api_key_spec();
    gk_api_key_spec_expires_in(spec, 60);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_api_keys_update(keys, who.key_id, strlen(who.key_id), spec, &err));
    MUST(use_gk_api_key_spec(spec, &err));
    gk_api_key_spec_free(spec);
}

static void sessions_and_rings(void) {
    gk_error err;
    gk_claims *wrong = gk_claims_new();
    gk_claims_subject(wrong, LATIN1);
    IGNORED(gk_session_spec_claims, NULL, wrong);
    STICKS(gk_session_spec, gk_session_spec_claims, wrong);
    STICKS(gk_session_spec, gk_session_spec_claims, NULL);
    /* A caller may name its client as it likes. */
    IGNORED(gk_session_spec_client, NULL, TEXT);
    STICKS(gk_session_spec, gk_session_spec_client, NOTEXT);
    TEXT_SETTER(gk_session_spec, gk_session_spec_meta);
    gk_session_spec_free(NULL);
    gk_claims_free(wrong);

    TEXT_SETTER(gk_key_ring_options, gk_key_ring_options_name);
    IGNORED(gk_key_ring_options_alg, NULL, GK_ALG_ES256);
    STICKS(gk_key_ring_options, gk_key_ring_options_alg, GK_ALG_ANY);
    STICKS(gk_key_ring_options, gk_key_ring_options_alg, 99);
    IGNORED(gk_key_ring_options_token_ttl, NULL, 1);
    IGNORED(gk_key_ring_options_max_stale, NULL, 1);
    CLOCK_SETTER(gk_key_ring_options);

    IGNORED(gk_revocation_options_strict, NULL, true);
    IGNORED(gk_revocation_options_max_stale, NULL, 1);
    IGNORED(gk_revocation_options_create, NULL, false);
    IGNORED(gk_revocation_options_max_token_ttl, NULL, 1);
    TEXT_SETTER(gk_revocation_options, gk_revocation_options_tenant_claim);
    CLOCK_SETTER(gk_revocation_options);

    IGNORED(gk_session_options_refresh_ttl, NULL, 1);
    IGNORED(gk_session_options_absolute_ttl, NULL, 1);
    IGNORED(gk_session_options_grace, NULL, 1);
    IGNORED(gk_session_options_strict, NULL, true);
    IGNORED(gk_session_options_max_stale, NULL, 1);
    IGNORED(gk_session_options_max_token_ttl, NULL, 1);
    TEXT_SETTER(gk_session_options, gk_session_options_tenant_claim);
    CLOCK_SETTER(gk_session_options);
}

int main(int argc, char **argv) {
    static const char *const FILTERS = "gk_filter_";
    CHECK(argc == 2);
    gk_error err;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_api_key_options *options = fresh_gk_api_key_options();
    MUST(gk_api_keys_open(GK_TEXT("memory:"), options, &keys, &err));
    gk_api_key_spec *spec = fresh_gk_api_key_spec();
    gk_api_key_spec_scope(spec, GK_TEXT("read"));
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    gk_session_options *of_sessions = fresh_gk_session_options();
    MUST(gk_sessions_open(GK_TEXT("memory:"), signer, of_sessions, &sessions, &err));

    stores();
    api_keys();
    filters();
    CHECK(all_called(argv[1], &FILTERS, 1, true) == 9);
    the_first_one();
    the_wrong_way_to_say_when();
    sessions_and_rings();

    gk_issued_api_key_free(&issued);
    gk_sessions_free(sessions);
    gk_session_options_free(of_sessions);
    gk_api_key_spec_free(spec);
    gk_api_key_options_free(options);
    gk_api_keys_free(keys);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_free(key);
    return passed("sticky");
}
