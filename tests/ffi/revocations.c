/* Revocations from C: every call, everything that can be revoked, tokens for one use, wrong
 * arguments. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "session.h"

#include <unistd.h>

#define NONE NULL, 0

static gk_key *key;
static gk_signer *signer;

static gk_revocations *open_with(const char *url) {
    gk_error err;
    gk_revocations *revocations = NULL;
    gk_revocation_options *options = gk_revocation_options_new();
    gk_revocation_options_strict(options, true);
    gk_revocation_options_create(options, true);
    gk_revocation_options_max_stale(options, 10);
    gk_revocation_options_max_token_ttl(options, 2400);
    gk_revocation_options_tenant_claim(options, GK_TEXT("org"));
    gk_revocation_options_clock(options, now, NULL, NULL);
    MUST(gk_revocations_open(url, strlen(url), options, &revocations, &err));
    gk_revocation_options_free(options);
    return revocations;
}

static gk_buf token(const char *json) {
    gk_error err;
    gk_buf text;
    MUST(gk_signer_sign_json(signer, json, strlen(json), &text, &err));
    return text;
}

/* A token of each kind that is revoked below, in this order, and one that is never revoked. */
enum { ONE_TOKEN, SESSION, SUBJECT, TENANT, OTHERS, KINDS };
static const char *CLAIMS[KINDS] = {
    "{\"jti\":\"t1\"}",
    "{\"sid\":\"s1\",\"jti\":\"t2\"}",
    "{\"sub\":\"alice\"}",
    "{\"org\":\"north\"}",
    "{\"sub\":\"bob\",\"sid\":\"s2\",\"org\":\"south\"}",
};

/* Revokes one kind after the other; tokens of later kinds are good until it is their turn. */
static void everything(const char *url) {
    gk_error err;
    gk_revocations *revocations = open_with(url);
    gk_verifier *verifier = verifier_with(key, revocations);
    gk_buf tokens[KINDS];
    for (int kind = 0; kind < KINDS; kind++) tokens[kind] = token(CLAIMS[kind]);
    CHECK(gk_revocations_len(revocations) == 0);
    for (int kind = 0; kind <= OTHERS; kind++) {
        CHECK(said(verifier, &tokens[kind]) == GK_STATUS_OK);
        const uint64_t later = now_seconds + 1;
        if (kind == ONE_TOKEN) {
            MUST(gk_revocations_revoke_token(revocations,
                                             TOKEN(NONE, GK_TEXT("t1"), now_seconds + 900), &err));
        } else if (kind == SESSION) {
            MUST(gk_revocations_revoke_session(revocations, GK_TEXT("s1"), &err));
        } else if (kind == SUBJECT) {
            MUST(gk_revocations_revoke_subject(revocations, GK_TEXT("alice"), &err));
            MUST(gk_revocations_revoke_numeric_subject(revocations, 7, &err)); /* somebody else */
        } else if (kind == TENANT) {
            MUST(gk_revocations_revoke_before(revocations, later, SCOPE(NONE, GK_TEXT("north")),
                                              &err));
        } else {
            break;
        }
        CHECK(said(verifier, &tokens[kind]) == GK_STATUS_REVOKED_TOKEN);
        CHECK(gk_revocations_len(revocations) == (size_t)kind + (kind < SUBJECT ? 1 : 2));
    }
    CHECK(said(verifier, &tokens[OTHERS]) == GK_STATUS_OK);

    /* What was issued before a time: by subject, then by anybody, then by nobody who logs in later.
     */
    MUST(gk_revocations_revoke_before(revocations, now_seconds, SCOPE(GK_TEXT("bob"), NONE), &err));
    CHECK(said(verifier, &tokens[OTHERS]) == GK_STATUS_OK);
    MUST(gk_revocations_revoke_before(revocations, now_seconds + 1, SCOPE(GK_TEXT("bob"), NONE),
                                      &err));
    CHECK(said(verifier, &tokens[OTHERS]) == GK_STATUS_REVOKED_TOKEN);
    now_seconds++;
    gk_buf bob = token(CLAIMS[OTHERS]);
    CHECK(said(verifier, &bob) == GK_STATUS_OK);
    MUST(gk_revocations_revoke_before(revocations, now_seconds + 1, SCOPE(NONE, NONE), &err));
    CHECK(said(verifier, &bob) == GK_STATUS_REVOKED_TOKEN);
    now_seconds++;
    gk_buf_free(&bob);
    bob = token(CLAIMS[OTHERS]);
    CHECK(said(verifier, &bob) == GK_STATUS_OK);
    MUST(gk_revocations_revoke_before(revocations, now_seconds + 1, NULL, &err));
    CHECK(said(verifier, &bob) == GK_STATUS_REVOKED_TOKEN);
    now_seconds++;
    gk_buf_free(&bob);
    bob = token(CLAIMS[OTHERS]);
    CHECK(said(verifier, &bob) == GK_STATUS_OK);

    /* A key is revoked for ever. */
    const gk_str kid = gk_key_kid(key);
    MUST(gk_revocations_revoke_key(revocations, LENT(kid), &err));
    CHECK(said(verifier, &bob) == GK_STATUS_REVOKED_TOKEN);
    uint64_t purged = 7;
    MUST(gk_revocations_purge(revocations, &purged, &err));
    /* Of bob, what was dated before a time and what there was so far. */
    CHECK(purged == 0 && gk_revocations_len(revocations) == 9);
    /* A clock that runs ahead by more than an hour forgets nothing at once. */
    now_seconds += 5000;
    MUST(gk_revocations_purge(revocations, &purged, &err));
    CHECK(purged == 0 && gk_revocations_len(revocations) == 9);
    now_seconds -= 1900;
    MUST(gk_revocations_purge(revocations, &purged, &err));
    CHECK(purged == 8 && gk_revocations_len(revocations) == 1);
    MUST(gk_revocations_purge(revocations, NULL, &err));
    gk_buf_free(&bob);
    bob = token(CLAIMS[OTHERS]);
    CHECK(said(verifier, &bob) == GK_STATUS_REVOKED_TOKEN);

    gk_buf_free(&bob);
    for (int kind = 0; kind < KINDS; kind++) gk_buf_free(&tokens[kind]);
    gk_verifier_free(verifier);
    gk_revocations_free(revocations);
}

/* Tokens for one use, in two handles on one file, whose clock stands still. */
static void two_handles(const char *url) {
    gk_error err;
    bool first = false;
    gk_revocations *here = open_with(url), *there = open_with(url);
    const uint64_t soon = now_seconds + 60;
#define USED(revocations, issuer, id, at, answer)                                                  \
    MUST(gk_revocations_seen_once(revocations, TOKEN(issuer, id, at), &first, &err));              \
    CHECK(first == (answer))
    USED(here, GK_TEXT("mail"), GK_TEXT("reset-1"), soon, true);
    USED(here, GK_TEXT("mail"), GK_TEXT("reset-1"), soon, false);
    USED(there, GK_TEXT("mail"), GK_TEXT("reset-1"), soon, false);
    USED(there, NONE, GK_TEXT("reset-1"), soon, true);
    USED(here, NONE, GK_TEXT("reset-2"), now_seconds, false);

    gk_revocations *same = gk_revocations_clone(there);
    MUST(gk_revocations_revoke_session(here, GK_TEXT("s9"), &err));
    MUST(gk_revocations_refresh(there, &err));
    CHECK(gk_revocations_len(same) == gk_revocations_len(here));
    gk_verifier *verifier = verifier_with(key, there);
    gk_revocations_free(there);
    gk_revocations_free(same);
    gk_buf revoked = token("{\"sid\":\"s9\"}");
    CHECK(said(verifier, &revoked) == GK_STATUS_REVOKED_TOKEN);
    gk_buf_free(&revoked);
    gk_verifier_free(verifier);
    gk_revocations_free(here);
}

/* Without an issuer a token is revoked from any issuer. */
static void any_issuer(void) {
    gk_error err;
    gk_revocations *revocations = open_with("memory:");
    gk_policy *policy = policy_with(revocations);
    gk_verifier *verifier = NULL;
    gk_policy_expect_issuer(policy, GK_TEXT("https://a"));
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    gk_buf one = token("{\"iss\":\"https://a\",\"jti\":\"1\"}");
    gk_buf two = token("{\"iss\":\"https://a\",\"jti\":\"2\"}");
    CHECK(said(verifier, &one) == GK_STATUS_OK);
    MUST(gk_revocations_revoke_token(revocations, TOKEN(NONE, GK_TEXT("1"), now_seconds + 900),
                                     &err));
    CHECK(said(verifier, &one) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &two) == GK_STATUS_OK);
    gk_buf_free(&one);
    gk_buf_free(&two);
    gk_verifier_free(verifier);
    gk_revocations_free(revocations);
}

/* Tokens of which nobody can know whether they were revoked. */
static void dates(void) {
    gk_error err;
    char text[64];
    gk_revocations *revocations = open_with("memory:");
    gk_verifier *verifier = verifier_with(key, revocations);
    snprintf(text, sizeof text, "{\"exp\":%llu}", (unsigned long long)now_seconds + 2400);
    gk_buf longest = token(text);
    snprintf(text, sizeof text, "{\"exp\":%llu}", (unsigned long long)now_seconds + 2401);
    gk_buf too_long = token(text);
    CHECK(said(verifier, &longest) == GK_STATUS_OK);
    CHECK(said(verifier, &too_long) == GK_STATUS_INVALID_CLAIM);
    gk_verifier_free(verifier);

    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_no_ttl(builder);
    gk_signer_builder_allow_missing_exp(builder);
    gk_signer *eternal = signer_of(builder);
    gk_policy *policy = policy_with(revocations);
    gk_policy_allow_missing_exp(policy);
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    gk_buf for_ever;
    MUST(gk_signer_sign_json(eternal, GK_TEXT("{}"), &for_ever, &err));
    CHECK(said(verifier, &for_ever) == GK_STATUS_MISSING_CLAIM);
    gk_policy_free(policy);
    gk_signer_free(eternal);
    gk_buf_free(&for_ever);
    gk_buf_free(&longest);
    gk_buf_free(&too_long);
    gk_verifier_free(verifier);
    gk_revocations_free(revocations);
}

static void wrong_options(void) {
    gk_error err;
    int releases = 0;
    gk_revocations *none = NULL;
    gk_revocation_options *options = gk_revocation_options_new();
#define REFUSED_BY_OPEN()                                                                          \
    FAILS(WRONG, gk_revocations_open(GK_TEXT("memory:"), options, &none, &err))
    gk_revocation_options_max_stale(options, 86401);
    REFUSED_BY_OPEN();
    gk_revocation_options_max_stale(options, 86400);
    gk_revocation_options_max_token_ttl(options, 0);
    REFUSED_BY_OPEN();
    gk_revocation_options_max_token_ttl(options, 316224001);
    REFUSED_BY_OPEN();
    gk_revocation_options_max_token_ttl(options, 316224000);
    gk_revocation_options_tenant_claim(options, NONE);
    REFUSED_BY_OPEN();
    CHECK(none == NULL);
    gk_revocation_options_tenant_claim(options, GK_TEXT("a"));
    gk_revocation_options_clock(options, now, &releases, released);
    MUST(gk_revocations_open(GK_TEXT("memory:"), options, &none, &err));
    gk_revocation_options_free(options);
    CHECK(releases == 0);
    gk_revocations_free(none);
    CHECK(releases == 1);
    gk_revocation_options_free(NULL);
}

static void wrong_arguments(void) {
    gk_error err;
    bool first = true;
    uint64_t purged = 7;
    gk_revocations *revocations = open_with("memory:"), *none = NULL;
    gk_policy *policy = gk_policy_new();
    FAILS(WRONG, gk_revocations_open(GK_TEXT("no://where"), NULL, &none, &err));
    FAILS(WRONG, gk_revocations_open(NULL, 1, NULL, &none, &err));
    FAILS(WRONG, gk_revocations_open(BAD, NULL, &none, &err));
    FAILS(WRONG, gk_revocations_open(GK_TEXT("memory:"), NULL, NULL, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_revocations_open(GK_TEXT("sqlite:////no/such/folder/x"), NULL, &none, &err));
    CHECK(none == NULL);
    MUST(gk_revocations_open(GK_TEXT("memory:"), NULL, &none, &err));
    gk_revocations_free(none);

    const uint64_t soon = now_seconds + 60;
    FAILS(WRONG, gk_revocations_revoke_token(NULL, TOKEN(NONE, GK_TEXT("t"), soon), &err));
    FAILS(WRONG, gk_revocations_revoke_token(revocations, TOKEN(BAD, GK_TEXT("t"), soon), &err));
    FAILS(WRONG, gk_revocations_revoke_token(revocations, TOKEN(NONE, BAD, soon), &err));
    FAILS(WRONG, gk_revocations_revoke_token(revocations, TOKEN(NONE, NONE, soon), &err));
    FAILS(WRONG, gk_revocations_revoke_token(revocations, NULL, &err));
    for (int i = 0; i < 3; i++) {
        const uint64_t expiry[] = {0, 1, soon * 1000};
        FAILS(WRONG,
              gk_revocations_revoke_token(revocations, TOKEN(NONE, GK_TEXT("t"), expiry[i]), &err));
    }
    FAILS(WRONG, gk_revocations_revoke_session(NULL, GK_TEXT("s"), &err));
    FAILS(WRONG, gk_revocations_revoke_session(revocations, NONE, &err));
    FAILS(WRONG, gk_revocations_revoke_session(revocations, BAD, &err));
    FAILS(WRONG, gk_revocations_revoke_subject(NULL, GK_TEXT("s"), &err));
    FAILS(WRONG, gk_revocations_revoke_subject(revocations, NONE, &err));
    FAILS(WRONG, gk_revocations_revoke_subject(revocations, BAD, &err));
    FAILS(WRONG, gk_revocations_revoke_numeric_subject(NULL, 7, &err));
    FAILS(WRONG, gk_revocations_revoke_key(NULL, GK_TEXT("k"), &err));
    FAILS(WRONG, gk_revocations_revoke_key(revocations, NONE, &err));
    FAILS(WRONG, gk_revocations_revoke_key(revocations, BAD, &err));
    FAILS(WRONG, gk_revocations_revoke_before(NULL, 1, SCOPE(NONE, NONE), &err));
    FAILS(WRONG,
          gk_revocations_revoke_before(revocations, 1, SCOPE(GK_TEXT("a"), GK_TEXT("b")), &err));
    CHECK(strstr(err.message, "subject") != NULL && strstr(err.message, "tenant") != NULL);
    const int64_t seven = 7;
    gk_revoke_scope several = {{GK_TEXT("a")}, {NONE}, &seven};
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, &several, &err));
    CHECK(strstr(err.message, "subject") != NULL && strstr(err.message, "numeric") != NULL);
    several = (gk_revoke_scope){{NONE}, {GK_TEXT("a")}, &seven};
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, &several, &err));
    CHECK(strstr(err.message, "tenant") != NULL && strstr(err.message, "numeric") != NULL);
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, SCOPE(BAD, NONE), &err));
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, SCOPE(NONE, BAD), &err));
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, SCOPE(NULL, 1, NONE), &err));
    FAILS(WRONG, gk_revocations_revoke_before(revocations, now_seconds + 2, NULL, &err));
    FAILS(WRONG,
          gk_revocations_revoke_before(revocations, now_seconds + 2, SCOPE(NONE, NONE), &err));
    /* Someone without a name is not everybody. */
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, SCOPE("", 0, NONE), &err));
    FAILS(WRONG, gk_revocations_revoke_before(revocations, 1, SCOPE(NONE, "", 0), &err));

    FAILS(WRONG, gk_revocations_seen_once(NULL, TOKEN(NONE, GK_TEXT("t"), soon), &first, &err));
    CHECK(!first);
    first = true;
    FAILS(WRONG, gk_revocations_seen_once(revocations, TOKEN(NONE, NONE, soon), &first, &err));
    CHECK(!first);
    FAILS(WRONG,
          gk_revocations_seen_once(revocations, TOKEN(BAD, GK_TEXT("t"), soon), &first, &err));
    FAILS(WRONG, gk_revocations_seen_once(revocations, TOKEN(NONE, BAD, soon), &first, &err));
    FAILS(WRONG,
          gk_revocations_seen_once(revocations, TOKEN(NONE, GK_TEXT("t"), soon), NULL, &err));
    first = true;
    FAILS(WRONG, gk_revocations_seen_once(revocations, NULL, &first, &err));
    CHECK(!first);
    FAILS(WRONG, gk_revocations_refresh(NULL, &err));
    FAILS(WRONG, gk_revocations_purge(NULL, &purged, &err));
    CHECK(purged == 0 && gk_revocations_len(NULL) == 0 && gk_revocations_len(revocations) == 0);
    CHECK(gk_revocations_clone(NULL) == NULL);
    gk_revocations_free(NULL);
    gk_policy_free(policy);
    gk_revocations_free(revocations);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "revocations.c", "gk_revocation_options_") == 8);
    CHECK(calls_all(argv[1], "revocations.c", "gk_revocation") == 21);
    gk_error err;
    gk_signer_builder *builder = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    signer = signer_of(builder);
    char folder[] = "/tmp/gatekey-ffi-XXXXXX", url[128], other[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(url, sizeof url, "sqlite:///%s/revoked.sqlite", folder);
    snprintf(other, sizeof other, "sqlite:///%s/used.sqlite", folder);
    everything("memory:");
    everything(url);
    two_handles(other);
    any_issuer();
    dates();
    wrong_options();
    wrong_arguments();
    gk_signer_free(signer);
    gk_key_free(key);
    CHECK(unlink(url + strlen("sqlite:///")) == 0 && unlink(other + strlen("sqlite:///")) == 0);
    char file[160];
    snprintf(file, sizeof file, "%s.mark", url + strlen("sqlite:///"));
    CHECK(unlink(file) == 0);
    snprintf(file, sizeof file, "%s.mark", other + strlen("sqlite:///"));
    CHECK(unlink(file) == 0);
    CHECK(rmdir(folder) == 0);
    return passed("revocations");
}
