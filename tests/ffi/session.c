/* Sessions from C: every call, the life of a session, a stolen token, threads, wrong arguments. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "session.h"
#include "peppered.h"

#include <pthread.h>
#include <unistd.h>

#define NOTHING NULL, 0

/* A token of a gk_session_tokens as the two arguments of a call. */
#define REFRESH(tokens) (tokens).refresh_token.data, (tokens).refresh_token.len

static gk_key *key;
static gk_signer *signer;

static gk_sessions *open_with(const char *url, const gk_signer *with, const uint8_t pepper[32]) {
    gk_error err;
    gk_sessions *sessions = NULL;
    gk_session_options *options = gk_session_options_new();
    gk_session_options_refresh_ttl(options, 1000);
    gk_session_options_absolute_ttl(options, 2500);
    gk_session_options_grace(options, 10);
    gk_session_options_strict(options, true);
    gk_session_options_max_stale(options, 10);
    gk_session_options_max_token_ttl(options, 3600);
    gk_session_options_tenant_claim(options, GK_TEXT("org"));
    gk_session_options_clock(options, now, NULL, NULL);
    gk_store *store = NULL;
    gk_status status = opened_store(url, pepper, 32, &store, &err);
    if (store != NULL) status = gk_store_sessions(store, with, options, &sessions, &err);
    gk_store_free(store);
    CHECK(status == (pepper == PEPPER ? GK_STATUS_OK : GK_STATUS_WRONG_PEPPER));
    CHECK((status == GK_STATUS_OK) == (sessions != NULL));
    gk_session_options_free(options);
    return sessions;
}

static gk_verifier *verifier_of(const gk_sessions *sessions) {
    gk_revocations *revocations = gk_sessions_revocations(sessions);
    gk_verifier *verifier = verifier_with(key, revocations);
    gk_revocations_free(revocations);
    return verifier;
}

static bool is_zero(const gk_session_tokens *tokens) {
    static const char NONE[GK_SESSION_FAMILY_SIZE];
    return tokens->access_token.data == NULL && tokens->access_token.len == 0 &&
           tokens->refresh_token.data == NULL && tokens->refresh_token.len == 0 &&
           tokens->expires_in == 0 && tokens->expires_at == 0 &&
           memcmp(tokens->family, NONE, sizeof NONE) == 0;
}

static gk_session_tokens started(const gk_sessions *sessions, const char *subject) {
    gk_error err;
    gk_session_tokens tokens;
    MUST(gk_sessions_start(sessions, subject, strlen(subject), NULL, &tokens, &err));
    CHECK(tokens.refresh_token.len == 51 && strlen(tokens.family) == 12);
    CHECK(strncmp(tokens.refresh_token.data, "gkr_", 4) == 0);
    CHECK(strncmp(tokens.refresh_token.data + 4, tokens.family, 12) == 0);
    return tokens;
}

/* A refresh that must succeed, of the same session. */
static gk_session_tokens refreshed(const gk_sessions *sessions, const gk_session_tokens *before) {
    gk_error err;
    gk_session_tokens tokens;
    MUST(gk_sessions_refresh(sessions, REFRESH(*before), NULL, &tokens, &err));
    CHECK(strcmp(tokens.family, before->family) == 0);
    CHECK(!buf_is(tokens.refresh_token, before->refresh_token.data));
    CHECK(!buf_is(tokens.access_token, before->access_token.data));
    return tokens;
}

static void refused(gk_status wanted, const gk_sessions *sessions, const gk_session_tokens *with) {
    gk_error err;
    gk_session_tokens tokens;
    memset(&tokens, 'x', sizeof tokens);
    FAILS(wanted, gk_sessions_refresh(sessions, REFRESH(*with), NULL, &tokens, &err));
    CHECK(is_zero(&tokens) && gk_status_is_rejected(wanted) && gk_status_http(wanted) == 401);
    CHECK(strstr(err.message, with->family) == NULL);
}

static bool says(const gk_verifier *verifier, const gk_buf *token, const char *claim) {
    gk_error err;
    gk_verified *verified = NULL;
    MUST(gk_verifier_verify(verifier, token->data, token->len, &verified, &err));
    const gk_str claims = gk_verified_claims_json(verified);
    char text[2048];
    CHECK(claims.len < sizeof text);
    memcpy(text, claims.data, claims.len);
    text[claims.len] = 0;
    gk_verified_free(verified);
    return strstr(text, claim) != NULL;
}

/* A log-in, refreshes, the grace, and a token that two have. */
static void a_stolen_token(const char *url) {
    gk_error err;
    gk_buf json;
    gk_session_tokens first, second, again, third;
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    gk_verifier *verifier = verifier_of(sessions);
    gk_claims *claims = gk_claims_new();
    char text[64];
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("read"));
    gk_session_spec *spec = gk_session_spec_new();
    gk_session_spec_claims(spec, claims);
    gk_session_spec_client(spec, GK_TEXT("Firefox"));
    gk_session_spec_meta(spec, GK_TEXT("{\"ip\":\"::1\"}"));
    MUST(gk_sessions_start(sessions, GK_TEXT("alice"), spec, &first, &err));
    gk_session_spec_free(spec);
    CHECK(first.expires_in == 900 && first.expires_at == now_seconds + 1000);
    CHECK(says(verifier, &first.access_token, "\"scope\":\"read\""));
    CHECK(says(verifier, &first.access_token, "\"sub\":\"alice\""));
    snprintf(text, sizeof text, "\"sid\":\"%s\"", first.family);
    CHECK(says(verifier, &first.access_token, text));
    snprintf(text, sizeof text, "\"iat\":%llu", (unsigned long long)now_seconds);
    CHECK(says(verifier, &first.access_token, text));
    MUST(gk_sessions_get(sessions, first.family, 12, &json, &err));
    CHECK(holds(&json, "\"subject\":\"alice\",\"client\":\"Firefox\",\"meta\":{\"ip\":\"::1\"}"));
    CHECK(holds(&json, "\"refreshes\":0,\"ended_at\":null,\"end\":null,\"altered\":false}"));
    gk_buf_free(&json);

    now_seconds += 100;
    second = refreshed(sessions, &first);
    CHECK(second.expires_at == now_seconds + 1000);
    CHECK(says(verifier, &second.access_token, "\"scope\":\"read\""));
    /* The answer was lost: the same one again, while nobody has used it. */
    now_seconds += 10;
    again = refreshed(sessions, &first);
    CHECK(buf_is(again.refresh_token, second.refresh_token.data));
    gk_session_tokens_free(&again);
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("write"));
    MUST(gk_sessions_refresh(sessions, REFRESH(second), claims, &third, &err));
    CHECK(says(verifier, &third.access_token, "\"scope\":\"write\""));
    MUST(gk_sessions_list(sessions, GK_TEXT("alice"), &json, &err));
    CHECK(holds(&json, first.family) && holds(&json, "\"refreshes\":2,"));
    gk_buf_free(&json);

    refused(GK_STATUS_TOKEN_REUSE, sessions, &first);
    CHECK(said(verifier, &third.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &first.access_token) == GK_STATUS_REVOKED_TOKEN);
    refused(GK_STATUS_TOKEN_REUSE, sessions, &third);
    MUST(gk_sessions_list(sessions, GK_TEXT("alice"), &json, &err));
    CHECK(buf_is(json, "[]"));
    gk_buf_free(&json);
    gk_filter *of_it = gk_filter_new();
    gk_filter_family(of_it, first.family, 12);
    MUST(gk_sessions_events(sessions, of_it, &json, &err));
    gk_filter_free(of_it);
    CHECK(holds(&json, "\"action\":\"start\"") && holds(&json, "\"action\":\"reuse\""));
    CHECK(holds(&json, "\"cursor\":null"));
    gk_buf_free(&json);

    gk_claims_free(claims);
    gk_session_tokens_free(&first);
    gk_session_tokens_free(&second);
    gk_session_tokens_free(&third);
    CHECK(is_zero(&third));
    gk_session_tokens_free(&third);
    gk_verifier_free(verifier);
    gk_sessions_free(sessions);
}

/* A caller names its client as it likes. */
static void any_client(const char *url) {
    gk_error err;
    gk_buf json;
    gk_session_tokens tokens;
    char agent[300];
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    gk_session_spec *spec = gk_session_spec_new();
    gk_session_spec_client(spec, GK_TEXT("a\tb\xff\x1b"));
    MUST(gk_sessions_start(sessions, GK_TEXT("erin"), spec, &tokens, &err));
    MUST(gk_sessions_get(sessions, tokens.family, 12, &json, &err));
    CHECK(holds(&json, "\"client\":\"a b\xef\xbf\xbd\""));
    gk_buf_free(&json);
    gk_session_tokens_free(&tokens);
    memset(agent, 'x', sizeof agent);
    gk_session_spec_client(spec, agent, sizeof agent);
    MUST(gk_sessions_start(sessions, GK_TEXT("erin"), spec, &tokens, &err));
    gk_session_tokens_free(&tokens);
    gk_session_spec_free(spec);
    gk_sessions_free(sessions);
}

/* Log-outs, here and everywhere. */
static void log_outs(const char *url) {
    gk_error err;
    gk_buf json;
    bool ended = false;
    uint64_t count = 0;
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    gk_verifier *verifier = verifier_of(sessions);
    gk_session_tokens one = started(sessions, "carol"), two = started(sessions, "carol"),
                      three = started(sessions, "carol"), other = started(sessions, "dave");
    MUST(gk_sessions_end(sessions, REFRESH(one), &ended, &err));
    CHECK(ended);
    MUST(gk_sessions_end_by_id(sessions, SESSION(one.family, 12, NOTHING), &ended, &err));
    CHECK(!ended);
    // The id is public: it is no refresh token, and another subject cannot end the session by it.
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN, gk_sessions_end(sessions, two.family, 12, &ended, &err));
    FAILS(GK_STATUS_SESSION_NOT_FOUND,
          gk_sessions_end_by_id(sessions, SESSION(two.family, 12, GK_TEXT("dave")), &ended, &err));
    FAILS(GK_STATUS_SESSION_NOT_FOUND,
          gk_sessions_end_by_id(sessions, SESSION(two.family, 12, "", 0), &ended, &err));
    CHECK(!ended);
    refused(GK_STATUS_SESSION_ENDED, sessions, &one);
    CHECK(said(verifier, &one.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &two.access_token) == GK_STATUS_OK);
    MUST(gk_sessions_get(sessions, one.family, 12, &json, &err));
    CHECK(holds(&json, "\"end\":\"logout\""));
    gk_buf_free(&json);
    MUST(gk_sessions_end_by_id(sessions, SESSION(two.family, 12, GK_TEXT("carol")), NULL, &err));
    gk_session_tokens_free(&two);
    two = started(sessions, "carol");

    // All but one of them: only of its own subject.
    gk_session_tokens here = started(sessions, "carol");
    const gk_session_identity kept = {{here.family, 12}, {GK_TEXT("carol")}},
                              daves = {{other.family, 12}, {GK_TEXT("carol")}},
                              unnamed = {{here.family, 12}, {NOTHING}};
    count = 9;
    FAILS(GK_STATUS_SESSION_NOT_FOUND, gk_sessions_end_others(sessions, &daves, &count, &err));
    CHECK(count == 0 && said(verifier, &two.access_token) == GK_STATUS_OK);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_sessions_end_others(sessions, &unnamed, &count, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_sessions_end_others(sessions, NULL, &count, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_sessions_end_others(NULL, &kept, &count, &err));
    MUST(gk_sessions_end_others(sessions, &kept, &count, &err));
    CHECK(count == 2);
    CHECK(said(verifier, &two.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &here.access_token) == GK_STATUS_OK);
    CHECK(said(verifier, &other.access_token) == GK_STATUS_OK);
    MUST(gk_sessions_end_others(sessions, &kept, NULL, &err));
    gk_session_tokens_free(&two);
    gk_session_tokens_free(&three);
    two = started(sessions, "carol");
    three = here;
    memset(&here, 0, sizeof here);

    MUST(gk_sessions_end_all(sessions, GK_TEXT("carol"), &count, &err));
    CHECK(count == 2);
    CHECK(said(verifier, &two.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &three.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(said(verifier, &other.access_token) == GK_STATUS_OK);
    refused(GK_STATUS_SESSION_ENDED, sessions, &three);
    MUST(gk_sessions_end_all(sessions, GK_TEXT("carol"), NULL, &err));
    // A later log-in is good in the same second, by the number it says.
    gk_session_tokens_free(&one);
    one = started(sessions, "carol");
    CHECK(said(verifier, &one.access_token) == GK_STATUS_OK);

    // A clock that has failed is not the far future.
    uint64_t right = now_seconds;
    now_seconds = UINT64_MAX;
    CHECK(said(verifier, &one.access_token) == GK_STATUS_INVALID_CONFIGURATION);
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_sessions_end_all(sessions, GK_TEXT("carol"), NULL, &err));
    now_seconds = right;
    CHECK(said(verifier, &one.access_token) == GK_STATUS_OK);

    gk_filter *of_carol = gk_filter_new();
    gk_filter_subject(of_carol, GK_TEXT("carol"));
    gk_filter_limit(of_carol, 1);
    MUST(gk_sessions_events(sessions, of_carol, &json, &err));
    CHECK(holds(&json, "\"action\":\"start\"") && !holds(&json, "\"cursor\":null"));
    char cursor[24];
    CHECK(sscanf(strstr(json.data, "\"cursor\":\""), "\"cursor\":\"%23[0-9]", cursor) == 1);
    gk_buf_free(&json);
    gk_filter_cursor(of_carol, cursor, strlen(cursor));
    gk_filter_limit(of_carol, 1000);
    MUST(gk_sessions_events(sessions, of_carol, &json, &err));
    CHECK(holds(&json, "\"action\":\"logout_everywhere\"") && !holds(&json, "\"dave\""));
    gk_buf_free(&json);
    /* A subject without a name is not everybody. */
    gk_filter_cursor(of_carol, NOTHING);
    gk_filter_subject(of_carol, NOTHING);
    MUST(gk_sessions_events(sessions, of_carol, &json, &err));
    CHECK(buf_is(json, "{\"records\":[],\"cursor\":null}"));
    gk_buf_free(&json);
    gk_filter_free(of_carol);
    MUST(gk_sessions_events(sessions, NULL, &json, &err));
    CHECK(holds(&json, "\"carol\"") && holds(&json, "\"dave\""));
    gk_buf_free(&json);

    now_seconds++;
    MUST(gk_sessions_purge(sessions, now_seconds, &count, &err));
    CHECK(count >= 3);
    MUST(gk_sessions_purge(sessions, now_seconds, NULL, &err));
    refused(GK_STATUS_INVALID_REFRESH_TOKEN, sessions, &three);
    FAILS(GK_STATUS_SESSION_NOT_FOUND, gk_sessions_get(sessions, three.family, 12, &json, &err));
    CHECK(json.data == NULL && json.len == 0);
    ended = true;
    FAILS(GK_STATUS_SESSION_NOT_FOUND,
          gk_sessions_end_by_id(sessions, SESSION(three.family, 12, NOTHING), &ended, &err));
    CHECK(!ended);
    gk_session_tokens_free(&one);
    gk_session_tokens_free(&two);
    gk_session_tokens_free(&three);
    gk_session_tokens_free(&other);
    gk_verifier_free(verifier);
    gk_sessions_free(sessions);
}

/* Not refreshed in time; refreshed for as long as a session may last; a clock that steps back. */
static void expiry(const char *url) {
    gk_session_tokens tokens[3];
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    const uint64_t begin = now_seconds;
    tokens[0] = started(sessions, "erin");
    now_seconds = begin + 1000;
    refused(GK_STATUS_SESSION_EXPIRED, sessions, &tokens[0]);
    now_seconds = begin + 10;
    refused(GK_STATUS_SESSION_EXPIRED, sessions, &tokens[0]);
    gk_session_tokens_free(&tokens[0]);

    now_seconds = begin + 2000;
    tokens[0] = started(sessions, "erin");
    now_seconds += 900;
    tokens[1] = refreshed(sessions, &tokens[0]);
    now_seconds += 900;
    tokens[2] = refreshed(sessions, &tokens[1]);
    CHECK(tokens[2].expires_at == begin + 4500 && tokens[2].expires_in == 700);
    now_seconds = begin + 4500;
    refused(GK_STATUS_SESSION_EXPIRED, sessions, &tokens[2]);
    for (int i = 0; i < 3; i++) gk_session_tokens_free(&tokens[i]);
    gk_sessions_free(sessions);
}

struct refresher {
    pthread_t thread;
    const gk_sessions *sessions;
    const gk_session_tokens *with;
    pthread_barrier_t *all_are_here;
    gk_session_tokens tokens;
    gk_status status;
};

static void *refresh_once(void *argument) {
    struct refresher *self = argument;
    pthread_barrier_wait(self->all_are_here);
    self->status =
        gk_sessions_refresh(self->sessions, REFRESH(*self->with), NULL, &self->tokens, NULL);
    return NULL;
}

/* Eight tabs with the same token at the same time: it is exchanged once, and all go on. */
static void threads(const char *url) {
    enum { THREADS = 8 };
    gk_error err;
    gk_buf json;
    struct refresher all[THREADS];
    pthread_barrier_t all_are_here;
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    gk_sessions *same = gk_sessions_clone(sessions);
    gk_session_tokens first = started(sessions, "frank");
    CHECK(pthread_barrier_init(&all_are_here, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        all[i].sessions = i % 2 == 0 ? sessions : same;
        all[i].with = &first;
        all[i].all_are_here = &all_are_here;
        CHECK(pthread_create(&all[i].thread, NULL, refresh_once, &all[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(all[i].thread, NULL) == 0);
        CHECK(all[i].status == GK_STATUS_OK);
        CHECK(buf_is(all[i].tokens.refresh_token, all[0].tokens.refresh_token.data));
    }
    MUST(gk_sessions_get(sessions, first.family, 12, &json, &err));
    CHECK(holds(&json, "\"refreshes\":1,"));
    gk_buf_free(&json);
    gk_session_tokens next = refreshed(sessions, &all[7].tokens);
    gk_session_tokens_free(&next);
    for (int i = 0; i < THREADS; i++) gk_session_tokens_free(&all[i].tokens);
    gk_session_tokens_free(&first);
    pthread_barrier_destroy(&all_are_here);
    gk_sessions_free(same);
    gk_sessions_free(sessions);
}

/* Someone who may look and end, in the same file; and someone with another pepper. */
static void two_handles(const char *url) {
    gk_error err;
    gk_buf json;
    bool ended = false;
    gk_session_tokens none;
    gk_sessions *sessions = open_with(url, signer, PEPPER);
    gk_sessions *looker = open_with(url, NULL, PEPPER);
    gk_verifier *verifier = verifier_of(looker);
    gk_session_tokens tokens = started(sessions, "grace");
    MUST(gk_sessions_list(looker, GK_TEXT("grace"), &json, &err));
    CHECK(holds(&json, tokens.family));
    gk_buf_free(&json);
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_sessions_start(looker, GK_TEXT("grace"), NULL, &none, &err));
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_sessions_refresh(looker, REFRESH(tokens), NULL, &none, &err));
    CHECK(is_zero(&none) && said(verifier, &tokens.access_token) == GK_STATUS_OK);
    MUST(gk_sessions_end(sessions, REFRESH(tokens), &ended, &err));
    gk_revocations *revocations = gk_sessions_revocations(looker);
    MUST(gk_revocations_refresh(revocations, &err));
    CHECK(ended && said(verifier, &tokens.access_token) == GK_STATUS_REVOKED_TOKEN);
    CHECK(open_with(url, signer, OTHER_PEPPER) == NULL);
    gk_revocations_free(revocations);
    gk_verifier_free(verifier);
    gk_session_tokens_free(&tokens);
    gk_sessions_free(looker);
    gk_sessions_free(sessions);
}

/* The usual options; a signer whose tokens live for longer than a session. */
static void usual_options(const char *url) {
    gk_error err;
    gk_sessions *sessions = NULL;
    MUST(gk_sessions_open(url, strlen(url), signer, NULL, &sessions, &err));
    gk_sessions *same = gk_sessions_clone(sessions);
    gk_sessions_free(sessions);
    gk_sessions_free(same);
    MUST(gk_sessions_open(url, strlen(url), signer, NULL, &sessions, &err));
    gk_sessions_free(sessions);

    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_ttl(builder, 604801);
    gk_signer *eternal = signer_of(builder);
    FAILS(GK_STATUS_INVALID_CONFIGURATION,
          gk_sessions_open(GK_TEXT("memory:"), eternal, NULL, &sessions, &err));
    CHECK(sessions == NULL);
    gk_signer_free(eternal);
}

static void wrong_options(void) {
    gk_error err;
    int releases = 0;
    gk_sessions *none = NULL;
    gk_session_options *options = gk_session_options_new();
#define REFUSED_BY_OPEN(wanted)                                                                    \
    FAILS(wanted, gk_sessions_open(GK_TEXT("memory:"), signer, options, &none, &err))

    gk_session_options_grace(options, 61);
    REFUSED_BY_OPEN(WRONG);
    gk_session_options_grace(options, 60);
    gk_session_options_refresh_ttl(options, 7776001);
    REFUSED_BY_OPEN(WRONG);
    gk_session_options_refresh_ttl(options, 899);
    REFUSED_BY_OPEN(GK_STATUS_INVALID_CONFIGURATION);
    gk_session_options_refresh_ttl(options, 900);
    gk_session_options_absolute_ttl(options, 899);
    REFUSED_BY_OPEN(WRONG);
    gk_session_options_absolute_ttl(options, 900);
    gk_session_options_max_stale(options, 86401);
    REFUSED_BY_OPEN(WRONG);
    gk_session_options_max_stale(options, 0);
    gk_session_options_tenant_claim(options, NULL, 0);
    REFUSED_BY_OPEN(WRONG);
    CHECK(none == NULL);
    gk_session_options_tenant_claim(options, GK_TEXT("tenant"));
    gk_session_options_clock(options, now, &releases, released);
    MUST(gk_sessions_open(GK_TEXT("memory:"), signer, options, &none, &err));
    gk_session_options_free(options);
    CHECK(releases == 0);
    gk_sessions_free(none);
    CHECK(releases == 1);
    gk_session_options_free(NULL);
}

static void wrong_arguments(void) {
    gk_error err;
    gk_buf out;
    gk_session_tokens none;
    gk_sessions *sessions = open_with("memory:", signer, PEPPER), *nobody = NULL;
    gk_session_tokens tokens = started(sessions, "alice");
    gk_claims *own = gk_claims_new();
    char forged[51];
    uint64_t count = 7;
    gk_claims_claim_str(own, GK_TEXT("sid"), GK_TEXT("another"));

    FAILS(WRONG, gk_sessions_open(GK_TEXT("no://where"), signer, NULL, &nobody, &err));
    FAILS(WRONG, gk_sessions_open(NULL, 1, signer, NULL, &nobody, &err));
    FAILS(WRONG, gk_sessions_open(BAD, signer, NULL, &nobody, &err));
    FAILS(WRONG, gk_sessions_open(GK_TEXT("memory:"), signer, NULL, NULL, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_sessions_open(GK_TEXT("sqlite:////no/such/folder/x"), signer, NULL, &nobody, &err));
    CHECK(nobody == NULL);

#define START(subject, setter, ...)                                                                \
    do {                                                                                           \
        gk_session_spec *spec = gk_session_spec_new();                                             \
        gk_session_spec_##setter(spec, __VA_ARGS__);                                               \
        memset(&none, 'x', sizeof none);                                                           \
        FAILS(WRONG, gk_sessions_start(sessions, subject, spec, &none, &err));                     \
        CHECK(is_zero(&none));                                                                     \
        gk_session_spec_free(spec);                                                                \
    } while (0)
    FAILS(WRONG, gk_sessions_start(NULL, GK_TEXT("a"), NULL, &none, &err));
    CHECK(is_zero(&none));
    FAILS(WRONG, gk_sessions_start(sessions, GK_TEXT("a"), NULL, NULL, &err));
    START(NOTHING, client, NOTHING);
    START(BAD, client, NOTHING);
    START(GK_TEXT("a"), claims, own);
    START(GK_TEXT("a"), claims, NULL);
    START(GK_TEXT("a"), meta, BAD);
    START(GK_TEXT("a"), meta, GK_TEXT("[]"));

    FAILS(WRONG, gk_sessions_refresh(NULL, REFRESH(tokens), NULL, &none, &err));
    FAILS(WRONG, gk_sessions_refresh(sessions, REFRESH(tokens), NULL, NULL, &err));
    FAILS(WRONG, gk_sessions_refresh(sessions, REFRESH(tokens), own, &none, &err));
    FAILS(WRONG, gk_sessions_refresh(sessions, NULL, 51, NULL, &none, &err));
    FAILS(GK_STATUS_MISSING_CREDENTIALS, gk_sessions_refresh(sessions, NULL, 0, NULL, &none, &err));
    FAILS(GK_STATUS_MISSING_CREDENTIALS, gk_sessions_end(sessions, NULL, 0, NULL, &err));
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN, gk_sessions_refresh(sessions, "", 0, NULL, &none, &err));
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN, gk_sessions_refresh(sessions, BAD, NULL, &none, &err));
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN,
          gk_sessions_refresh(sessions, tokens.family, 12, NULL, &none, &err));
    memcpy(forged, tokens.refresh_token.data, sizeof forged);
    forged[30] = forged[30] == 'a' ? 'b' : 'a';
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN,
          gk_sessions_refresh(sessions, forged, sizeof forged, NULL, &none, &err));
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN,
          gk_sessions_end(sessions, forged, sizeof forged, NULL, &err));
    FAILS(GK_STATUS_INVALID_REFRESH_TOKEN, gk_sessions_end(sessions, BAD, NULL, &err));
    FAILS(WRONG, gk_sessions_end(NULL, tokens.family, 12, NULL, &err));
    FAILS(WRONG, gk_sessions_end(sessions, NULL, 12, NULL, &err));
    FAILS(WRONG, gk_sessions_end_by_id(NULL, SESSION(tokens.family, 12, NOTHING), NULL, &err));
    FAILS(WRONG, gk_sessions_end_by_id(sessions, NULL, NULL, &err));
    FAILS(WRONG, gk_sessions_end_by_id(sessions, SESSION(BAD, NOTHING), NULL, &err));
    FAILS(WRONG, gk_sessions_end_by_id(sessions, SESSION(tokens.family, 12, BAD), NULL, &err));
    count = 1;
    FAILS(WRONG, gk_sessions_end_under_pepper(NULL, 1, &count, &err));
    CHECK(count == 0);
    FAILS(GK_STATUS_WRONG_PEPPER, gk_sessions_end_under_pepper(sessions, 77, NULL, &err));
    count = 1;
    FAILS(WRONG, gk_sessions_end_all(NULL, GK_TEXT("alice"), &count, &err));
    CHECK(count == 0);
    FAILS(WRONG, gk_sessions_end_all(sessions, NOTHING, NULL, &err));
    FAILS(WRONG, gk_sessions_end_all(sessions, BAD, NULL, &err));
    FAILS(WRONG, gk_sessions_list(NULL, GK_TEXT("alice"), &out, &err));
    CHECK(out.data == NULL);
    FAILS(WRONG, gk_sessions_list(sessions, BAD, &out, &err));
    FAILS(WRONG, gk_sessions_list(sessions, GK_TEXT("alice"), NULL, &err));
    FAILS(WRONG, gk_sessions_get(NULL, tokens.family, 12, &out, &err));
    FAILS(WRONG, gk_sessions_get(sessions, BAD, &out, &err));
    FAILS(WRONG, gk_sessions_get(sessions, tokens.family, 12, NULL, &err));
    FAILS(GK_STATUS_SESSION_NOT_FOUND, gk_sessions_get(sessions, NOTHING, &out, &err));
#define EVENTS(setter, ...)                                                                        \
    do {                                                                                           \
        gk_filter *which = gk_filter_new();                                                        \
        gk_filter_##setter(which, __VA_ARGS__);                                                    \
        FAILS(WRONG, gk_sessions_events(sessions, which, &out, &err));                             \
        CHECK(out.data == NULL && out.len == 0);                                                   \
        gk_filter_free(which);                                                                     \
    } while (0)
    FAILS(WRONG, gk_sessions_events(NULL, NULL, &out, &err));
    EVENTS(subject, BAD);
    EVENTS(family, BAD);
    EVENTS(cursor, GK_TEXT("x"));
    FAILS(WRONG, gk_sessions_events(sessions, NULL, NULL, &err));
    count = 7;
    FAILS(WRONG, gk_sessions_purge(NULL, 1, &count, &err));
    CHECK(count == 0);
    FAILS(WRONG, gk_sessions_purge(sessions, now_seconds + 1, NULL, &err));

    CHECK(gk_sessions_clone(NULL) == NULL);
    CHECK(gk_sessions_revocations(NULL) == NULL);
    gk_sessions_free(NULL);
    gk_session_tokens_free(NULL);
    gk_session_tokens_free(&tokens);
    gk_claims_free(own);
    gk_sessions_free(sessions);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "session.c", "gk_session_options_") == 10);
    CHECK(calls_all(argv[1], "session.c", "gk_sessions_") == 15);
    CHECK(calls_all(argv[1], "session.c", "gk_session_spec_") == 5);
    CHECK(calls_all(argv[1], "session.c", "gk_session_tokens_") == 1);
    gk_error err;
    gk_signer_builder *builder = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    signer = signer_of(builder);
    char folder[] = "/tmp/gatekey-ffi-XXXXXX", url[128], usual[128], file[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(url, sizeof url, "sqlite:///%s/sessions.sqlite", folder);
    snprintf(usual, sizeof usual, "sqlite:///%s/usual.sqlite", folder);
    const char *stores[] = {"memory:", url};
    for (int i = 0; i < 2; i++) {
        a_stolen_token(stores[i]);
        any_client(stores[i]);
        log_outs(stores[i]);
        threads(stores[i]);
        expiry(stores[i]);
    }
    two_handles(url);
    usual_options(usual);
    wrong_options();
    wrong_arguments();
    gk_signer_free(signer);
    gk_key_free(key);
    const char *files[] = {"sessions.sqlite", "sessions.sqlite.mark", "usual.sqlite",
                           "usual.sqlite.mark", "usual.sqlite.pepper"};
    for (int i = 0; i < 5; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, files[i]);
        CHECK(unlink(file) == 0);
    }
    CHECK(rmdir(folder) == 0);
    return passed("session");
}
